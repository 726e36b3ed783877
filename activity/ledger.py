"""Which sequence numbers a reader of the trail has seen, so that none is missed and none is shown twice.

Numbers are handed out before commit, so a lower one can appear after a higher one. A number that is missing is
waited for, `HOLD` seconds at most, before what follows is shown; and it is looked for, `PATIENCE` seconds longer
than any transaction of ours lasts, in case it appears after all. Then it counts as rolled back.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

HOLD = 0.7
PATIENCE = 60.0


@dataclass(frozen=True)
class Hole:
    """Numbers from `first` to `last` that were not seen at the time `since`, and not later either."""

    first: int
    last: int
    since: float


def gaps(numbers: Iterable[int], after: int) -> Iterator[tuple[int, int]]:
    """Stretches that are missing between ascending numbers, all of them above `after`."""
    for number in numbers:
        if number > after + 1:
            yield after + 1, number - 1
        after = number


class Ledger:
    """Everything up to `top` was shown but for the holes; above it, missing numbers are being waited for."""

    def __init__(self, top: int, holes: Iterable[Hole] = ()) -> None:
        self.top = top
        self.holes = list(holes)
        self.missing: list[Hole] = []

    @classmethod
    def from_here(cls, recent: Sequence[int], beyond: int, now: float) -> "Ledger":
        """As if all had been shown up to the last of these ascending numbers; those lacking above `beyond` may come."""
        top = recent[-1] if recent else beyond
        return cls(top, [Hole(first, last, now) for first, last in gaps(recent, beyond)])

    def awaits(self, number: int) -> bool:
        """Whether this number can still be shown."""
        return number > self.top or any(hole.first <= number <= hole.last for hole in self.holes)

    def show(self, numbers: Sequence[int], now: float) -> int:
        """How many of these ascending numbers above `top` may be shown now; they count as shown."""
        self.missing = [self._missing(first, last, now) for first, last in gaps(numbers, self.top)]
        held = [hole.first for hole in self.missing if now - hole.since < HOLD]
        edge = min(held, default=numbers[-1] + 1 if numbers else 0)
        shown = sum(number < edge for number in numbers)
        if shown:
            self.top = numbers[shown - 1]
            self.holes += [hole for hole in self.missing if hole.last < self.top]
            self.missing = [hole for hole in self.missing if hole.last > self.top]
        return shown

    def _missing(self, first: int, last: int, now: float) -> Hole:
        """A stretch that is missing, since when it is."""
        before = [hole.since for hole in self.missing if hole.first <= last and first <= hole.last]
        return Hole(first, last, min(before, default=now))

    def fill(self, numbers: Iterable[int]) -> None:
        """These appeared in holes, and are shown."""
        for number in numbers:
            self.holes = [part for hole in self.holes for part in _without(hole, number)]

    def forget(self, now: float) -> None:
        """Give up what was looked for long enough."""
        self.holes = [hole for hole in self.holes if now - hole.since < PATIENCE]


def _without(hole: Hole, number: int) -> Iterator[Hole]:
    if not hole.first <= number <= hole.last:
        yield hole
        return
    if hole.first < number:
        yield Hole(hole.first, number - 1, hole.since)
    if number < hole.last:
        yield Hole(number + 1, hole.last, hole.since)
