"""The keys that sign tokens: the current pair, the next one (published before it signs), and former public keys.

They are PEM files beside `JWT_PRIVATE_KEY_PATH`, parsed once and read again when the files change, so a rotation
acts in every process. A former key verifies until the longest-lived token it can have signed has expired.
"""

import base64
import hashlib
import json
import os
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from django.conf import settings

from config.generated import write_once

SECONDS_BETWEEN_LOOKS = 0.5
FORMER = "jwt_former_public_key_"


class KeysUnreadable(Exception):
    """The key files are missing or damaged."""


@dataclass(frozen=True)
class KeyFiles:
    """Where one installation keeps its keys."""

    private: Path
    public: Path

    @classmethod
    def configured(cls) -> "KeyFiles":
        return cls(Path(settings.JWT_PRIVATE_KEY_PATH), Path(settings.JWT_PUBLIC_KEY_PATH))

    @classmethod
    def inside(cls, folder: Path) -> "KeyFiles":
        return cls(folder / "jwt_private_key.pem", folder / "jwt_public_key.pem")

    @property
    def next_private(self) -> Path:
        return self.private.with_name("jwt_next_private_key.pem")

    def former(self) -> list[Path]:
        return sorted(self.private.parent.glob(f"{FORMER}*.pem"))


@dataclass(frozen=True)
class KeyRing:
    """The keys as they were at one look at the files; `public` holds every key that verifies, by `kid`."""

    current: RSAPrivateKey
    public: dict[str, RSAPublicKey]

    @cached_property
    def current_id(self) -> str:
        return key_id(self.current.public_key())

    @cached_property
    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys as a JWK Set (RFC 7517)."""
        return {"keys": [as_jwk(key) for key in self.public.values()]}


def _number(value: int) -> str:
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def key_id(key: RSAPublicKey) -> str:
    """The name of a key: its JWK thumbprint (RFC 7638)."""
    numbers = key.public_numbers()
    members = {"e": _number(numbers.e), "kty": "RSA", "n": _number(numbers.n)}
    digest = hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def as_jwk(key: RSAPublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    return {
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "kid": key_id(key),
        "n": _number(numbers.n),
        "e": _number(numbers.e),
    }


def private_pem(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(key: RSAPublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def read_private(path: Path) -> RSAPrivateKey:
    """The RSA key in a file; KeysUnreadable if there is none."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise KeysUnreadable(f"{path} cannot be read as a private key") from error
    if not isinstance(key, RSAPrivateKey):
        raise KeysUnreadable(f"{path} holds no RSA key")
    return key


def _read_public(path: Path) -> RSAPublicKey:
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise KeysUnreadable(f"{path} cannot be read as a public key") from error
    if not isinstance(key, RSAPublicKey):
        raise KeysUnreadable(f"{path} holds no RSA key")
    return key


def make(files: KeyFiles, size: int = 2048) -> None:
    """Make what is missing of current and next pair; several processes at once end up with the same ones."""
    for path in (files.private, files.next_private):
        if not path.exists():
            write_once(path, private_pem(generate_private_key(65537, size)))
    if not files.public.exists():
        write_once(files.public, public_pem(read_private(files.private).public_key()))


def _replace(path: Path, content: bytes) -> None:
    """Put a new content in place of the old one in one step."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    write_once(fresh, content)
    os.replace(fresh, path)


def _retire_current(files: KeyFiles) -> None:
    """Keep the public half of the current key, and forget those that can have signed no living token."""
    public = read_private(files.private).public_key()
    _replace(files.private.with_name(f"{FORMER}{key_id(public)}.pem"), public_pem(public))
    oldest = time.time() - timedelta(days=settings.REFRESH_TOKEN_EXPIRE_DAYS).total_seconds() - 3600
    for path in files.former():
        if path.stat().st_mtime < oldest:
            path.unlink()


def rotate(files: KeyFiles, size: int = 2048) -> None:
    """The next key becomes the current one, a new next key is published.

    In this order no process ever meets a token whose key it does not know: the former key is kept before it
    stops signing, and the new one was published before it starts.
    """
    make(files, size)
    _retire_current(files)
    os.replace(files.next_private, files.private)
    _replace(files.public, public_pem(read_private(files.private).public_key()))
    make(files, size)


def renew(files: KeyFiles, size: int = 2048) -> None:
    """Throw the current and the next pair away; tokens signed so far verify until they expire."""
    if files.private.exists():
        _retire_current(files)
    files.next_private.unlink(missing_ok=True)
    key = generate_private_key(65537, size)
    _replace(files.private, private_pem(key))
    _replace(files.public, public_pem(key.public_key()))
    make(files, size)


def readable_by_others(path: Path) -> bool:
    """Whether anybody but the owner may read a file."""
    return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def load(files: KeyFiles) -> KeyRing:
    """Read all keys; KeysUnreadable if the current one is missing or damaged."""
    current = read_private(files.private)
    public = {key_id(key): key for key in _public_keys(files, current)}
    return KeyRing(current, public)


def _public_keys(files: KeyFiles, current: RSAPrivateKey) -> Iterator[RSAPublicKey]:
    yield current.public_key()
    try:
        yield read_private(files.next_private).public_key()
    except KeysUnreadable:
        if files.next_private.exists():  # absent for a moment during a rotation, never damaged
            raise
    for path in files.former():
        yield _read_public(path)


class _Reader:
    """Remembers the ring, and looks now and then whether the files have changed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ring: KeyRing | None = None
        self.seen: Any = None
        self.looked_at = 0.0

    def read(self, *, now: bool = False) -> KeyRing:
        if self.ring is None or now or time.monotonic() - self.looked_at > SECONDS_BETWEEN_LOOKS:
            with self.lock:
                self._look()
        assert self.ring is not None
        return self.ring

    def _look(self) -> None:
        files = KeyFiles.configured()
        if settings.MAKE_MISSING_KEYS and not (files.private.exists() and files.public.exists()):
            make(files)
        seen = _fingerprint(files)
        if seen != self.seen:
            self.ring = load(files)
            self.seen = seen
        self.looked_at = time.monotonic()


def _fingerprint(files: KeyFiles) -> tuple[Any, ...]:
    paths = [files.private, files.next_private, *files.former()]
    return tuple((path, path.stat().st_mtime_ns, path.stat().st_ino) for path in paths if path.exists())


_reader = _Reader()


def ring(*, now: bool = False) -> KeyRing:
    """The keys of this installation; `now` looks at the files even if that was done a moment ago."""
    return _reader.read(now=now)
