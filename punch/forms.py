"""What the pages read from their addresses."""

from datetime import date, datetime, timedelta
from typing import Any

from django.http import QueryDict

from config.errors import Refusal
from punch.models import fits
from punch.periods import InvalidRange, period, this_week
from punch.queries.timesheet import Span

MOST_DAYS_ON_SCREEN, MOST_DAYS_IN_FILES = 62, 366


def _number(text: str) -> int | None:
    """An id from an address; what is none counts as one that names nobody."""
    if not text.strip():
        return None
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 11 else 0
    return number if fits(number) else 0


class PresenceQuery:
    """Search and kiosk of the presence page."""

    def __init__(self, asked: QueryDict) -> None:
        self.words = asked.get("q", "").replace("\x00", "").strip()[:100]
        self.kiosk_id = _number(asked.get("kiosk", ""))

    @property
    def narrowed(self) -> bool:
        return bool(self.words) or self.kiosk_id is not None


class SheetQuery:
    """Days, person and flag of a time sheet; this week by default."""

    def __init__(self, asked: QueryDict, now: datetime) -> None:
        monday, sunday = this_week(now)
        self.today = now
        self.first_text = asked.get("from", "").strip() or monday.isoformat()
        self.last_text = asked.get("to", "").strip() or sunday.isoformat()
        self.user_id = _number(asked.get("user_id", ""))
        self.flagged = asked.get("flagged", "") in ("1", "true", "on")

    def span(self, most_days: int) -> Span:
        """Refuses days that cannot be read, an end before the start, and more days than fit."""
        when = period(self.first_text, self.last_text)
        assert when.first_day is not None
        assert when.last_day is not None
        if (when.last_day - when.first_day).days >= most_days:
            raise InvalidRange
        return Span(when.first_day, when.last_day, self.user_id, self.flagged)

    def told(self) -> dict[str, Any]:
        """For the trail."""
        return {
            "from": self.first_text,
            "to": self.last_text,
            "user_id": self.user_id,
            "flagged": self.flagged,
        }

    def _moved(self, weeks: int) -> str:
        try:
            span = self.span(MOST_DAYS_ON_SCREEN)
        except Refusal:
            return ""
        days = timedelta(days=len(span.days)) * weeks
        rest = f"&user_id={self.user_id}" if self.user_id is not None else ""
        rest += "&flagged=1" if self.flagged else ""
        return f"?from={_shifted(span.first, days)}&to={_shifted(span.last, days)}{rest}"

    @property
    def earlier(self) -> str:
        """The address of the same view, one span earlier."""
        return self._moved(-1)

    @property
    def later(self) -> str:
        return self._moved(1)


def _shifted(day: date, by: timedelta) -> date:
    """The day that far away, or the day itself at the end of the calendar."""
    try:
        return day + by
    except OverflowError:
        return day
