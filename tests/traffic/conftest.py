"""Visits in the making."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.conftest import chromium  # noqa: F401 - a fixture
from traffic.arrivals import Arrival, Reporter, read_visit
from traffic.ingest import Ask, Ledger

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def visit(user: str = "u1", page: str = "https://example.org/a", **fields: Any) -> Arrival:
    """A visit as somebody reports it."""
    body = {"user_id": user, "page_url": page, "user_agent": FIREFOX, **fields}
    return read_visit(json.dumps(body).encode(), Reporter("curl/8.5.0", "203.0.113.9"))


@pytest.fixture
def log(db: None) -> Callable[..., list[Any]]:
    """Store some visits in one batch with a writer of its own; the answers."""

    def store(*arrivals: Arrival) -> list[Any]:
        return Ledger().write([Ask([arrival]) for arrival in arrivals])

    return store


@pytest.fixture(autouse=True)
def _no_warm_caches() -> Iterator[None]:
    from traffic.ingest import quota

    quota._within.cache_clear()
    return
