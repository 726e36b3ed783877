"""One batch, one transaction: rows, roll-ups, visitors, the total; then every visit has its number."""

import ipaddress
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.conf import settings
from django.db import transaction

from config.errors import Refusal
from traffic.arrivals import Arrival
from traffic.ingest import quota
from traffic.ingest.engines import engine, utc_now
from traffic.ingest.memory import Memory
from traffic.ingest.tally import Batch, KnownSite, tally, visitors


@dataclass(slots=True)
class Ask:
    """Visits to store together or not at all, and who is throttled for them (None: nobody)."""

    arrivals: Sequence[Arrival]
    throttled: str | None = None


Answer = int | Refusal  # the number of the last visit of an ask, or why none was stored


@lru_cache(maxsize=4096)
def kept_address(address: str | None, how: str) -> str | None:
    """What is stored of an address: all of it, its network (/24 or /48), or nothing."""
    if address is None or how == "none":
        return None
    if how == "full":
        return address
    length = 48 if ":" in address else 24
    return str(ipaddress.ip_network(f"{address}/{length}", strict=False).network_address)


class Ledger:
    """Writes batches through the connection of the thread it is used in, and remembers what it met."""

    def __init__(self) -> None:
        self.engine = engine()
        self.memory = Memory(self.engine.lock)
        self.last: datetime | None = None
        self.uncertain = False

    def write(self, asks: Sequence[Ask]) -> list[Answer]:
        """Store these asks in one transaction. Where it fails, nothing is stored and nothing remembered.

        After a failure `uncertain` says whether it was the commit that failed, so that nobody can know its end.
        """
        self.uncertain = False
        try:
            with self._transaction() as now:
                answers, batch = self._stored(asks, now)
                self.uncertain = True
        except BaseException:
            self.memory.forget()
            raise
        self.uncertain = False
        if batch:
            self.memory.stored(batch.seen, batch.visitors)
        return answers

    @contextmanager
    def _transaction(self) -> Iterator[datetime]:
        """Yields the moment of the batch, taken where no other batch of this process can come before it."""
        with self.engine.turn(), transaction.atomic():
            now = utc_now()
            self.last = now = max(now, self.last or now)
            yield now

    def _stored(self, asks: Sequence[Ask], now: datetime) -> tuple[list[Answer], Batch | None]:
        refused = quota.over(asks, now.timestamp())
        arrivals = [a for i, ask in enumerate(asks) if i not in refused for a in ask.arrivals]
        if not arrivals:
            return [refused[i] for i in range(len(asks))], None
        batch = self._batch(arrivals, now)
        number = self.engine.store(batch) - len(arrivals)
        answers: list[Answer] = []
        for i, ask in enumerate(asks):
            if i in refused:
                answers.append(refused[i])
            else:
                number += len(ask.arrivals)
                answers.append(number)
        return answers, batch

    def _batch(self, arrivals: Sequence[Arrival], now: datetime) -> Batch:
        memory = self.memory
        memory.turn(now)
        sites: list[KnownSite] = memory.sites_of([a.host for a in arrivals], now)
        counted = tally(arrivals, sites)
        labels = memory.labels_for(counted.texts)
        hours: dict[tuple[int, str, int], list[int]] = {}
        for key, (people, bots) in counted.texts.items():
            sums = hours.setdefault((key[0], key[1], labels[key]), [0, 0])
            sums[0] += people
            sums[1] += bots
        return Batch(
            now=now,
            arrivals=arrivals,
            sites=sites,
            addresses=[kept_address(a.address, settings.VISIT_IP) for a in arrivals],
            seen=memory.unseen(counted.sites),
            minutes=sorted((site, sums[0], sums[1]) for site, sums in counted.sites.items()),
            hours=sorted((*key, sums[0], sums[1]) for key, sums in hours.items()),
            visitors=memory.fresh(visitors(memory.salt, arrivals, sites)),
        )
