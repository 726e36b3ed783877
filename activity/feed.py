"""The live feed: one follower a process reads what is new in the trail and hands it to all readers of the process.

The table is the truth: the follower looks every `SECONDS`, and sooner when it is woken. Each row is encoded once.
Each reader has an outbox of its own, so that a slow one keeps nobody waiting.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

from rest_framework.utils.encoders import JSONEncoder

from activity import wakes
from activity.ledger import Ledger
from activity.queries import following
from activity.queries.matching import Matcher, matcher
from activity.queries.search import Filter
from config.lanes import Lane
from config.sockets import Outbox

log = logging.getLogger("waymark.feed")
SECONDS = 0.5  # between two looks without a wake
SOON = 0.1  # between two looks while a number is waited for
REST = 0.02  # between two looks at least
WAITING = 1000  # rows that may wait for one reader, or for the follower
TOGETHER = 200  # rows in one frame
lane = Lane("feed")
replays = Lane("feed replay")


class Row:
    """A row of the trail and its text on the wire."""

    __slots__ = ("sequence", "text", "values")

    def __init__(self, values: dict[str, Any]) -> None:
        self.sequence: int = values["sequence"]
        self.values = values
        self.text = json.dumps(values, cls=JSONEncoder, separators=(",", ":"), ensure_ascii=False)


def _frame(texts: Sequence[str]) -> str:
    if len(texts) == 1:
        return f'{{"type":"row","row":{texts[0]}}}'
    return f'{{"type":"rows","rows":[{",".join(texts)}]}}'


@lru_cache(maxsize=4)  # one burst makes the same few frames for all readers
def _frame_of(rows: tuple[Row, ...]) -> str:
    return _frame([row.text for row in sorted(rows, key=lambda row: row.sequence)])


class RowOutbox(Outbox):
    """Rows on their way to one reader, oldest first; what does not find room is named by a gap at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: deque[Row] = deque()
        self.gap: tuple[int, int] | None = None

    def add(self, row: Row) -> None:
        if self.gap is not None or len(self.rows) >= WAITING:
            self.skip(row.sequence, row.sequence)
        else:
            self.rows.append(row)
            self.filled.set()

    def skip(self, first: int, last: int) -> None:
        """These are not sent; the reader may fetch them."""
        known = self.gap or (first, last)
        self.gap = min(first, known[0]), max(last, known[1])
        self.filled.set()

    def keep(self, wanted: Matcher) -> None:
        """Of what waits, send only this."""
        self.rows = deque(row for row in self.rows if wanted(row.values))

    def clear(self) -> None:
        self.rows.clear()
        self.gap = None

    def take(self) -> str | None:
        """Answers first, then rows, then the gap behind them."""
        if self.frames:
            return super().take()
        if self.rows:
            return _frame_of(tuple(self.rows.popleft() for _ in range(min(TOGETHER, len(self.rows)))))
        if self.gap is not None:
            (first, last), self.gap = self.gap, None
            return json.dumps({"type": "gap", "from": first, "to": last}, separators=(",", ":"))
        return None


class Reader:
    """One socket's share of the feed."""

    def __init__(self, outbox: RowOutbox) -> None:
        self.outbox = outbox
        self.wanted: Matcher = matcher(Filter())
        self.held: list[Row] | None = None  # what came while a replay was read
        self.replayed: set[int] = set()  # of what was replayed, that which is still to come by the follower

    def hand(self, rows: Iterable[Row]) -> None:
        """New rows of the trail."""
        for row in rows:
            if row.sequence in self.replayed:
                self.replayed.discard(row.sequence)
            elif self.wanted(row.values):
                if self.held is None:
                    self.outbox.add(row)
                else:
                    self.held.append(row)

    def choose(self, asked: Filter) -> None:
        """From now on only these rows."""
        self.wanted = matcher(asked)
        self.outbox.keep(self.wanted)

    async def replay(self, asked: Filter, after: int, follower: "Follower") -> None:
        """Only these rows, and first again those after a number, each once."""
        self.wanted, self.held = matcher(asked), []
        self.outbox.clear()
        try:
            values = await replays.ask(following.replayed, asked, after, WAITING + 1)
        finally:
            came, self.held = self.held, None
        numbers = {row["sequence"] for row in values}
        self.replayed = {number for number in numbers if follower.awaits(number)}
        for row in map(Row, values[:WAITING]):
            self.outbox.add(row)
        if len(values) > WAITING:
            self.outbox.skip(values[WAITING]["sequence"], max(follower.position, values[WAITING]["sequence"]))
        for row in came:
            if row.sequence not in numbers:
                self.outbox.add(row)


