"""Who asks: an access token or a browser session, both of a sign-in that is alive at this very request."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError
from django.db.models import Exists, Value
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from identity import tokens
from identity.models import RevokedToken, SignIn, User

log = logging.getLogger("waymark.identity")
SCHEMES = {"bearer", "jwt"}
SESSION_KEY = "sign_in"
SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Credentials:
    """What a request was let in with: the sign-in, and for a token its id and expiry."""

    sign_in: SignIn
    jti: str | None = None
    expires_at: datetime | None = None


class Ended(Exception):
    """These credentials do not count (any more); `detail` says why in the words of the dialects."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def insist_alive(sign_in: SignIn | None, now: datetime, user_uuid: str | None = None) -> SignIn:
    """The sign-in, if it and its person still count at this moment; Ended otherwise."""
    if sign_in is None or (user_uuid is not None and str(sign_in.user.uuid) != user_uuid):
        raise Ended("invalid_token")
    if sign_in.user.deleted_at is not None or not sign_in.user.is_active:
        raise Ended("user_not_found")
    if sign_in.ended_at is not None or sign_in.expires_at <= now or getattr(sign_in, "revoked", False):
        raise Ended("invalid_token")
    return sign_in


def by_token(text: str, now: datetime) -> Credentials:
    """Whose access token this is: one query; Ended if it opens nothing."""
    claims = tokens.access_claims(text, now.timestamp())
    if claims is None:
        raise Ended("invalid_token")
    revoked = Exists(RevokedToken.objects.filter(jti=Value(claims["jti"])))
    found = SignIn.objects.select_related("user").annotate(revoked=revoked).filter(pk=claims["client_id"])
    sign_in = insist_alive(found.first(), now, claims["sub"])
    _note_presence(sign_in, now)
    return Credentials(sign_in, claims["jti"], datetime.fromtimestamp(claims["exp"], tz=now.tzinfo))


def by_session(session: Any, now: datetime) -> Credentials | None:
    """Whose browser session this is; None if nobody is signed in with it. One that ended is emptied."""
    sign_in_id = session.get(SESSION_KEY)
    if sign_in_id is None:
        return None
    try:
        sign_in = insist_alive(SignIn.objects.select_related("user").filter(pk=sign_in_id).first(), now)
    except Ended:
        session.flush()
        return None
    _note_presence(sign_in, now)
    return Credentials(sign_in)


def _note_presence(sign_in: SignIn, now: datetime) -> None:
    """Write when a person was last seen, at most once a minute; a busy database is no reason to turn them away."""
    edge = now - SEEN_EVERY
    if sign_in.last_seen_at > edge:
        return
    try:
        if SignIn.objects.filter(pk=sign_in.pk, last_seen_at__lte=edge).update(last_seen_at=now):
            User.objects.filter(pk=sign_in.user_id).update(last_seen_at=now)
    except OperationalError:
        log.warning("The last visit of sign-in %s was not written: the database is busy", sign_in.pk)


def token_in(request: HttpRequest | Request) -> str | None:
    """The text after `Bearer` or `JWT` in `Authorization`; None for no header or another scheme."""
    scheme, _, rest = request.headers.get("Authorization", "").strip().partition(" ")
    return rest.strip() if scheme.lower() in SCHEMES else None


class AccessTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <access token>`, or `JWT`."""

    def authenticate(self, request: Request) -> tuple[User, Credentials] | None:
        text = token_in(request)
        if text is None:
            return None
        try:
            credentials = by_token(text, timezone.now())
        except Ended as ended:
            raise AuthenticationFailed(ended.detail) from ended
        request._request.sign_in_trace = credentials.sign_in.trace_id  # type: ignore[attr-defined]
        return credentials.sign_in.user, credentials

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class PageSessionAuthentication(SessionAuthentication):
    """The session cookie of a person signed in at the login page, with CSRF on unsafe methods."""

    def authenticate(self, request: Request) -> tuple[User, Credentials] | None:
        user: Any = getattr(request._request, "user", None)
        if user is None or not user.is_authenticated or not hasattr(request._request, "credentials"):
            return None
        self.enforce_csrf(request)
        return user, request._request.credentials
