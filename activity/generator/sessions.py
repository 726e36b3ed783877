"""Sessions of a person and visits of the monitoring, as streams that can start anywhere (rules 3, 4, 7)."""

from dataclasses import dataclass, field

from activity.generator import draws
from activity.generator.addresses import MONITORING, address
from activity.generator.clock import MINUTE, next_start
from activity.generator.people import FIRST_SESSION_AFTER, Person
from activity.generator.shapes import ACCESSES, NOT_SIGNED_IN, SIGNED_IN, SYNTHETIC, Shape, Who
from activity.generator.thinning import Thinning

# at, stream, number in the stream, shape, audit_id, trace_id, source_ip, who. The first three order all rows.
Raw = tuple[int, int, int, Shape, str, str, str, Who]
PROVIDERS_STREAM, BIRTHS_STREAM, PEOPLE_STREAMS = -2, -1, 0
MONITORS_STREAM = 1_000_000  # after every person
PERIODS = {"monitoring": 5 * MINUTE, "vpn_user": 15 * MINUTE, "test": 60 * MINUTE}


def session_times(start: int, words: tuple[int, ...]) -> list[int]:
    """When the rows of a session happen: one sign-in; if it succeeds (3/4) one to four accesses (rule 4)."""
    times = [start]
    if words[0] & 3 != 3:
        for word in words[8 : 9 + (words[0] >> 2 & 3)]:
            start += 1_000 + (word * 59_001 >> 32)
            times.append(start)
    return times


def session_shapes(words: tuple[int, ...], accesses: int) -> list[Shape]:
    """What the rows of a session say; the draws are independent of those that set its times."""
    choice = words[0] >> 4
    if not accesses:
        return [NOT_SIGNED_IN[choice % len(NOT_SIGNED_IN)]]
    shapes = [SIGNED_IN[choice % len(SIGNED_IN)]]
    shapes += [ACCESSES[word % len(ACCESSES)] for word in words[4 : 4 + accesses]]
    return shapes


def session_rows(
    person: Person, who: Who, number: int, words: tuple[int, ...], times: list[int]
) -> list[Raw]:
    """The rows of a person's number-th session."""
    trace, *audits = draws.identifiers(person.root, number, len(times) + 1)
    where, stream, first = address(words[1]), person.index, number * 8
    shapes = session_shapes(words, len(times) - 1)
    return [
        (at, stream, first + place, shapes[place], audits[place], trace, where, who)
        for place, at in enumerate(times)
    ]


@dataclass(slots=True)
class PersonStream:
    """A person's sessions in order. `number` and `start` are of the session to come, `last` of the one before."""

    person: Person
    number: int
    start: int
    last_start: int = 0
    last_end: int = 0
    who: Who = field(init=False)

    def __post_init__(self) -> None:
        self.who = Who(self.person.uuid, self.person.login)

    @classmethod
    def of(cls, person: Person) -> "PersonStream":
        return cls(person, 0, person.created + FIRST_SESSION_AFTER)

    def advance(self, end: int, thinning: Thinning | None, rows: list[Raw]) -> None:
        """Append the rows of all sessions that start no later than `end`."""
        person, number, start = self.person, self.number, self.start
        while start <= end:
            words = draws.words(person.root, number)
            times = session_times(start, words)
            last = times[-1]
            if thinning is None or thinning.keeps(person.index, number, start, last):
                rows += session_rows(person, self.who, number, words, times)
            self.last_start, self.last_end = start, last
            start = next_start(last, words[2], words[3])
            number += 1
        self.number, self.start = number, start

    def cursor(self, mark: int) -> tuple[int, int]:
        """Number and start of the first session that has rows after `mark`."""
        if self.last_end > mark:
            return self.number - 1, self.last_start
        return self.number, self.start


@dataclass(slots=True)
class MonitorStream:
    """One monitoring account: a refused access every so many minutes since the first person joined."""

    stream: int
    root: bytes
    period: int
    since: int
    where: str
    who: Who

    def rows(self, after: int, end: int, thinning: Thinning | None) -> list[Raw]:
        """The rows later than `after` and no later than `end`."""
        first = max(0, (after - self.since) // self.period + 1)
        rows: list[Raw] = []
        for number in range(first, (end - self.since) // self.period + 1):
            at = self.since + number * self.period
            if thinning is None or thinning.keeps(self.stream, number, at, at):
                shape = SYNTHETIC[draws.words(self.root, number)[0] % len(SYNTHETIC)]
                trace, audit = draws.identifiers(self.root, number, 2)
                rows.append((at, self.stream, number, shape, audit, trace, self.where, self.who))
        return rows


def monitors(seed: int, since: int) -> list[MonitorStream]:
    """The three monitoring accounts, active since the first person joined (rule 7)."""
    return [
        MonitorStream(
            stream=MONITORS_STREAM + place,
            root=draws.key(seed, "monitor", login),
            period=PERIODS[login],
            since=since,
            where=where,
            who=Who(None, login),
        )
        for place, (login, where) in enumerate(MONITORING.items())
    ]
