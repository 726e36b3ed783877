"""When the people of the demo punch: counted randomness, pure. Each day of each person stands for itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from activity.generator import draws
from punch.hours import CLOCK_IN, CLOCK_OUT

WORD = 2**32
EPOCH, SINCE_EVER = date(2000, 1, 1), datetime(2000, 1, 1, tzinfo=UTC)
SATURDAY, SUNDAY = 5, 6
INSIDE, SHIFT = 12, timedelta(hours=16)  # people who are in at the end, longest shift


@dataclass(frozen=True, slots=True)
class Worker:
    """One employee: where the draws start, day or night."""

    index: int
    root: bytes
    night: bool


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One punch to be."""

    at: datetime
    worker: int
    type: str


def workers(seed: int, count: int, nights: int) -> list[Worker]:
    """The first `nights` of them work at night."""
    return [Worker(n, draws.key(seed, "punch", n), n < nights) for n in range(count)]


def _around(day: date, clock: time, zone: ZoneInfo, spread: int, first: int, second: int) -> datetime:
    """A moment near a local time: two draws make the middle likelier than the edges; `spread` in minutes."""
    minutes = (first + second) / WORD - 1
    return datetime.combine(day, clock, zone).astimezone(UTC) + timedelta(
        seconds=round(minutes * spread * 60)
    )


def day_of(worker: Worker, day: date, zone: ZoneInfo) -> Iterator[Event]:
    """The punches of the shift that begins on this local day, in order."""
    w = draws.words(worker.root, (day - EPOCH).days)
    resting = (SUNDAY, 0) if worker.night else (SATURDAY, SUNDAY)
    if day.weekday() in resting or w[0] < WORD * 0.07:
        return
    start, end = (time(22), time(6)) if worker.night else (time(8), time(17))
    came = _around(day, start, zone, 25, w[1], w[2])
    left = _around(day + timedelta(days=worker.night), end, zone, 35, w[3], w[4])
    yield Event(came, worker.index, CLOCK_IN)
    if w[5] < WORD * 0.01:
        yield Event(came + timedelta(seconds=20 + w[6] % 70), worker.index, CLOCK_IN)
    if not worker.night and w[7] < WORD * 0.3:
        lunch = _around(day, time(12, 10), zone, 15, w[8], w[9])
        yield Event(lunch, worker.index, CLOCK_OUT)
        yield Event(lunch + timedelta(minutes=35 + w[10] % 20), worker.index, CLOCK_IN)
    if w[11] >= WORD * 0.02:
        yield Event(left, worker.index, CLOCK_OUT)


def natural(
    cast: Sequence[Worker], after: datetime, until: datetime, zone: ZoneInfo
) -> dict[int, list[Event]]:
    """Worker by worker the punches later than `after` and not later than `until`."""
    first = after.astimezone(zone).date() - timedelta(days=2)
    days = [first + timedelta(days=n) for n in range((until.date() - first).days + 2)]
    return {
        worker.index: [
            event for day in days for event in day_of(worker, day, zone) if after < event.at <= until
        ]
        for worker in cast
    }


def _without_open_shift(events: list[Event], until: datetime) -> list[Event]:
    """The same punches, but nobody is left in: a shift that would still be open never began."""
    kept = list(events)
    while kept and kept[-1].type == CLOCK_IN and until - kept[-1].at <= SHIFT:
        kept.pop()
    return kept


def _comes_in(worker: Worker, events: list[Event], earliest: datetime, until: datetime) -> list[Event]:
    """The same punches, and the person is in: since ten minutes to seven hours ago."""
    minutes = 10 + draws.number(worker.root + b"now", 410)
    since = max(until - timedelta(minutes=minutes), earliest)
    earlier = [event for event in events if event.at < since - timedelta(minutes=30)]
    return [*_without_open_shift(earlier, until), Event(since, worker.index, CLOCK_IN)]


def _oddities(cast: Sequence[Worker], begin: datetime, until: datetime) -> dict[int, list[Event]]:
    """In the window, which lies in the current week: an out alone, an in alone, a double scan."""
    window = until - begin

    def at(part: float) -> datetime:
        return begin + timedelta(seconds=round(window.total_seconds() * part))

    nothing_in, nothing_out, twice = (worker.index for worker in cast)
    soon = timedelta(seconds=40)
    return {
        nothing_in: [Event(at(0.2), nothing_in, CLOCK_OUT)],
        nothing_out: [
            Event(at(0.1), nothing_out, CLOCK_IN),
            Event(at(0.6), nothing_out, CLOCK_IN),
            Event(at(0.9), nothing_out, CLOCK_OUT),
        ],
        twice: [
            Event(at(0.3), twice, CLOCK_IN),
            Event(at(0.3) + soon, twice, CLOCK_IN),
            Event(at(0.8), twice, CLOCK_OUT),
        ],
    }


def lively(
    cast: Sequence[Worker], events: dict[int, list[Event]], week: datetime, until: datetime
) -> dict[int, list[Event]]:
    """The same history, made to show everything at its end: twelve are in, and each flag is in this week."""
    daily = [worker for worker in cast if not worker.night]
    odd, inside = daily[:3], {worker.index for worker in daily[3 : 3 + INSIDE]}
    begin = max(week + timedelta(minutes=1), until - timedelta(days=3))
    shown = daily[3]  # came in this week, however young it is
    done = {
        worker.index: _comes_in(worker, events[worker.index], begin if worker == shown else SINCE_EVER, until)
        if worker.index in inside
        else _without_open_shift(events[worker.index], until)
        for worker in cast
    }
    for index, new in _oddities(odd, begin, until).items():
        before = [event for event in done[index] if event.at < begin - SHIFT]
        done[index] = before[: -1 if before and before[-1].type == CLOCK_IN else None] + new
    return done
