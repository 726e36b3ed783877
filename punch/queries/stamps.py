"""Punches as the pure pairing wants them."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from django.conf import settings

from punch.hours import Limits, Row, Stamp, paired
from punch.models import Kiosk, Punch

READ_AT_ONCE = 2000
PAST_AND_FUTURE = timedelta(hours=48)  # a shift of 16 h on either side, and double scans before it


def limits() -> Limits:
    """The rules of this installation."""
    return Limits(
        timedelta(hours=settings.PUNCH_MAX_SHIFT_HOURS), timedelta(seconds=settings.PUNCH_DOUBLE_SCAN_SECONDS)
    )


class Kiosks:
    """All kiosks, deleted ones too: their names and zones, read once."""

    def __init__(self) -> None:
        self.by_id = Kiosk.objects.only("kiosk_name", "location", "time_zone").in_bulk()

    def zone(self, kiosk_id: int) -> ZoneInfo:
        return self.by_id[kiosk_id].zone

    def name(self, stamp: Stamp | None) -> str:
        return self.by_id[stamp.kiosk].kiosk_name if stamp is not None else ""


def rows_of(
    people: Iterable[int], start: datetime, end: datetime, now: datetime, kiosks: Kiosks
) -> Iterator[tuple[int, list[Row]]]:
    """Person by person the paired rows of a period, with what lies far enough around it to pair rightly."""
    punches = Punch.objects.between(start - PAST_AND_FUTURE, end + PAST_AND_FUTURE).filter(user__in=people)
    columns = ("user_id", "id", "punch_type", "punched_at", "kiosk_id")
    found = punches.order_by("user_id", "punched_at", "id").values_list(*columns).iterator(READ_AT_ONCE)
    for user_id, group in groupby(found, key=lambda row: row[0]):
        stamps = [Stamp(pk, kind, at, kiosk, kiosks.zone(kiosk)) for _user, pk, kind, at, kiosk in group]
        yield user_id, paired(stamps, now, limits())
