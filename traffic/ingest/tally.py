"""From arrivals to the numbers that one transaction adds. No database."""

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from traffic.arrivals import ANONYMOUS, Arrival

PAGE, REFERRER, BROWSER, TOTAL = "page", "referrer", "browser", "total"
HASH_LENGTH = 16


class KnownSite(NamedTuple):
    id: int
    host: str


Key = tuple[int, str, str]  # site, kind, text
Counted = list[int]  # visits of people, visits of bots


@dataclass
class Tally:
    """What a batch adds, by site and by text; texts become labels where the tables are known."""

    sites: dict[int, Counted] = field(default_factory=dict)
    texts: dict[Key, Counted] = field(default_factory=dict)


def tally(arrivals: Sequence[Arrival], sites: Sequence[KnownSite]) -> Tally:
    """Count each arrival once for its site and once for its page, its referrer and its browser."""
    counted = Tally()
    by_site, texts = counted.sites, counted.texts
    for arrival, (site, _) in zip(arrivals, sites, strict=True):
        side = 1 if arrival.bot else 0
        for key in (
            (site, PAGE, arrival.path),
            (site, REFERRER, arrival.source),
            (site, BROWSER, arrival.browser),
            (site, TOTAL, ""),
        ):
            if key in texts:
                texts[key][side] += 1
            else:
                texts[key] = [1 - side, side]
        if site in by_site:
            by_site[site][side] += 1
        else:
            by_site[site] = [1 - side, side]
    return counted


def visitor_hash(salt: bytes, host: str, arrival: Arrival) -> bytes:
    """Tells visitors of one site and day apart, and links nobody over days (traffic.md 3.5)."""
    if arrival.user_id == ANONYMOUS:
        who = f"{host}a{arrival.address or ''}{arrival.agent or ''}"
    else:
        who = f"{host}u{arrival.user_id}"
    return hmac.digest(salt, who.encode(), "sha256")[:HASH_LENGTH]


def visitors(salt: bytes, arrivals: Iterable[Arrival], sites: Iterable[KnownSite]) -> set[tuple[int, bytes]]:
    """The people among the arrivals, by site; bots are nobody."""
    return {
        (site.id, visitor_hash(salt, site.host, arrival))
        for arrival, site in zip(arrivals, sites, strict=True)
        if not arrival.bot
    }


@dataclass
class Batch:
    """All that one transaction adds at the moment `now`, each list in the order in which every process goes."""

    now: datetime
    arrivals: Sequence[Arrival]
    sites: Sequence[KnownSite]
    addresses: Sequence[str | None]
    seen: Sequence[int]
    minutes: Sequence[tuple[int, int, int]]
    hours: Sequence[tuple[int, str, int, int, int]]
    visitors: Sequence[tuple[int, bytes]]
