"""The key that signs the seals of the trail, and those that are trusted; files and settings, never the database."""

from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from activity.sealing import key_id, public_key
from config.generated import write_once


class KeyUnreadable(Exception):
    """There is no Ed25519 key where the settings say."""


@lru_cache(maxsize=4)
def _read(path: Path, changed: int) -> Ed25519PrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnreadable(f"{path} holds no Ed25519 key")
    return key


def make_key(path: Path) -> None:
    """A new private key at this path, unless there is one."""
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    pem = Ed25519PrivateKey.generate().private_bytes(encoding, form, serialization.NoEncryption())
    write_once(path, pem)


def signing_key() -> Ed25519PrivateKey:
    """The private key; a development machine makes its own."""
    path = Path(settings.TRAIL_SIGNING_KEY_PATH)
    if settings.DEBUG and not path.exists():
        make_key(path)
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (OSError, ValueError) as error:
        raise KeyUnreadable(f"No Ed25519 key can be read at {path}") from error


Keys = dict[str, Ed25519PublicKey]


def trusted_keys() -> Keys:
    """The public halves of the present key and of those in `TRAIL_TRUSTED_KEYS`, by their id."""
    keys = [signing_key().public_key(), *map(public_key, settings.TRAIL_TRUSTED_KEYS)]
    return {key_id(key): key for key in keys}
