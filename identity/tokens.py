"""Access and refresh tokens: RS256 JWTs that name their key (`kid`), built on simplejwt.

simplejwt knows one fixed key; what is added here is the ring of keys, the claims of the contract, and a bounded
memory of signatures that were verified already.
"""

import hashlib
import uuid
from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, ClassVar

import jwt
from django.conf import settings
from rest_framework_simplejwt import tokens as base
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenBackendExpiredToken, TokenError

from identity import keys
from identity.models import SignIn, User

ALGORITHM, ISSUER = "RS256", "waymark"
MAX_LENGTH = 8192
Claims = dict[str, Any]


class RingBackend(TokenBackend):
    """Signs with the current key; verifies with the key that the header names, and only with RS256."""

    def encode(self, payload: Claims) -> str:
        ring = keys.ring()
        return jwt.encode(
            {**payload, "iss": ISSUER}, ring.current, algorithm=ALGORITHM, headers={"kid": ring.current_id}
        )

    def decode(self, token: Any, verify: bool = True) -> Claims:
        try:
            return jwt.decode(
                token,
                self._key_named_in(token),
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                # clocks of two machines differ a little: a token from the near future is no forgery
                options={"require": ["exp", "iat", "jti", "iss", "sub"], "verify_iat": False},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenBackendExpiredToken("Token is expired") from error
        except (jwt.InvalidTokenError, ValueError) as error:
            raise TokenBackendError("Token is invalid") from error

    def _key_named_in(self, token: Any) -> Any:
        name = jwt.get_unverified_header(token).get("kid")
        if not isinstance(name, str):
            raise jwt.InvalidTokenError("no key is named")
        known = keys.ring().public.get(name) or keys.ring(now=True).public.get(name)
        if known is None:
            raise jwt.InvalidTokenError("an unknown key is named")
        return known


class _Ours:
    """What both kinds have in common."""

    backend: ClassVar[TokenBackend] = RingBackend(ALGORITHM)
    payload: Claims

    def get_token_backend(self) -> TokenBackend:
        return self.backend

    def verify(self) -> None:
        super().verify()  # type: ignore[misc]
        for name in ("sub", "client_id"):
            try:
                uuid.UUID(self.payload[name])
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise TokenError(f"Token has no {name}") from error

    def live(self, seconds: timedelta, now: datetime) -> None:
        self.payload["iat"] = int(now.timestamp())
        self.payload["exp"] = int((now + seconds).timestamp())


class AccessToken(_Ours, base.AccessToken):
    """Opens every dialect for one sign-in; rights are read from the database, the claim `roles` only informs."""

    token_type = "access"  # noqa: S105

    @classmethod
    def issue(cls, sign_in: SignIn, user: User, now: datetime, **claims: Any) -> "AccessToken":
        token = cls()
        token.live(timedelta(minutes=settings.ACCESS_TOKEN_EXPIRE_MINUTES), now)
        token.payload |= {
            "sub": str(user.uuid),
            "user_id": str(user.uuid),
            "username": user.username,
            "roles": user.roles,
            "client_id": str(sign_in.pk),
            **claims,
        }
        return token


class RefreshToken(_Ours, base.RefreshToken):  # type: ignore[misc]
    """Can be changed once for a new pair."""

    token_type = "refresh"  # noqa: S105

    @classmethod
    def issue(cls, sign_in: SignIn, user: User, now: datetime) -> "RefreshToken":
        token = cls()
        token.live(timedelta(days=settings.REFRESH_TOKEN_EXPIRE_DAYS), now)
        token.payload |= {"sub": str(user.uuid), "client_id": str(sign_in.pk)}
        return token


class _Verified:
    """Claims of tokens whose signature was verified; a hit still checks the expiry and that the key is known."""

    size = 10_000

    def __init__(self) -> None:
        self.lock = Lock()
        self.claims: OrderedDict[bytes, tuple[keys.KeyRing, Claims]] = OrderedDict()

    def get(self, digest: bytes) -> Claims | None:
        found = self.claims.get(digest)
        if found is None or found[0] is not keys.ring():
            return None
        return found[1]

    def keep(self, digest: bytes, claims: Claims) -> None:
        with self.lock:
            self.claims[digest] = (keys.ring(), claims)
            while len(self.claims) > self.size:
                self.claims.popitem(last=False)


_verified = _Verified()


def access_claims(text: str, now: float) -> Claims | None:
    """The claims of a valid access token, None for anything else. Says nothing about revocation."""
    if len(text) > MAX_LENGTH:
        return None
    digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
    claims = _verified.get(digest)
    if claims is None:
        claims = _claims(AccessToken, text)
        if claims is None:
            return None
        _verified.keep(digest, claims)
    return claims if claims["exp"] > now else None


def refresh_claims(text: str) -> Claims | None:
    """The claims of a valid refresh token, None for anything else."""
    return _claims(RefreshToken, text) if len(text) <= MAX_LENGTH else None


def _claims(kind: type[AccessToken] | type[RefreshToken], text: str) -> Claims | None:
    try:
        return kind(text).payload  # type: ignore[arg-type]
    except (TokenError, OverflowError):
        return None
