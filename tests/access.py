"""Every endpoint of the site, found in its URL configuration, and the access each one declares."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.views import APIView

from config.permissions import Needs
from identity.roles import PERMISSIONS

SAFE = {"get", "head", "options"}
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Endpoint:
    """One address; `kwargs` maps the names in it to the names of their converters."""

    route: str
    view: Any
    kwargs: tuple[tuple[str, str], ...]

    @property
    def api(self) -> type[APIView] | None:
        kind = getattr(self.view, "cls", None)
        return kind if inspect.isclass(kind) and issubclass(kind, APIView) else None

    @property
    def methods(self) -> list[str]:
        if self.api is not None:
            return [
                name for name in METHODS if hasattr(self.api, name) and name in self.api.http_method_names
            ]
        return ["get", "post"]

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for addresses that are another spelling of the same door."""
        return self.api or inspect.unwrap(self.view), self.kwargs, self.route.partition("admin/")[1]


def _walk(
    patterns: list[Any], before: str = "", inherited: tuple[tuple[str, str], ...] = ()
) -> Iterator[Endpoint]:
    for each in patterns:
        route, named = before + str(each.pattern), (*inherited, *_named(each.pattern))
        if isinstance(each, URLPattern):
            yield Endpoint(route, each.callback, named)
        elif isinstance(each, URLResolver):
            yield from _walk(each.url_patterns, route, named)


def _named(pattern: Any) -> Iterator[tuple[str, str]]:
    if isinstance(pattern, RoutePattern):
        for name, converter in pattern.converters.items():
            yield name, type(converter).__name__.removesuffix("Converter").lower()
    else:
        yield from ((name, "regex") for name in pattern.regex.groupindex)


def endpoints() -> list[Endpoint]:
    """All of them, each once."""
    found: dict[Any, Endpoint] = {}
    for endpoint in _walk(get_resolver().url_patterns):
        found.setdefault(endpoint.key, endpoint)
    return list(found.values())


@dataclass(frozen=True)
class Access:
    """Who may come in: anybody, whoever is signed in, a role with a permission, staff, or the holder of a key."""

    kind: str
    read: str | None = None
    write: str | None = None

    def needed(self, method: str) -> str | None:
        return self.read if method in SAFE else self.write


def _layers(view: Callable[..., Any]) -> Iterator[Any]:
    """A view, and the views inside its decorators, also where a decorator hides how many there are."""
    waiting, seen = [view], set()
    while waiting:
        layer = waiting.pop()
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        yield layer
        inside = (
            inspect.getclosurevars(layer).nonlocals.get("view_func") if inspect.isfunction(layer) else None
        )
        waiting += [each for each in (getattr(layer, "__wrapped__", None), inside) if callable(each)]


def _guard(view: Callable[..., Any]) -> Access | None:
    """What Django's own decorators around a page ask for."""
    found = None
    for layer in _layers(view):
        names = inspect.getclosurevars(layer).nonlocals if inspect.isfunction(layer) else {}
        test = names.get("test_func")
        if test is None:
            continue
        asked = inspect.getclosurevars(test).nonlocals.get("perms")
        if asked:
            return Access("permission", asked[0], asked[0])
        found = Access("signed in")
    return found


def _of_admin(view: Callable[..., Any]) -> bool:
    if hasattr(view, "model_admin") or hasattr(view, "admin_site"):
        return True
    gate = AdminSite.admin_view.__code__.co_filename
    codes = [layer.__code__ for layer in _layers(view) if inspect.isfunction(layer)]
    return any((code.co_name, code.co_filename) == ("inner", gate) for code in codes)


def _of_api(kind: type[APIView]) -> Access | None:
    """What a view of the API says itself, or a base class of ours for it; DRF's default is no declaration."""
    if not any("permission_classes" in vars(layer) for layer in kind.__mro__ if layer is not APIView):
        return None
    (asked,) = kind.permission_classes
    if asked is AllowAny:
        return Access("open")
    if asked is IsAuthenticated:
        return Access("signed in")
    if inspect.isclass(asked) and issubclass(asked, Needs):
        read = kind.read_permission  # type: ignore[attr-defined]
        return Access("permission", read, getattr(kind, "write_permission", read))
    return Access("key")


def declared(endpoint: Endpoint) -> Access | None:
    """The access that an endpoint declares; None if it declares none."""
    if endpoint.api is not None:
        return _of_api(endpoint.api)
    if _of_admin(endpoint.view):
        return Access("staff")
    if getattr(endpoint.view, "login_required", None) is False:
        return Access("open")
    return _guard(endpoint.view)


def unknown_permissions(access: Access) -> set[str]:
    """Permissions that are not in the role table."""
    return {name for name in (access.read, access.write) if name is not None} - PERMISSIONS.keys()
