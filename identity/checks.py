"""System checks of what tokens are made with."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from identity import keys

SHORTEST_RSA = 2048
QR_SECONDS, QR_SECONDS_IN_DEVELOPMENT = range(5, 31), range(5, 301)


def _signing_keys() -> Iterator[CheckMessage]:
    files = keys.KeyFiles.configured()
    try:
        ring = keys.load(files)
    except keys.KeysUnreadable as error:
        yield Error(
            f"{error}; run `manage.py generate_keys`, or set JWT_PRIVATE_KEY_PATH.", id="waymark.E005"
        )
        return
    if ring.current.key_size < SHORTEST_RSA:
        message = "The key set as JWT_PRIVATE_KEY_PATH has less than 2048 bits; run `generate_keys --force`."
        yield Error(message, id="waymark.E006")
    if keys.readable_by_others(files.private):
        message = "The key at JWT_PRIVATE_KEY_PATH can be read by others; set its mode to 0600."
        yield Warning(message, id="waymark.W001")


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


@register("waymark")
def token_configuration(app_configs: Sequence[Any] | None, **options: Any) -> list[CheckMessage]:
    """Development makes missing keys at their first use; production needs them before it starts."""
    return [*_token_rules(), *([] if settings.DEBUG else _signing_keys())]
