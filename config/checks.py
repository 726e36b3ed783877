"""System checks: weak configuration stops the start with one sentence that says what to set."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from identity import keys

LONG, VARIED = 32, 8  # characters, and different ones among them
SHORTEST_RSA = 2048
QR_SECONDS, QR_SECONDS_IN_DEVELOPMENT = range(5, 31), range(5, 301)


def weak(secret: str) -> bool:
    """Too short or too uniform to be a random secret."""
    return len(secret) < LONG or len(set(secret)) < VARIED or secret.startswith("django-insecure")


def _secrets() -> Iterator[CheckMessage]:
    random = "a random text of at least 32 characters"
    if weak(settings.SECRET_KEY):
        yield Error(f"SECRET_KEY is missing or weak; set it to {random}.", id="waymark.E001")
    if not settings.ALLOWED_HOSTS:
        message = "ALLOWED_HOSTS is empty; set it to the names under which this site is reached."
        yield Error(message, id="waymark.E002")
    rings = {"PII_ENCRYPTION_KEYS": "waymark.E003", "PII_INDEX_KEYS": "waymark.E004"}
    for name, number in rings.items():
        ring = getattr(settings, name)
        if not ring or any(weak(key) for key in ring):
            yield Error(f"{name} is missing or holds a weak key; set it to {random}.", id=number)


def _signing_keys() -> Iterator[CheckMessage]:
    make = "run `manage.py generate_keys`, or set"
    try:
        ring = keys.load(keys.KeyFiles.configured())
    except keys.KeysUnreadable as error:
        yield Error(f"{error}; {make} JWT_PRIVATE_KEY_PATH.", id="waymark.E005")
    else:
        if ring.current.key_size < SHORTEST_RSA:
            message = (
                "The key at JWT_PRIVATE_KEY_PATH is shorter than 2048 bits; run `generate_keys --force`."
            )
            yield Error(message, id="waymark.E006")
        if keys.readable_by_others(keys.KeyFiles.configured().private):
            message = "The key at JWT_PRIVATE_KEY_PATH can be read by others; set its mode to 0600."
            yield Warning(message, id="waymark.W001")
    if not _opens(Path(settings.TRAIL_SIGNING_KEY_PATH)):
        message = f"No Ed25519 key can be read at {settings.TRAIL_SIGNING_KEY_PATH}"
        yield Error(f"{message}; {make} TRAIL_SIGNING_KEY_PATH.", id="waymark.E007")


def _opens(path: Path) -> bool:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        return False
    return isinstance(key, Ed25519PrivateKey)


def _token_rules() -> Iterator[CheckMessage]:
    if settings.JWT_ALGORITHM != "RS256":
        yield Error("ALGORITHM is not RS256, the only one there is; unset it.", id="waymark.E008")
    seconds = settings.EPHEMERAL_TOKEN_EXPIRE_SECONDS
    allowed = QR_SECONDS_IN_DEVELOPMENT if settings.DEBUG else QR_SECONDS
    if seconds not in allowed:
        message = f"EPHEMERAL_TOKEN_EXPIRE_SECONDS is {seconds}; set it to 5..{allowed[-1]}."
        yield Error(message, id="waymark.E009")
    elif seconds not in QR_SECONDS:
        message = (
            f"QR codes live {seconds} seconds; set EPHEMERAL_TOKEN_EXPIRE_SECONDS to 5..30 in production."
        )
        yield Warning(message, id="waymark.W002")


def _demo() -> Iterator[CheckMessage]:
    if settings.DEMO_FEED not in ("", "0", "force"):
        message = "DEMO_FEED writes invented events; unset it, or set it to `force` if that is wanted."
        yield Error(message, id="waymark.E010")


@register("waymark")
def configuration(app_configs: Sequence[Any] | None, **options: Any) -> list[CheckMessage]:
    """Everything that must be right before a process serves; development makes what is missing by itself."""
    found = list(_token_rules())
    if not settings.DEBUG:
        found += [*_secrets(), *_signing_keys(), *_demo()]
    return found
