"""Pairing punches into worked intervals (punch.md 3.5): pure, over the punches of one person.

Anomalies are named, never silently repaired.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

CLOCK_IN, CLOCK_OUT = "clock_in", "clock_out"


class Flag(StrEnum):
    """What is wrong, or not finished, with a row of a time sheet."""

    MISSING_OUT = "missing_out"
    MISSING_IN = "missing_in"
    IN_PROGRESS = "in_progress"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Stamp:
    """One punch: `at` is aware, `zone` is that of the kiosk it was made at."""

    id: int
    type: str
    at: datetime
    kiosk: int
    zone: ZoneInfo

    @property
    def local(self) -> datetime:
        return self.at.astimezone(self.zone)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a shift may last, and how close two equal punches count as one."""

    shift: timedelta
    double_scan: timedelta


@dataclass(frozen=True, slots=True)
class Row:
    """An interval, or one punch that found no partner; an interval has no flag and both ends."""

    start: Stamp | None
    end: Stamp | None
    flag: Flag | None = None

    @property
    def seconds(self) -> int:
        """Worked time in whole seconds: the difference of instants, 0 for everything but an interval."""
        if self.flag is not None or self.start is None or self.end is None:
            return 0
        return int((self.end.at - self.start.at).total_seconds())

    @property
    def stamp(self) -> Stamp:
        """The punch that dates the row: its clock-in where there is one."""
        found = self.start or self.end
        assert found is not None
        return found

    @property
    def day(self) -> date:
        """The local date of the clock-in in that kiosk's zone; a night shift is never cut."""
        return self.stamp.local.date()


def _alone(stamp: Stamp, flag: Flag) -> Row:
    return Row(stamp, None, flag) if stamp.type == CLOCK_IN else Row(None, stamp, flag)


class _Pairing:
    """One walk over sorted punches; `open` is the clock-in that waits for its clock-out."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.rows: list[Row] = []
        self.open: Stamp | None = None
        self.previous: Stamp | None = None

    def take(self, stamp: Stamp) -> None:
        previous, self.previous = self.previous, stamp
        repeated = previous is not None and previous.type == stamp.type
        if repeated and previous is not None and stamp.at - previous.at <= self.limits.double_scan:
            self.rows.append(_alone(stamp, Flag.DUPLICATE))
        elif stamp.type == CLOCK_IN:
            self.close_unfinished()
            self.open = stamp
        else:
            self.finish(stamp)

    def close_unfinished(self) -> None:
        if self.open is not None:
            self.rows.append(_alone(self.open, Flag.MISSING_OUT))
            self.open = None

    def finish(self, stamp: Stamp) -> None:
        if self.open is not None and stamp.at - self.open.at <= self.limits.shift:
            self.rows.append(Row(self.open, stamp))
            self.open = None
        else:
            self.close_unfinished()
            self.rows.append(_alone(stamp, Flag.MISSING_IN))

    def end(self, now: datetime) -> None:
        if self.open is not None:
            young = now - self.open.at <= self.limits.shift
            self.rows.append(_alone(self.open, Flag.IN_PROGRESS if young else Flag.MISSING_OUT))


def paired(stamps: Iterable[Stamp], now: datetime, limits: Limits) -> list[Row]:
    """The rows of one person's time sheet, in order of the punch that dates them; the order given is irrelevant."""
    pairing = _Pairing(limits)
    for stamp in sorted(stamps, key=lambda stamp: (stamp.at, stamp.id)):
        pairing.take(stamp)
    pairing.end(now)
    return sorted(pairing.rows, key=lambda row: (row.stamp.at, row.stamp.id))


def worked(rows: Sequence[Row]) -> int:
    """Seconds worked in these rows."""
    return sum(row.seconds for row in rows)


def as_clock(seconds: int) -> str:
    """`H:MM`, cut to the minute."""
    return f"{seconds // 3600}:{seconds % 3600 // 60:02}"


def as_hours(seconds: int) -> str:
    """Hours with two decimals, half up."""
    return str((Decimal(seconds) / 3600).quantize(Decimal("0.01"), ROUND_HALF_UP))
