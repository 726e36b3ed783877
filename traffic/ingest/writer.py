"""Group commit: what arrives while one batch is committed becomes the next batch.

The event loop collects, one thread writes. A lonely visit waits for nobody; under load a commit carries hundreds.
"""

import asyncio
import logging
import sys
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from django.db import InterfaceError, OperationalError, connection

from config.errors import TooManyRequests, Unavailable
from traffic.ingest.ledger import Answer, Ask, Ledger

log = logging.getLogger("waymark.traffic")
TURN = 0.0005
MOST_WAITING, MOST_AT_ONCE, MOST_BLOCKED = 5_000, 500, 10_000
Waiting = tuple[Ask, "asyncio.Future[Answer]"]


class NotStored(Unavailable):
    """The database refuses, or too many visits wait."""

    detail = "Visits cannot be stored right now."

    def __init__(self) -> None:
        super().__init__()
        self.headers = {"Retry-After": "1"}


def store(ledger: Ledger, asks: Sequence[Ask]) -> list[Answer]:
    """Write these asks; a batch that fails is split until only what cannot be stored is left out.

    A lost connection is tried once more, unless it was lost while committing: nobody knows what became of that.
    """
    try:
        return ledger.write(asks)
    except (OperationalError, InterfaceError):
        connection.close()
        return _refused(asks) if ledger.uncertain else _once_more(ledger, asks)
    except Exception:  # a row that cannot be stored, whatever the reason, takes no other down with it
        if len(asks) == 1:
            return _refused(asks)
    half = len(asks) // 2
    return store(ledger, asks[:half]) + store(ledger, asks[half:])


def _once_more(ledger: Ledger, asks: Sequence[Ask]) -> list[Answer]:
    try:
        return ledger.write(asks)
    except (OperationalError, InterfaceError):
        connection.close()
        return _refused(asks)


def _refused(asks: Sequence[Ask]) -> list[Answer]:
    log.exception("%d visits were not stored", sum(len(ask.arrivals) for ask in asks))
    return [NotStored() for _ in asks]


class Writer:
    """The only place of a process where visits wait. Used from its event loop only."""

    def __init__(self) -> None:
        self.waiting: deque[Waiting] = deque()
        self.visits = 0
        self.blocked: dict[str, float] = {}
        self.arrived = asyncio.Event()
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="visits")
        self.ledger: Ledger | None = None
        # The thread waits this long at most for its turn beside a busy loop; by default it would be ten times longer.
        sys.setswitchinterval(TURN)
        self.task = asyncio.get_running_loop().create_task(self._run())

    def put(self, ask: Ask) -> "asyncio.Future[Answer]":
        """Queue an ask; what it gets is known when it is durable, or refused."""
        self._check_blocked(ask.throttled)
        if self.visits + len(ask.arrivals) > MOST_WAITING:
            raise NotStored
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.waiting.append((ask, future))
        self.visits += len(ask.arrivals)
        self.arrived.set()
        return future

    def _check_blocked(self, address: str | None) -> None:
        """An address found over its quota is not asked about again until its minute has ended."""
        until = self.blocked.get(address) if address else None
        if until is not None and until > time.monotonic():
            raise TooManyRequests(max(1, round(until - time.monotonic())))

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self.arrived.wait()
            batch = self._take()
            answers = await loop.run_in_executor(self.thread, self._write, [ask for ask, _ in batch])
            for (ask, future), answer in zip(batch, answers, strict=True):
                self.visits -= len(ask.arrivals)
                if isinstance(answer, TooManyRequests) and ask.throttled:
                    self._block(ask.throttled, int(answer.headers["Retry-After"]))
                if not future.done():  # whoever asked may have gone
                    future.set_result(answer)

    def _take(self) -> list[Waiting]:
        """All that waits, up to the size of a batch."""
        batch: list[Waiting] = []
        visits = 0
        while self.waiting and (not batch or visits + len(self.waiting[0][0].arrivals) <= MOST_AT_ONCE):
            batch.append(self.waiting.popleft())
            visits += len(batch[-1][0].arrivals)
        if not self.waiting:
            self.arrived.clear()
        return batch

    def _write(self, asks: list[Ask]) -> list[Answer]:
        if self.ledger is None:
            self.ledger = Ledger()
        return store(self.ledger, asks)

    def _block(self, address: str, seconds: int) -> None:
        if len(self.blocked) >= MOST_BLOCKED:
            self.blocked.clear()
        self.blocked[address] = time.monotonic() + seconds
