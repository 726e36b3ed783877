"""Every endpoint × every role × somebody else's object, whatever apps there are (identity.md 1)."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.db import transaction
from django.http import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, path
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.views import APIView

from activity.signing import make_key
from config.asgi import sockets
from config.sockets import SignedInConsumer
from identity.authentication import SESSION_KEY
from identity.models import Device, User
from identity.roles import STAFF, Role, allows
from identity.services import open_sign_in
from tests.access import SAFE, Access, Endpoint, declared, endpoints, unknown_permissions
from tests.factories import EntryFactory, PersonFactory, ProviderFactory

ENDPOINTS = endpoints()
DECLARED = [(endpoint, access) for endpoint in ENDPOINTS if (access := declared(endpoint)) is not None]
CLOSED = {401, 403}


def named(endpoint: Any) -> str:
    return endpoint.route or "/" if isinstance(endpoint, Endpoint) else ""


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=named)
def test_every_endpoint_declares_its_access(endpoint: Endpoint) -> None:
    access = declared(endpoint)
    assert access is not None, f"{endpoint.route} says neither who may come in nor that anybody may"
    assert not unknown_permissions(access)


def test_every_socket_is_one_of_signed_in_people() -> None:
    assert sockets
    for each in sockets:
        assert issubclass(each.callback.consumer_class, SignedInConsumer), each.pattern


class Undeclared(APIView):
    def get(self, request: Any) -> Response:
        return Response()


def unguarded(request: Any) -> None:
    """A page that says nothing about who may see it."""


@pytest.mark.parametrize("view", [Undeclared.as_view(), unguarded])
def test_an_endpoint_that_declares_nothing_would_be_found(view: Any) -> None:
    found: URLPattern = path("new/", view)
    assert declared(Endpoint("new/", found.callback, ())) is None


class Cast:
    """One person per role, and a stranger whose things are asked for."""

    def __init__(self) -> None:
        self.people = {
            role.value: PersonFactory(username=f"the-{role.value}", roles=[role.value]) for role in Role
        }
        self.sign_ins = {name: open_sign_in(person, door="page") for name, person in self.people.items()}
        self.stranger: User = PersonFactory(username="stranger")
        self.foreign = {
            "user": self.stranger.pk,
            "device": Device.objects.create(
                user=self.stranger, device_fingerprint="f", device_name="d", registered_at=timezone.now()
            ).pk,
            "sign_in": open_sign_in(self.stranger).sign_in.pk,
            "entry": EntryFactory(user_id=str(self.stranger.uuid), user_login="stranger").pk,
            "provider": ProviderFactory().pk,
        }

    def value(self, name: str, converter: str, route: str) -> object:
        """Something of the stranger's that fits here; what nobody has named is a likely number or a new UUID."""
        known = {
            "login": self.stranger.username,
            "uuid": self.stranger.uuid,
            "sequence": self.foreign["entry"],
            "number": self.foreign["provider"],
            "user_id": self.stranger.pk,
            "app_label": "identity",
            "ip": "203.0.113.7",
            "rest": "x",
        }
        if name in known:
            return known[name]
        if name in self.foreign:
            return self.foreign[name]
        for noun in ("device", "user", "provider", "entry", "sign_in"):
            if noun in route:
                return self.foreign[noun]
        return uuid4() if converter == "uuid" else 1

    def address(self, endpoint: Endpoint) -> str:
        found = endpoint.route
        if endpoint.kwargs and "(?P<" in found:
            values = {name: self.value(name, kind, found) for name, kind in endpoint.kwargs}
            return "/" + quote(regex_address(found, values))
        for name, converter in endpoint.kwargs:
            value = quote(str(self.value(name, converter, endpoint.route)), safe="")
            found = found.replace(placeholder(found, name), value)
        return "/" + found


def placeholder(route: str, name: str) -> str:
    """The part of a route that stands for this name, such as `<int:pk>`."""
    start = route.rindex("<", 0, route.index(f"{name}>"))
    return route[start : route.index(">", start) + 1]


