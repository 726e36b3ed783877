"""Proof that the roll-ups are right: everything is counted anew from the raw visits and compared.

Goes as far back as raw rows are whole: pages and sites until rows are deleted, browsers until they are anonymised,
visitors as long as the salt of the day is there. One hour after the other, in one transaction each.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Min, Sum

from activity.callers import Caller
from activity.models import Domain
from activity.services import NOBODY, recorded
from traffic.agents import recognised
from traffic.arrivals import Arrival
from traffic.ingest.engines import engine
from traffic.ingest.memory import made_labels
from traffic.ingest.tally import BROWSER, PAGE, REFERRER, TOTAL, visitor_hash
from traffic.models import (
    DayCount,
    DaySalt,
    HourCount,
    MinuteCount,
    SecondCount,
    Visit,
    VisitTotal,
)
from traffic.periods import DAY, HOUR, MINUTE, MINUTES_KEPT, ceiling, floor
from traffic.places import origin, place

SECONDS_KEPT = timedelta(days=8)
Sums = dict[Any, tuple[int, int]]


@dataclass(frozen=True)
class Difference:
    """One number that is not what the raw rows say."""

    table: str
    where: str
    stored: tuple[int, ...]
    counted: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.table} {self.where}: stored {_numbers(self.stored)}, counted {_numbers(self.counted)}"


def _numbers(values: Sequence[int]) -> str:
    return " + ".join(map(str, values))


def _differences(table: str, stored: Sums, counted: Sums, name: Any = str) -> Iterator[Difference]:
    for key in sorted(stored.keys() | counted.keys(), key=str):
        ours, theirs = stored.get(key, (0, 0)), counted.get(key, (0, 0))
        if ours != theirs:
            yield Difference(table, name(key), ours, theirs)


def _summed(pairs: Iterator[tuple[Any, bool]]) -> Sums:
    sums: dict[Any, list[int]] = {}
    for key, bot in pairs:
        sums.setdefault(key, [0, 0])[bot] += 1
    return {key: (people, bots) for key, (people, bots) in sums.items()}


def _arrival(visit: Visit) -> Arrival:
    """A stored visit as it arrived. What it was counted under follows from its texts."""
    host, path = place(visit.page_url)
    browser, _ = recognised(visit.user_agent)
    return Arrival(
        visit.user_id,
        visit.page_url,
        visit.user_agent,
        visit.ip_address,
        visit.referrer,
        host,
        path,
        origin(visit.referrer, host),
        browser,
        visit.bot,
        visit.person,
    )


class Stretch:
    """Whole hours from `start` to `end`, counted from their rows."""

    def __init__(self, start: datetime, end: datetime, *, anonymised: datetime, now: datetime) -> None:
        self.start, self.end, self.anonymised, self.now = start, end, anonymised, now
        rows = Visit.objects.filter(received_at__gte=start, received_at__lt=end)
        self.visits = [(visit, _arrival(visit)) for visit in rows.iterator()]
        stored = HourCount.objects.filter(hour__gte=start, hour__lt=end).select_related("label")
        self.stored = {(c.hour, c.site_id, c.kind, c.label.text): (c.visits, c.bots) for c in stored}

    def _tells_browsers(self, hour: datetime) -> bool:
        return hour >= self.anonymised

    def _shown(self, hour: datetime, site: int, kind: str, text: str) -> tuple[datetime, int, str, str]:
        """Beyond the limit of the hour a text without a row of its own was counted as `(other)`."""
        overflow, own = (hour, site, kind, HourCount.OVERFLOW), (hour, site, kind, text)
        return overflow if overflow in self.stored and own not in self.stored else own

    def counted(self) -> Sums:
        def pairs() -> Iterator[tuple[Any, bool]]:
            for visit, a in self.visits:
                hour, site = floor(visit.received_at, HOUR), visit.site_id
                yield (hour, site, TOTAL, ""), a.bot
                yield self._shown(hour, site, PAGE, a.path), a.bot
                yield self._shown(hour, site, REFERRER, a.source), a.bot
                if self._tells_browsers(hour):
                    yield (hour, site, BROWSER, a.browser), a.bot

        return _summed(pairs())

    def differences(self) -> list[Difference]:
        stored = {k: sums for k, sums in self.stored.items() if k[2] != BROWSER or self._tells_browsers(k[0])}
        return [
            *_differences("hour", stored, self.counted(), self._name),
            *_differences("minute", self._minutes(), self._minutes_counted()),
            *_differences("second", self._seconds(), self._seconds_counted()),
        ]

    def _name(self, key: tuple[datetime, int, str, str]) -> str:
        hour, site, kind, text = key
        return f"{hour:%Y-%m-%d %H}h site {site} {kind} {text!r}"

    def _fine(self, kept: timedelta) -> datetime:
        """From where on there are fine roll-ups: the whole hours among those that are kept."""
        return max(self.start, ceiling(self.now - kept, HOUR))

    def _minutes(self) -> Sums:
        rows = MinuteCount.objects.filter(minute__gte=self._fine(MINUTES_KEPT), minute__lt=self.end)
        return {(c.minute, c.site_id): (c.visits, c.bots) for c in rows}

    def _minutes_counted(self) -> Sums:
        edge = self._fine(MINUTES_KEPT)
        late = (v for v, _ in self.visits if v.received_at >= edge)
        return _summed(((floor(v.received_at, MINUTE), v.site_id), v.bot) for v in late)

    def _seconds(self) -> Sums:
        rows = SecondCount.objects.filter(second__gte=self._fine(SECONDS_KEPT), second__lt=self.end)
        return {c.second: (c.visits, 0) for c in rows}

    def _seconds_counted(self) -> Sums:
        edge = self._fine(SECONDS_KEPT)
        late = (v for v, _ in self.visits if v.received_at >= edge)
        return _summed((v.received_at.replace(microsecond=0), False) for v in late)

    def repair(self) -> None:
        """Write what was counted over what was stored; inside a transaction that holds the writers off."""
        counted = self.counted()
        wrong = HourCount.objects.filter(hour__gte=self.start, hour__lt=self.end)
        (wrong if self._tells_browsers(self.start) else wrong.exclude(kind=BROWSER)).delete()
        labels = made_labels({text for *_, text in counted})
        HourCount.objects.bulk_create(
            HourCount(site_id=site, hour=hour, kind=kind, label_id=labels[text], visits=people, bots=bots)
            for (hour, site, kind, text), (people, bots) in counted.items()
        )
        MinuteCount.objects.filter(minute__gte=self._fine(MINUTES_KEPT), minute__lt=self.end).delete()
        MinuteCount.objects.bulk_create(
            MinuteCount(minute=minute, site_id=site, visits=people, bots=bots)
            for (minute, site), (people, bots) in self._minutes_counted().items()
        )
        SecondCount.objects.filter(second__gte=self._fine(SECONDS_KEPT), second__lt=self.end).delete()
        SecondCount.objects.bulk_create(
            SecondCount(second=second, visits=n) for second, (n, _) in self._seconds_counted().items()
        )


def _day_differences(day: datetime, salt: bytes) -> Iterator[Difference]:
    """Visitors of a day whose salt is still there."""
    rows = Visit.objects.filter(received_at__gte=day, received_at__lt=day + DAY, bot=False).select_related(
        "site"
    )
    hashes = {(v.site_id, visitor_hash(salt, v.site.host, _arrival(v))) for v in rows.iterator()}
    counted = {site: (n, 0) for site, n in Counter(site for site, _ in hashes).items()}
    stored = {c.site_id: (c.visitors, 0) for c in DayCount.objects.filter(day=day.date())}
    yield from _differences("day", stored, counted, lambda site: f"{day:%Y-%m-%d} site {site}")


def _repair_day(day: datetime, salt: bytes) -> None:
    for found in list(_day_differences(day, salt)):
        site = int(found.where.rpartition(" ")[2])
        DayCount.objects.update_or_create(
            site_id=site, day=day.date(), defaults={"visitors": found.counted[0]}
        )


def total_difference() -> Difference | None:
    """The total may only exceed the hours by nothing: both grow in one transaction, and neither is ever pruned."""
    with _snapshot():
        total = VisitTotal.objects.first()
        sums = HourCount.objects.filter(kind=TOTAL).aggregate(v=Sum("visits"), b=Sum("bots"))
    counted = (sums["v"] or 0) + (sums["b"] or 0)
    stored = total.total if total else 0
    return None if stored == counted else Difference("total", "of all hours", (stored,), (counted,))


def _snapshot() -> Any:
    """Several reads of one moment."""
    return _Still() if connection.vendor == "postgresql" else transaction.atomic()


class _Still:
    """A transaction in which PostgreSQL shows one moment; where one is open already it is left as it is."""

    def __enter__(self) -> None:
        self.atomic = transaction.atomic()
        first = not connection.in_atomic_block
        self.atomic.__enter__()
        if first:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

    def __exit__(self, *problem: Any) -> None:
        self.atomic.__exit__(*problem)


def hold_writers() -> None:
    """Until the end of the transaction no visit is stored; SQLite has but one writer anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE traffic_visit, traffic_hourcount IN SHARE ROW EXCLUSIVE MODE")


