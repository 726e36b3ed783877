"""The short-lived token behind a QR code (punch.md 3.1): signing, reading, drawing. Knows no database.

RS256 with the platform's key; the header names the key (`kid`) and nothing else in it is believed.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import jwt
import segno
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

ALGORITHM, KIND = "RS256", "ephemeral_qr"
QUIET_ZONE = 4
FindKey = Callable[[str], RSAPublicKey | None]
# claims are judged one by one below, in the order that kiosk screens rely on
ONLY_SIGNATURE = {f"verify_{claim}": False for claim in ("exp", "iat", "nbf", "aud", "iss", "sub", "jti")}


class NotGenuine(Exception):
    """Not a token that this platform signed."""


class WrongKind(Exception):
    """Signed here, but for another purpose."""


class Incomplete(Exception):
    """A claim is absent or of the wrong type."""


class Expired(Exception):
    """Its time is over; carries the claims, which are proven."""

    def __init__(self, claims: "Claims") -> None:
        super().__init__("expired")
        self.claims = claims


@dataclass(frozen=True, slots=True)
class Claims:
    """What a genuine token says."""

    user_id: int
    device_id: int
    nonce: str
    jti: str
    issued_at: datetime
    expires_at: datetime

    @classmethod
    def fresh(cls, user_id: int, device_id: int, now: datetime, seconds: int) -> "Claims":
        issued = now.replace(microsecond=0)
        expires = issued + timedelta(seconds=seconds)
        return cls(user_id, device_id, str(uuid.uuid4()), str(uuid.uuid4()), issued, expires)

    @property
    def life(self) -> int:
        """Seconds from issue to expiry."""
        return int((self.expires_at - self.issued_at).total_seconds())


def signed(claims: Claims, key: RSAPrivateKey, kid: str) -> str:
    """The token that says so."""
    payload = {
        "sub": str(claims.user_id),
        "device_id": claims.device_id,
        "nonce": claims.nonce,
        "jti": claims.jti,
        "iat": int(claims.issued_at.timestamp()),
        "exp": int(claims.expires_at.timestamp()),
        "typ": KIND,
        "type": KIND,
    }
    return jwt.encode(payload, key, algorithm=ALGORITHM, headers={"kid": kid})


def _genuine(text: str, find_key: FindKey) -> dict[str, Any]:
    try:
        kid = jwt.get_unverified_header(text).get("kid")
        key = find_key(kid) if isinstance(kid, str) else None
        if key is None:
            raise NotGenuine
        return jwt.decode(text, key, algorithms=[ALGORITHM], options=ONLY_SIGNATURE)  # type: ignore[arg-type]
    except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError) as error:
        raise NotGenuine from error


def _whole(value: Any, highest: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= highest:
        raise Incomplete
    return value


def _claims(payload: dict[str, Any]) -> Claims:
    sub, nonce, jti = payload.get("sub"), payload.get("nonce"), payload.get("jti")
    for text in (sub, nonce, jti):
        if not isinstance(text, str) or not 0 < len(text) <= 36:
            raise Incomplete
    if not (sub.isascii() and sub.isdigit()):  # type: ignore[union-attr]
        raise Incomplete
    moments = [datetime.fromtimestamp(_whole(payload.get(name), 2**35), UTC) for name in ("iat", "exp")]
    return Claims(
        _whole(int(sub), 2**63 - 1),  # type: ignore[arg-type]
        _whole(payload.get("device_id"), 2**63 - 1),
        nonce,  # type: ignore[arg-type]
        jti,  # type: ignore[arg-type]
        *moments,
    )


def read(text: str, find_key: FindKey, now: datetime) -> Claims:
    """What a token says; NotGenuine, WrongKind, Incomplete or Expired, judged in this order."""
    payload = _genuine(text, find_key)
    if payload.get("typ") != KIND or payload.get("type") != KIND:
        raise WrongKind
    claims = _claims(payload)
    if claims.expires_at <= now:
        raise Expired(claims)
    return claims


def as_svg(text: str) -> str:
    """The code as an SVG element without size of its own: black on white, level L, quiet zone of 4 modules."""
    drawing = BytesIO()
    segno.make_qr(text, error="l", boost_error=False).save(
        drawing,
        kind="svg",
        border=QUIET_ZONE,
        dark="#000",
        light="#fff",
        xmldecl=False,
        svgns=True,
        omitsize=True,
        nl=False,
    )
    return drawing.getvalue().decode()