def regex_address(route: str, values: dict[str, object]) -> str:
    """An address for the two regular expressions of this site: the admin's index of an app, and its unknown paths."""
    if "app_label" in values:
        return f"admin/{values['app_label']}/"
    return route.split("^")[0] + f"admin/ping/{values['rest']}"


@pytest.fixture(scope="module")
def cast(django_db_setup: None, django_db_blocker: Any) -> Iterator[Cast]:
    """One for all endpoints: what they do to it is undone."""
    make_key(Path(settings.TRAIL_SIGNING_KEY_PATH))
    with django_db_blocker.unblock(), transaction.atomic():
        yield Cast()
        transaction.set_rollback(True)


@contextmanager
def undone() -> Iterator[None]:
    """Whatever happens in here never happened."""
    block: Any = transaction.atomic()
    block._from_testcase = (
        True  # commands insist on being outermost; in a test something always is around them
    )
    with block:
        yield
        transaction.set_rollback(True)


def ask(cast: Cast, endpoint: Endpoint, method: str, role: str | None) -> HttpResponseBase:
    """What this role is answered: by token at the API, by session at pages."""
    client = Client(raise_request_exception=False)
    headers: dict[str, str] = {}
    with undone():
        if role is not None and endpoint.api is not None:
            headers["Authorization"] = f"Bearer {cast.sign_ins[role].access}"
        elif role is not None:
            client.cookies[settings.SESSION_COOKIE_NAME] = session_of(cast.sign_ins[role].sign_in.pk)
        body: dict[str, Any] = {} if method in SAFE else {"data": "{}", "content_type": "application/json"}
        if endpoint.api is None and method == "post":
            body = {"data": {}}
        return getattr(client, method)(cast.address(endpoint), headers=headers, **body)


def session_of(sign_in: UUID) -> str:
    """A browser session that carries this sign-in."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(sign_in)
    session.create()
    return session.session_key


def to_the_door(answer: HttpResponseBase, access: Access) -> bool:
    """Sent to the login page; the Django admin also sends people away from its own logout."""
    return answer.status_code == 302 and (access.kind == "staff" or "/login/" in answer.headers["Location"])


def expected(access: Access, endpoint: Endpoint, method: str, role: str | None) -> str:
    """`closed`, `open`, or `absent`: somebody else's thing, which is to be as if it were not there."""
    if access.kind == "open":
        return "any"
    if access.kind == "key" or role is None:
        return "closed"
    if access.kind == "staff":
        return "any" if role in STAFF else "closed"
    if access.kind == "permission":
        needed = access.needed(method)
        return "open" if needed and allows([role], needed) else "closed"
    return "absent" if endpoint.kwargs else "open"


def askers(access: Access, method: str, cast: Cast) -> list[str | None]:
    """Who is sent: all, but for what a role cannot make a difference to."""
    if access.kind == "open":
        return [None, Role.USER.value]
    everybody = [None, *cast.people]
    return [each for each in everybody if access.kind != "staff" or method == "get" or each not in STAFF]


@pytest.mark.django_db
@pytest.mark.parametrize(("endpoint", "access"), DECLARED, ids=named)
def test_each_role_meets_what_the_endpoint_declares(endpoint: Endpoint, access: Access, cast: Cast) -> None:
    wrong = []
    for method in endpoint.methods:
        for role in askers(access, method, cast):
            answer = ask(cast, endpoint, method, role)
            status, turned_away = answer.status_code, to_the_door(answer, access)
            fits = {
                "any": True,
                "closed": status in CLOSED or turned_away or status == 405,
                "open": status not in CLOSED and not turned_away,
                "absent": status in {404, 405} or status in CLOSED,
            }[expected(access, endpoint, method, role)]
            if not fits or status >= 500:
                wrong.append(f"{method} as {role or 'nobody'}: {status}")
    assert not wrong, f"{cast.address(endpoint)} ({access}): {'; '.join(wrong)}"