class Follower:
    """Follows the trail as long as somebody in this event loop reads."""

    def __init__(self) -> None:
        self.readers: set[Reader] = set()
        self.joining: list[tuple[Reader, asyncio.Future[int]]] = []
        self.ledger: Ledger | None = None
        self.woken = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    @property
    def position(self) -> int:
        """What comes after this number is still to be handed out."""
        assert self.ledger is not None
        return self.ledger.top

    def awaits(self, number: int) -> bool:
        assert self.ledger is not None
        return self.ledger.awaits(number)

    async def join(self, reader: Reader) -> int:
        """Let a reader in; it gets every row that appears after the number returned, the newest of this moment."""
        joined: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.joining.append((reader, joined))
        self.woken.set()
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._follow())
        return await joined

    def leave(self, reader: Reader) -> None:
        self.readers.discard(reader)
        self.woken.set()

    async def _follow(self) -> None:
        bell = wakes.attach()
        bell.listeners.add(self.woken.set)
        hearing = asyncio.create_task(bell.listen())
        try:
            while self.readers or self.joining:
                await self._once()
        finally:
            self.ledger = None
            hearing.cancel()
            bell.listeners.discard(self.woken.set)

    async def _once(self) -> None:
        """One look, whoever asked to join before it, and the pause until the next."""
        self.woken.clear()
        joining, self.joining = self.joining, []
        try:
            await self._look()
        except Exception:  # a database that is away, or a row nobody foresaw: the next look may go better
            log.exception("The trail could not be followed")
            self.joining += joining
            await asyncio.sleep(SECONDS)
            return
        for reader, joined in joining:
            if not joined.done():
                self.readers.add(reader)
                joined.set_result(self.position)
        await self._pause()

    async def _pause(self) -> None:
        """Until it is time to look again; a short rest follows each wake, so that many wakes make few looks."""
        assert self.ledger is not None
        with suppress(TimeoutError):
            await asyncio.wait_for(self.woken.wait(), SOON if self.ledger.missing else SECONDS)
        await asyncio.sleep(REST)

    async def _look(self) -> None:
        """Hand out what has appeared since the last look."""
        if self.ledger is None:
            await self._begin()
        assert self.ledger is not None
        if self.ledger.holes:
            await self._look_into_holes(self.ledger)
        found = await lane.ask(following.rows_after, self.ledger.top, WAITING + 1)
        if len(found) > WAITING:
            await self._skip(found[0]["sequence"])
            return
        shown = self.ledger.show([row["sequence"] for row in found], monotonic())
        self._hand([Row(values) for values in found[:shown]])

    async def _begin(self) -> None:
        recent = await lane.ask(following.recent_numbers, WAITING)
        self.ledger = Ledger.from_here(recent, recent[0] - 1 if recent else 0, monotonic())

    async def _look_into_holes(self, ledger: Ledger) -> None:
        late = await lane.ask(following.rows_in, list(ledger.holes))
        ledger.fill(row["sequence"] for row in late)
        ledger.forget(monotonic())
        self._hand([Row(values) for values in late])

    async def _skip(self, first: int) -> None:
        """More rows than readers can take are left for them to fetch."""
        assert self.ledger is not None
        recent = await lane.ask(following.recent_numbers, WAITING)
        holes = self.ledger.holes
        self.ledger = Ledger.from_here(recent, recent[0] - 1, monotonic())
        self.ledger.holes += holes
        for reader in self.readers:
            reader.outbox.skip(first, self.ledger.top)

    def _hand(self, rows: list[Row]) -> None:
        if rows:
            for reader in self.readers:
                reader.hand(rows)


_followers: WeakKeyDictionary[asyncio.AbstractEventLoop, Follower] = WeakKeyDictionary()


def follower() -> Follower:
    """That of the running event loop; a process that serves has one."""
    loop = asyncio.get_running_loop()
    if loop not in _followers:
        _followers[loop] = Follower()
    return _followers[loop]
