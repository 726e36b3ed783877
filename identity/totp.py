"""One-time codes by RFC 6238 (SHA-1, 6 digits, 30 s, one step of tolerance) and recovery codes. Pure."""

import hashlib
import hmac
import secrets
from datetime import datetime

import pyotp

STEP_SECONDS, TOLERANCE = 30, 1
RECOVERY_CODES, GROUPS, GROUP_LENGTH = 8, 4, 4
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # no letter that looks like a digit; 5 bits each, 80 in all


def new_secret() -> str:
    """160 random bits in base32, as RFC 4226 recommends."""
    return pyotp.random_base32(32)


def address(secret: str, login: str) -> str:
    """The `otpauth:` address that authenticator apps read from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name="Waymark")


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """The time step whose code this is, looking one step to either side; None if it is no code of now."""
    clock = pyotp.TOTP(secret)
    current = int(now.timestamp()) // STEP_SECONDS
    matching = [
        step
        for step in range(current - TOLERANCE, current + TOLERANCE + 1)
        if hmac.compare_digest(clock.generate_otp(step).encode(), code.encode("utf-8", "replace"))
    ]
    return matching[-1] if matching else None


def new_recovery_codes() -> list[str]:
    return [
        "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
        for _ in range(RECOVERY_CODES)
    ]


def compact(code: str) -> str:
    """A typed code without blanks and dashes, in capitals."""
    return "".join(code.split()).replace("-", "").upper()


def digest(code: str, owner: str) -> str:
    """How a recovery code is kept; 80 random bits need no slow hash."""
    return hashlib.sha256(f"{owner}\0{compact(code)}".encode("utf-8", "replace")).hexdigest()
