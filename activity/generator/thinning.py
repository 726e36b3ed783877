"""How a target for the number of rows is met: more people, or fewer of their sessions (activity.md 6.1)."""

from dataclasses import dataclass

from activity.generator.clock import DAY

ONE = 1 << 32
TENKO_OPENS, TENKO_CLOSES = 1_746_057_600_000, 1_746_489_600_000  # 2025-05-01 to the end of 2025-05-05


@dataclass(frozen=True, slots=True)
class Thinning:
    """Keeps `rate` / 2^32 of the sessions, evenly, and all that touch a protected period.

    Protected are the period that Tenko opens with and the 24 h before `until` (milliseconds).
    """

    rate: int
    until: int

    def protects(self, start: int, end: int) -> bool:
        """Whether a session from `start` to `end` touches a protected period."""
        return (start < TENKO_CLOSES and end >= TENKO_OPENS) or end >= self.until - DAY

    def keeps(self, stream: int, number: int, start: int, end: int) -> bool:
        """Whether the number-th session of a stream stays. Every 1/rate-th one does; streams start out of step."""
        if self.protects(start, end):
            return True
        place = number * self.rate + stream * 2_654_435_769 % ONE
        return place // ONE != (place + self.rate) // ONE
