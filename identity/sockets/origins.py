"""Whose pages may open sockets: our own, and those of the allowed origins (RFC 6455, section 10.2).

A browser always names the origin of the page, other clients need not.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain

Headers = Iterable[tuple[bytes, bytes]]
PORTS = {"http": "80", "ws": "80", "https": "443", "wss": "443"}


def header(headers: Headers, name: bytes) -> list[str]:
    """All values of one header."""
    return [value.decode("latin1") for key, value in headers if key.lower() == name]


def _place(scheme: str, netloc: str) -> tuple[str, str]:
    """Host and port, the default port of the scheme filled in."""
    host, port = split_domain_port(netloc)
    return host, port or PORTS.get(scheme, "")


def _own_place(headers: Headers, scheme: str) -> tuple[str, str] | None:
    """Where this request was sent to, if that is a name of ours."""
    hosts = header(headers, b"host")
    if len(hosts) != 1:
        return None
    allowed = settings.ALLOWED_HOSTS or (
        ["localhost", ".localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else []
    )
    place = _place(scheme, hosts[0])
    return place if place[0] and validate_host(place[0], allowed) else None


def _listed(scheme: str, place: tuple[str, str], entry: str) -> bool:
    """Whether an entry of the allow-list, such as `https://*.example.org`, means this origin."""
    parts = urlsplit(entry)
    host, port = _place(parts.scheme, parts.netloc.replace("*.", ".", 1))
    return parts.scheme == scheme and port == place[1] and is_same_domain(place[0], host)


def allowed(headers: Headers) -> bool:
    """Whether this handshake names no origin, ours, or an allowed one."""
    headers = list(headers)
    return all(_one_allowed(origin, headers) for origin in header(headers, b"origin"))


def _one_allowed(origin: str, headers: Headers) -> bool:
    try:
        parts = urlsplit(origin.lower())
        place = _place(parts.scheme, parts.netloc)
    except ValueError:
        return False
    if parts.scheme not in PORTS or not place[0] or parts.path or parts.query or parts.fragment:
        return False
    if place == _own_place(headers, parts.scheme):
        return True
    return any(_listed(parts.scheme, place, entry.lower()) for entry in settings.WS_ALLOWED_ORIGINS)
