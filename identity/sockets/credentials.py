"""Who opens a socket: read from its handshake or from a text it sent."""

from importlib import import_module
from typing import Any

from django.conf import settings
from django.utils import timezone

from config.sockets import Code, SocketClosed
from identity.authentication import SCHEMES, Credentials, Ended, by_session, by_token
from identity.sockets import tickets
from identity.sockets.origins import Headers, header


def _after_scheme(text: str) -> str | None:
    scheme, _, rest = text.strip().partition(" ")
    return rest.strip() if scheme.lower() in SCHEMES else None


def token_in(headers: Headers) -> str | None:
    """The token in `Authorization`, else in a part of `Cookie` that reads `JWT <token>`; None if there is neither."""
    headers = list(headers)
    parts = [part for cookie in header(headers, b"cookie") for part in cookie.split(";")]
    jwt_parts = [part for part in parts if part.strip()[:4].upper() == "JWT "]
    found = map(_after_scheme, [*header(headers, b"authorization"), *jwt_parts])
    return next((token for token in found if token is not None), None)


def session_key_in(headers: Headers) -> str | None:
    """The session named by the cookies, for browsers."""
    for cookie in header(headers, b"cookie"):
        for part in cookie.split(";"):
            name, _, value = part.strip().partition("=")
            if name == settings.SESSION_COOKIE_NAME and value:
                return value.strip('"')
    return None


def of_token(text: str) -> Credentials:
    """Whose access token this is; SocketClosed with 4401 if it opens nothing."""
    try:
        return by_token(text, timezone.now())
    except Ended as ended:
        raise SocketClosed(Code.NOT_SIGNED_IN) from ended


def of_text(text: str) -> Credentials:
    """Whose access token or ticket this is; SocketClosed with 4401 if it opens nothing."""
    if not text.startswith(tickets.PREFIX):
        return of_token(text)
    try:
        return tickets.redeem(text, timezone.now())
    except Ended as ended:
        raise SocketClosed(Code.NOT_SIGNED_IN) from ended


def of_session(key: str) -> Credentials | None:
    """Whose browser session this is, None if nobody (any longer) is signed in with it."""
    session: Any = import_module(settings.SESSION_ENGINE).SessionStore(key)
    return by_session(session, timezone.now())


def of_handshake(headers: Headers, *, session: bool) -> Credentials | None:
    """Who the handshake says it is: a token counts before a session; None if it says nothing that counts."""
    headers = list(headers)
    token = token_in(headers)
    if token is not None:
        return of_token(token)
    key = session_key_in(headers) if session else None
    return of_session(key) if key else None
