"""What a kiosk's API key looks like (punch.md 3.3): `<12 of a-z0-9>.<43 url-safe characters>`. Pure."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

KEY_ID = re.compile(r"([a-z0-9]{12})\.")
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
DUMMY = hashlib.sha256(b"no such key").hexdigest()


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it is shown once; kept are `key_id` and `digest`."""

    key_id: str
    text: str

    @property
    def digest(self) -> str:
        return digest_of(self.text)


def new_key() -> NewKey:
    """A fresh key with 32 random bytes."""
    key_id = "".join(secrets.choice(ALPHABET) for _ in range(12))
    return NewKey(key_id, f"{key_id}.{secrets.token_urlsafe(32)}")


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def key_id_of(text: str) -> str | None:
    """The public half of a key, be the rest right or not; None for what cannot be one."""
    found = KEY_ID.match(text)
    return found[1] if found else None


def opens(text: str, digest: str | None) -> bool:
    """Whether a key is the one with this digest; takes as long when there is none."""
    return hmac.compare_digest(digest_of(text), digest or DUMMY) and digest is not None
