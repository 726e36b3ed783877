"""How many rows a history has by nature, and what must change to come to a wanted number."""

from typing import NamedTuple

from activity.generator import draws
from activity.generator.clock import DAY, next_start
from activity.generator.people import MAX_PEOPLE, PROVIDERS, Person, person_of
from activity.generator.sessions import PERIODS, PersonStream, session_times
from activity.generator.thinning import ONE, TENKO_CLOSES, TENKO_OPENS, Thinning


class Volume(NamedTuple):
    """Rows up to some moment: all of them, and those that thinning must not touch."""

    natural: int
    protected: int


class Plan(NamedTuple):
    """The number of people and the thinning that give the wanted rows."""

    users: int
    thinning: Thinning


class OutOfReach(ValueError):
    """No history has the wanted number of rows."""


def person_volume(person: Person, until: int) -> Volume:
    """The rows of one person."""
    stream, protects = PersonStream.of(person), Thinning(0, until).protects
    number, start, natural, protected = 0, stream.start, 0, 0
    while start <= until:
        words = draws.words(person.root, number)
        times = session_times(start, words)
        last = times[-1]
        rows = len(times) if last <= until else sum(at <= until for at in times)
        natural += rows
        if protects(start, last):
            protected += rows
        start, number = next_start(last, words[2], words[3]), number + 1
    return Volume(natural, protected)


def _ticks(since: int, period: int, first: int, last: int) -> int:
    """How many multiples of `period` after `since` lie in first..last."""
    first = max(first, since)
    if last < first:
        return 0
    return (last - since) // period - (first - since - 1) // period


def monitoring_volume(since: int, until: int) -> Volume:
    """The rows of the three monitoring accounts."""
    natural = protected = 0
    for period in PERIODS.values():
        natural += _ticks(since, period, since, until)
        protected += _ticks(since, period, TENKO_OPENS, min(TENKO_CLOSES - 1, until))
        protected += _ticks(since, period, max(TENKO_CLOSES, until - DAY), until)
    return Volume(natural, protected)


def _people_needed(seed: int, users: int, rows: int, until: int) -> tuple[int, Volume]:
    """So many people from `users` on that they make `rows`, and the volume of their history."""
    natural = protected = oldest = 0
    for index in range(MAX_PEOPLE):
        person = person_of(seed, index)
        oldest = min(oldest or person.created, person.created)
        volume = person_volume(person, until)
        natural, protected = natural + volume.natural, protected + volume.protected
        if index + 1 >= users:
            watched = monitoring_volume(oldest, until)
            total = natural + watched.natural + len(PROVIDERS)
            if total >= rows:
                return index + 1, Volume(total, protected + watched.protected + len(PROVIDERS))
    raise OutOfReach(f"{MAX_PEOPLE:,} people make fewer than {rows:,} rows up to then")


def plan(seed: int, users: int, rows: int, until: int) -> Plan:
    """Meet `rows` within 2 %: with more people above the natural volume, with fewer sessions below it."""
    users, volume = _people_needed(seed, users, rows, until)
    if rows < volume.protected:
        raise OutOfReach(f"the periods that are never thinned need {volume.protected:,} rows")
    rate = (rows - volume.protected) * ONE // max(1, volume.natural - volume.protected)
    return Plan(users, Thinning(rate, until))
