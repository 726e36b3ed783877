"""Personal data at rest: authenticated encryption bound to its place, and blind indexes for exact search.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce. The context (table, column, row) is the associated
data, so a ciphertext moved elsewhere does not open. A sealed text is `v1.<key id>.<base64 of nonce + ciphertext>`.
Rings of keys are newest first: the first one seals, all of them open.
"""

import base64
import hashlib
import hmac
import os
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PREFIX = "v1"


class CannotOpen(Exception):
    """No key of the ring opens this text in this place."""


@lru_cache(maxsize=32)
def _cipher(key: str) -> tuple[str, AESGCM]:
    """The short name of a key and its cipher."""
    material = hashlib.sha256(b"waymark personal data\0" + key.encode()).digest()
    return hashlib.sha256(b"waymark key id\0" + material).hexdigest()[:8], AESGCM(material)


def seal(text: str, context: str, ring: Sequence[str]) -> str:
    """Encrypt a text for one place."""
    key_id, cipher = _cipher(ring[0])
    nonce = os.urandom(12)
    sealed = nonce + cipher.encrypt(nonce, text.encode(), context.encode())
    return f"{PREFIX}.{key_id}.{base64.b64encode(sealed).decode()}"


def open_sealed(sealed: str, context: str, ring: Sequence[str]) -> str:
    """The text again; CannotOpen if it was altered, moved, or its key is not in the ring."""
    try:
        prefix, key_id, body = sealed.split(".")
        raw = base64.b64decode(body, validate=True)
    except ValueError as error:
        raise CannotOpen("not a sealed text") from error
    for key in ring:
        name, cipher = _cipher(key)
        if prefix == PREFIX and name == key_id:
            try:
                return cipher.decrypt(raw[:12], raw[12:], context.encode()).decode()
            except InvalidTag as error:
                raise CannotOpen("altered, or moved from its place") from error
    raise CannotOpen(f"key {key_id} is not in the ring")


def sealed_by(sealed: str, key: str) -> bool:
    """Whether a sealed text names this key as the one that sealed it."""
    return sealed.startswith(f"{PREFIX}.{_cipher(key)[0]}.")


def normalised(text: str) -> str:
    """What counts as the same name: without regard to case, composition and blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def blind_index(text: str, purpose: str, key: str) -> str:
    """HMAC-SHA-256 of the normalised text: equal texts can be found without being readable."""
    return hmac.new(key.encode(), f"{purpose}\0{normalised(text)}".encode(), hashlib.sha256).hexdigest()
