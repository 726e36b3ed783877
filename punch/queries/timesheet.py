"""Time sheets: each person's rows of a span of local days, and their sums."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import QuerySet

from identity.models import User
from punch.hours import Row, worked
from punch.models import Punch
from punch.queries.people import seen_by
from punch.queries.stamps import PAST_AND_FUTURE, Kiosks, rows_of

PEOPLE_AT_ONCE = 200
WIDEST_ZONE = timedelta(hours=14)


@dataclass(frozen=True)
class Span:
    """Local days, both ends inclusive; of whom (null: everybody in view), and whether only rows with a flag."""

    first: date
    last: date
    user_id: int | None = None
    flagged: bool = False

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """Moments between which these days lie in every zone of the world."""
        start = datetime.combine(self.first, time(), UTC) - WIDEST_ZONE
        return start, datetime.combine(self.last, time(), UTC) + timedelta(days=1) + WIDEST_ZONE

    def holds(self, row: Row) -> bool:
        return self.first <= row.day <= self.last and (row.flag is not None or not self.flagged)


@dataclass(frozen=True)
class Sheet:
    """One person's rows."""

    person: User
    rows: Sequence[Row]

    @property
    def seconds(self) -> int:
        return worked(self.rows)

    def on(self, day: date) -> list[Row]:
        return [row for row in self.rows if row.day == day]


def _who_punched(people: QuerySet[User], span: Span) -> list[User]:
    """Those of these people who punched in the span or close to it, by name."""
    start, end = span.bounds
    near = Punch.objects.between(start - PAST_AND_FUTURE, end + PAST_AND_FUTURE)
    found = people.filter(pk__in=near.values("user_id"))
    if span.user_id is not None:
        found = found.filter(pk=span.user_id)
    return sorted(found, key=lambda p: (p.last_name or p.username, p.first_name, p.pk))


def sheets_seen_by(viewer: User, span: Span, now: datetime, kiosks: Kiosks) -> Iterator[Sheet]:
    """The sheets of everybody whom this person may see."""
    return sheets(seen_by(viewer), span, now, kiosks)


def own_sheet(person: User, span: Span, now: datetime, kiosks: Kiosks) -> Sheet:
    """Everybody may read the own sheet, whatever the role."""
    found = list(sheets(User.objects.filter(pk=person.pk), span, now, kiosks))
    return found[0] if found else Sheet(person, [])


def sheets(people: QuerySet[User], span: Span, now: datetime, kiosks: Kiosks) -> Iterator[Sheet]:
    """Person by person, by name; read in portions, so that a year of a large house does not fill the memory."""
    people_found = _who_punched(people, span)
    start, end = span.bounds
    for at in range(0, len(people_found), PEOPLE_AT_ONCE):
        portion = people_found[at : at + PEOPLE_AT_ONCE]
        found = dict(rows_of([person.pk for person in portion], start, end, now, kiosks))
        for person in portion:
            rows = [row for row in found.get(person.pk, ()) if span.holds(row)]
            if rows:
                yield Sheet(person, rows)