@dataclass(frozen=True)
class Reach:
    """How far back the raw rows tell what: `anonymised` and `deleted` are the edges that pruning has left."""

    start: datetime
    end: datetime
    anonymised: datetime


def reach(start: datetime | None, end: datetime | None, now: datetime) -> Reach | None:
    """The whole hours to be counted; None when there is nothing raw."""
    edges = Visit.objects.aggregate(first=Min("received_at"))
    if edges["first"] is None:
        return None
    oldest = edges["first"]
    # the hour that pruning stopped in is not whole any more
    first = oldest if not _pruned_before(oldest) else ceiling(oldest, HOUR)
    named = Visit.objects.filter(user_id__gt="").aggregate(first=Min("received_at"))["first"]
    empty = Visit.objects.filter(user_id="").exists()
    anonymised = first if not empty else (ceiling(named, HOUR) if named else now)
    return Reach(
        max(floor(first, HOUR), floor(start, HOUR)) if start else floor(first, HOUR),
        min(ceiling(end, HOUR), ceiling(now, HOUR)) if end else ceiling(now, HOUR),
        floor(anonymised, HOUR),
    )


def _pruned_before(moment: datetime) -> bool:
    """Whether visits were counted that have been deleted since."""
    counted = HourCount.objects.filter(kind=TOTAL).aggregate(first=Min("hour"))["first"]
    return counted is not None and counted < floor(moment, HOUR)


