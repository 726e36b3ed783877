"""The whole history, in order of time, in batches; and where each stream stands in between."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import chain
from typing import NamedTuple

from activity.generator import draws
from activity.generator.clock import DAY, HOUR, MINUTE, MINUTES_TEXT, SECONDS_TEXT, day_text
from activity.generator.people import CLOSING, PROVIDERS, Cast
from activity.generator.sessions import (
    BIRTHS_STREAM,
    PROVIDERS_STREAM,
    PersonStream,
    Raw,
    monitors,
)
from activity.generator.shapes import NOBODY, Shape, Who, person_created, provider_created
from activity.generator.thinning import Thinning

VERSION = "1"
LOCAL = "127.0.0.1"
BATCH_ROWS = 10_000
ROWS_IN_A_BUSY_HOUR = 20  # of one person
START_OF_DIGEST = bytes(32)
Cursor = Sequence[int]


# A finished row: its time as ISO 8601 text with microseconds and Z, audit_id, trace_id, source_ip, what, who.
# A plain tuple, because there are millions of them.
Row = tuple[str, str, str, str, Shape, Who]


class Batch(NamedTuple):
    """Rows in order, the moment up to which the history is complete with them, and where people stand then."""

    rows: list[Raw]
    mark: int
    cursors: list[tuple[int, int]]


def births(cast: Cast, after: int, end: int) -> list[Raw]:
    """The rows of people who joined later than `after` and no later than `end` (rule 1)."""
    rows: list[Raw] = []
    for person in cast.people:
        if after < person.created <= end:
            trace, audit = draws.identifiers(draws.key(cast.seed, "birth", person.index), 0, 2)
            who = Who(person.uuid, person.login)
            shape = person_created(person.uuid)
            rows.append((person.created, BIRTHS_STREAM, person.index, shape, audit, trace, LOCAL, who))
    return sorted(rows, key=lambda row: row[:3])


def openings(cast: Cast, after: int, end: int) -> list[Raw]:
    """The rows of the providers entered later than `after` and no later than `end` (rule 2)."""
    rows: list[Raw] = []
    for provider in PROVIDERS:
        at = cast.provider_created(provider.id)
        if after < at <= end:
            trace, audit = draws.identifiers(draws.key(cast.seed, "provider", provider.id), 0, 2)
            shape = provider_created(provider)
            rows.append((at, PROVIDERS_STREAM, provider.id, shape, audit, trace, LOCAL, NOBODY))
    return rows


class Story:
    """The history of a cast from a mark on.

    `cursors` are what `Story.cursors` gave at that mark; none means from the beginning. `births_after` includes
    the rows of people who joined later than that; None leaves them out.
    """

    def __init__(
        self,
        cast: Cast,
        *,
        mark: int = 0,
        cursors: Sequence[Cursor] = (),
        births_after: int | None = None,
        thinning: Thinning | None = None,
    ) -> None:
        self.cast, self.mark, self.thinning, self.births_after = cast, mark, thinning, births_after
        self.monitors = monitors(cast.seed, cast.oldest)
        self.streams = [PersonStream.of(person) for person in cast.people]
        for stream, (number, start) in zip(self.streams, cursors, strict=False):
            stream.number, stream.start = number, start
        self.held: list[Raw] = []  # rows of sessions that reach over the end of the last window
        self.window = min(
            DAY, max(5 * MINUTE, BATCH_ROWS * HOUR // (ROWS_IN_A_BUSY_HOUR * len(self.streams)))
        )
        self.due: defaultdict[int, list[PersonStream]] = defaultdict(list)
        first = max(mark + 1, cast.beginning) // self.window
        for stream in self.streams:  # a session that reaches over the mark started in a window that is past
            self.due[max(first, stream.start // self.window)].append(stream)

    def cursors(self) -> list[tuple[int, int]]:
        """Number and start of each person's first session that is not complete at the mark."""
        return [stream.cursor(self.mark) for stream in self.streams]

    def batches(self, until: int, size: int = BATCH_ROWS) -> Iterator[Batch]:
        """All rows later than the mark and no later than `until`, some `size` at a time, in order of time."""
        rows: list[Raw] = []
        while self.mark < until:
            rows += self._next_window(until)
            if len(rows) >= size or self.mark == until:
                yield Batch(rows, self.mark, self.cursors())
                rows = []

    def _next_window(self, until: int) -> list[Raw]:
        after = max(self.mark, self.cast.beginning - 1)
        place = (after + 1) // self.window
        end = min((place + 1) * self.window - 1, until)
        rows = self.held
        self._advance(place, end, rows)
        for monitor in self.monitors:
            rows += monitor.rows(after, end, self.thinning)
        rows += openings(self.cast, after, end)
        if self.births_after is not None and after < CLOSING:
            rows += births(self.cast, max(after, self.births_after), end)
        rows.sort()
        self.mark = end
        first, behind = bisect_right(rows, (after + 1,)), bisect_right(rows, (end + 1,))
        self.held = rows[behind:]
        return rows[first:behind]

    def _advance(self, place: int, end: int, rows: list[Raw]) -> None:
        """Let everyone whose next session is due in this window have it, and the ones after it."""
        for stream in self.due.pop(place, ()):
            stream.advance(end, self.thinning, rows)
            self.due[stream.start // self.window].append(stream)


def finished(rows: list[Raw], heads: dict[str, bytes]) -> list[Row]:
    """Rows with their times written out; each domain's head in `heads` is folded over its rows.

    A head is SHA-256(previous head + canonical row), from 32 zero bytes on, so that a digest can be carried on.
    """
    done: list[Row] = []
    day, day_starts = "", -DAY
    for at, _, _, shape, audit, trace, where, who in rows:
        of_day = at - day_starts
        if not 0 <= of_day < DAY:
            of_day = at % DAY
            day, day_starts = day_text(at), at - of_day
        time = day + MINUTES_TEXT[of_day // MINUTE] + SECONDS_TEXT[of_day % MINUTE]
        line = (
            f'{shape.before_audit}{audit}{shape.after_audit}{where}","timestamp":"{time}"'
            f',"trace_id":"{trace}",{who.tail}'
        )
        domain = shape.domain
        heads[domain] = sha256(heads[domain] + line.encode()).digest()
        done.append((time, audit, trace, where, shape, who))
    return done


def columns(row: Row) -> dict[str, object]:
    """All columns of a finished row by name, except the sequence."""
    time, audit, trace, where, shape, who = row
    own = {"timestamp": time, "audit_id": audit, "trace_id": trace, "source_ip": where}
    return shape.columns() | own | {"user_id": who.user_id, "user_login": who.login}


def history(cast: Cast, until: int, thinning: Thinning | None = None) -> Iterator[Raw]:
    """Every row up to `until`, people's first rows included."""
    story = Story(cast, births_after=0, thinning=thinning)
    return chain.from_iterable(batch.rows for batch in story.batches(until))
