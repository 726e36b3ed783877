"""Dates in queries (punch.md 2.0): whole local days or instants, and what they mean as moments."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

from config.errors import Refusal

DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII)
SMALLEST = timedelta(microseconds=1)


class InvalidDatetime(Refusal):
    detail = "invalid_datetime"


class InvalidRange(Refusal):
    detail = "invalid_range"


def house_zone() -> ZoneInfo:
    """The zone in which days are counted where no kiosk says otherwise."""
    return ZoneInfo(settings.PUNCH_TIME_ZONE)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a local day."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` on and before `end`; null leaves a side open. The days are what the asker meant."""

    start: datetime | None
    end: datetime | None
    first_day: date | None = None
    last_day: date | None = None


def _instant(text: str) -> datetime:
    if not INSTANT.fullmatch(text):
        raise ValueError(text)
    moment = datetime.fromisoformat(text.upper())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _edges(text: str, zone: ZoneInfo) -> tuple[datetime, datetime, date]:
    """First moment, first moment after, and local day of a date or an instant; both ends are inclusive."""
    try:
        if DAY.fullmatch(text):
            day = date.fromisoformat(text)
            return midnight(day, zone), midnight(day + timedelta(days=1), zone), day
        moment = _instant(text)
        return moment, moment + SMALLEST, moment.astimezone(zone).date()
    except (ValueError, OverflowError) as error:
        raise InvalidDatetime from error


def period(first: str | None, last: str | None) -> Period:
    """What `from` and `to` mean; InvalidDatetime, or InvalidRange if the end lies before the start."""
    zone = house_zone()
    start = _edges(first, zone) if first is not None else None
    end = _edges(last, zone) if last is not None else None
    if start is not None and end is not None and end[1] <= start[0]:
        raise InvalidRange
    return Period(
        start[0] if start else None,
        end[1] if end else None,
        start[2] if start else None,
        end[2] if end else None,
    )


def today(now: datetime) -> tuple[datetime, datetime]:
    """The local day that it is now."""
    zone = house_zone()
    day = now.astimezone(zone).date()
    return midnight(day, zone), midnight(day + timedelta(days=1), zone)


def this_week(now: datetime) -> tuple[date, date]:
    """Monday and Sunday of the local week that it is now."""
    day = now.astimezone(house_zone()).date()
    monday = day - timedelta(days=day.weekday())
    return monday, monday + timedelta(days=6)
