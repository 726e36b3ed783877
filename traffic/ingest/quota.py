"""How many visits an address may report a minute, counted in the transaction that stores them.

The windows are those of `config.throttles`, raised for a whole batch by one statement.
"""

import hashlib
import ipaddress
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import connection

from config.errors import Refusal, TooManyRequests

if TYPE_CHECKING:
    from traffic.ingest.ledger import Ask

WINDOW = 60
RAISE = """
INSERT INTO config_ratewindow (key, seconds, started_at, count) VALUES {rows}
ON CONFLICT (key, seconds) DO UPDATE SET
  count = CASE WHEN config_ratewindow.started_at <= excluded.started_at - config_ratewindow.seconds
          THEN excluded.count ELSE config_ratewindow.count + excluded.count END,
  started_at = CASE WHEN config_ratewindow.started_at <= excluded.started_at - config_ratewindow.seconds
               THEN excluded.started_at ELSE config_ratewindow.started_at END
RETURNING key, count, started_at
"""


@lru_cache(maxsize=4096)
def _within(address: str, networks: tuple[str, ...]) -> bool:
    return any(
        ipaddress.ip_address(address) in ipaddress.ip_network(entry, strict=False) for entry in networks
    )


def exempt(address: str | None) -> bool:
    """Whether visits from this address are not counted."""
    return address is None or not settings.VISIT_RATE or _within(address, tuple(settings.VISIT_RATE_EXEMPT))


def _key(address: str) -> str:
    return f"visit:{hashlib.sha256(address.encode()).hexdigest()[:32]}"


def _raised(amounts: Mapping[str, int], now: float) -> dict[str, tuple[int, float]]:
    """Key → how many it has now, and when its window began. In sorted order: see `engines`."""
    rows = ", ".join(["(%s, %s, %s, %s)"] * len(amounts))
    values = [value for key in sorted(amounts) for value in (key, WINDOW, now, amounts[key])]
    with connection.cursor() as cursor:
        cursor.execute(RAISE.format(rows=rows), values)
        return {key: (count, started) for key, count, started in cursor.fetchall()}


def over(asks: "Sequence[Ask]", now: float) -> dict[int, Refusal]:
    """Which of these asks are too many, by position; their attempts count too."""
    amounts: dict[str, int] = {}
    for ask in asks:
        if ask.throttled is not None:
            key = _key(ask.throttled)
            amounts[key] = amounts.get(key, 0) + len(ask.arrivals)
    if not amounts:
        return {}
    windows = _raised(amounts, now)
    used = {key: count - amounts[key] for key, (count, _) in windows.items()}
    refused: dict[int, Refusal] = {}
    for position, ask in enumerate(asks):
        if ask.throttled is not None:
            key = _key(ask.throttled)
            used[key] += len(ask.arrivals)
            if used[key] > settings.VISIT_RATE:
                left = windows[key][1] + WINDOW - now
                refused[position] = TooManyRequests(max(1, math.ceil(left)))
    return refused
