"""Which stretch of time a report covers: whole buckets, within what is kept."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from config.errors import InvalidInput, invalid

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
STEPS = {"minute": MINUTE, "hour": HOUR, "day": DAY}
LONGEST = {"minute": DAY, "hour": 31 * DAY, "day": 366 * DAY}
MINUTES_KEPT = 35 * DAY
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Period:
    """From `start` up to, and without, `end`; both on the edge of a bucket of length `step`."""

    start: datetime
    end: datetime
    step: timedelta = HOUR

    @property
    def buckets(self) -> list[datetime]:
        """The beginning of each bucket."""
        return [self.start + n * self.step for n in range((self.end - self.start) // self.step)]


def floor(moment: datetime, step: timedelta) -> datetime:
    """The beginning of the bucket a moment falls in, counted from midnight UTC."""
    return moment - (moment - EPOCH) % step


def ceiling(moment: datetime, step: timedelta) -> datetime:
    """The next beginning of a bucket, or the moment itself where it is one."""
    return floor(moment + step - timedelta(microseconds=1), step)


def _too_long(most: timedelta) -> InvalidInput:
    days = most // DAY
    return invalid(
        "query", "to", f"The period should be at most {days} days" if days > 1 else "24 hours at most"
    )


def bounds(asked: dict[str, Any], now: datetime) -> tuple[datetime, datetime]:
    """Both ends as asked, by default the last 24 hours; refused when empty or longer than 366 days."""
    end = asked.get("to") or now
    start = asked.get("from") or end - DAY
    if start >= end:
        raise invalid("query", "from", "Input should be before 'to'")
    if end - start > LONGEST["day"]:
        raise _too_long(LONGEST["day"])
    return start, end


def period(asked: dict[str, Any], now: datetime, interval: str = "hour", *, limited: bool = False) -> Period:
    """The buckets that cover what was asked; `limited` holds a curve to what its interval allows."""
    start, end = bounds(asked, now)
    if limited and end - start > LONGEST[interval]:
        raise _too_long(LONGEST[interval])
    if limited and interval == "minute" and start < now - MINUTES_KEPT:
        raise invalid("query", "from", "Minutes are kept for 35 days")
    step = STEPS[interval]
    return Period(floor(start, step), ceiling(end, step), step)