def _pieces(span: Reach) -> Iterator[tuple[datetime, datetime]]:
    """The span day by day, so that no more than a day is in memory."""
    start = span.start
    while start < span.end:
        end = min(floor(start, DAY) + DAY, span.end)
        yield start, end
        start = end


def recount(span: Reach, now: datetime, *, repair: bool, by: Caller) -> Iterator[Difference]:
    """Every difference; with `repair` each hour that has one is corrected in a transaction of its own."""
    for start, end in _pieces(span):
        with _snapshot():
            found = Stretch(start, end, anonymised=span.anonymised, now=now).differences()
        yield from found
        if found and repair:
            _repair_hours(start, end, span.anonymised, now, by)
    yield from _days(span, repair=repair)
    if (wrong := total_difference()) is not None:
        yield wrong


def _repair_hours(start: datetime, end: datetime, anonymised: datetime, now: datetime, by: Caller) -> None:
    while start < end:
        with engine().turn(), recorded("repair_visits", domain=Domain.TRAFFIC, by=by, person=NOBODY) as line:
            hold_writers()
            hour = Stretch(start, start + HOUR, anonymised=anonymised, now=now)
            line.details = {"hour": str(start), "differences": len(hour.differences())}
            line.kept = bool(line.details["differences"])
            if line.kept:
                hour.repair()
        start += HOUR


def _days(span: Reach, *, repair: bool) -> Iterator[Difference]:
    if settings.VISIT_IP != "full":  # strangers were told apart by addresses that were not kept
        return
    for salt in DaySalt.objects.order_by("day"):
        day = datetime.combine(salt.day, time(), UTC)
        if day >= floor(span.start, DAY) and day >= span.anonymised - DAY and day < span.end:
            with _snapshot():
                found = list(_day_differences(day, bytes(salt.salt)))
            yield from found
            if found and repair:
                with engine().turn(), transaction.atomic():
                    hold_writers()
                    _repair_day(day, bytes(salt.salt))
