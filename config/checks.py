"""System checks: weak configuration stops the start with one sentence that says what to set."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

LONG, VARIED = 32, 8  # characters, and different ones among them


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


def _trail_key() -> Iterator[CheckMessage]:
    if not _opens(Path(settings.TRAIL_SIGNING_KEY_PATH)):
        message = f"No Ed25519 key can be read at {settings.TRAIL_SIGNING_KEY_PATH}"
        yield Error(
            f"{message}; run `manage.py generate_keys`, or set TRAIL_SIGNING_KEY_PATH.", id="waymark.E007"
        )


def _opens(path: Path) -> bool:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        return False
    return isinstance(key, Ed25519PrivateKey)


def _demo() -> Iterator[CheckMessage]:
    if settings.DEMO_FEED not in ("", "0", "force"):
        message = "DEMO_FEED writes invented events; unset it, or set it to `force` if that is wanted."
        yield Error(message, id="waymark.E010")


@register("waymark", deploy=True)
def open_doors(app_configs: Sequence[Any] | None, **options: Any) -> list[CheckMessage]:
    """What is allowed, but should be known to whoever deploys."""
    if not settings.ACTIVITY_GUEST_NETWORKS:
        return []
    message = "ACTIVITY_GUEST_NETWORKS lets whole networks read the trail without credentials; unset it."
    return [Warning(message, id="waymark.W020")]


@register("waymark")
def configuration(app_configs: Sequence[Any] | None, **options: Any) -> list[CheckMessage]:
    """Everything that must be right before a process serves; development makes what is missing by itself."""
    return [] if settings.DEBUG else [*_secrets(), *_trail_key(), *_demo()]
