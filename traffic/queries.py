"""Every number about visits, from the roll-ups alone. Each answer is one statement, hence one snapshot."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import Count, Max, Min, QuerySet

from activity.models import Domain
from activity.queries.timeline import Event, Stretch, event
from config.errors import NotFound
from traffic.models import HourCount, Site, Visit, digest_of
from traffic.periods import DAY, HOUR, MINUTE, Period, ceiling

CHUNK = 2_000


class SiteNotFound(NotFound):
    detail = "Site not found"


def site_named(host: str | None) -> Site | None:
    """The site with this host; None stands for all of them."""
    if host is None:
        return None
    site = Site.objects.filter(host=host.lower()).first()
    if site is None:
        raise SiteNotFound
    return site


def _rows(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """What a statement of ours finds; moments are written as the database stores them."""
    stored = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.execute(statement, [stored(v) if isinstance(v, datetime) else v for v in values])
        return list(cursor.fetchall())


def _moment(value: Any) -> datetime:
    """A moment out of a statement of ours: SQLite hands out text."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


# --- The dialect ----------------------------------------------------------------------------------------------
RECENT = """
SELECT
  (SELECT COALESCE(MAX(total), 0) FROM traffic_visittotal),
  (SELECT COALESCE(SUM(visits), 0) FROM traffic_secondcount WHERE second >= %s AND second < %s)
  + (SELECT COALESCE(SUM(visits + bots), 0) FROM traffic_minutecount WHERE minute >= %s AND minute < %s)
  + (SELECT COALESCE(SUM(visits + bots), 0) FROM traffic_hourcount WHERE kind = 'total' AND hour >= %s)
"""


class Totals(NamedTuple):
    total: int
    recent: int


def totals(now: datetime, window: timedelta) -> Totals:
    """Visits ever, and those from the full second in which `now - window` falls; bots included.

    Single seconds up to the next minute, whole minutes up to the next hour, whole hours from there on.
    """
    second = (now - window).replace(microsecond=0)
    minute = ceiling(second, MINUTE)
    hour = ceiling(minute, HOUR)
    ((total, recent),) = _rows(RECENT, [second, minute, minute, hour, hour])
    return Totals(int(total), int(recent))


def uptime() -> float:
    """Seconds since `serve` began, the same in each of its processes."""
    return round(time.monotonic() - settings.SERVING_SINCE, 3)


def in_words(seconds: float) -> str:
    """`1d 0h 0m 0s`: leading units of zero are left out, inner ones shown."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "m")]
    while parts and not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{n}{unit}" for n, unit in [*parts, (rest, "s")])


# --- Rankings -------------------------------------------------------------------------------------------------
RANKING = """
WITH sums AS (
  SELECT {site} AS site_id, label_id, SUM(visits) AS visits, SUM(bots) AS bots FROM traffic_hourcount
  WHERE kind = %s AND hour >= %s AND hour < %s {only}
  GROUP BY {group}
)
SELECT {host}, label.text, sums.visits, sums.bots, SUM(sums.visits) OVER (), SUM(sums.bots) OVER ()
FROM sums JOIN traffic_label label ON label.id = sums.label_id {join}
ORDER BY sums.visits DESC, sums.bots DESC, label.text {plain}, 1 LIMIT %s
"""
SITES = """
WITH sums AS (
  SELECT site_id, SUM(visits) AS visits, SUM(bots) AS bots FROM traffic_hourcount
  WHERE kind = 'total' AND hour >= %s AND hour < %s GROUP BY site_id
)
SELECT site.host, site.name, COALESCE(sums.visits, 0) AS visits, COALESCE(sums.bots, 0) AS bots, site.first_seen,
  site.last_seen, SUM(sums.visits) OVER (), SUM(sums.bots) OVER (), COUNT(*) OVER ()
FROM traffic_site site LEFT JOIN sums ON sums.site_id = site.id
WHERE sums.site_id IS NOT NULL OR NOT site.reserved
ORDER BY 3 DESC, 4 DESC, site.host {plain} LIMIT %s OFFSET %s
"""


@dataclass(frozen=True)
class Counted:
    """Visits of people, and of bots."""

    visits: int = 0
    bots: int = 0

    def __add__(self, other: "Counted") -> "Counted":
        return Counted(self.visits + other.visits, self.bots + other.bots)

    def __sub__(self, other: "Counted") -> "Counted":
        return Counted(self.visits - other.visits, self.bots - other.bots)


@dataclass(frozen=True)
class Ranked:
    """A page, referrer or browser; `site` only for pages."""

    site: str | None
    text: str
    counted: Counted


@dataclass(frozen=True)
class Ranking:
    total: Counted
    items: Sequence[Ranked]

    @property
    def rest(self) -> Counted:
        """What the items leave: items + rest = total."""
        return self.total - sum((item.counted for item in self.items), Counted())


def _binary_order() -> str:
    return 'COLLATE "C"' if connection.vendor == "postgresql" else ""


def ranking(kind: str, period: Period, site: Site | None, limit: int) -> Ranking:
    """The texts of a kind that were counted most; pages by site, the others over all sites together."""
    by_site = kind == HourCount.Kind.PAGE
    statement = RANKING.format(
        site="site_id" if by_site else "NULL",
        group="site_id, label_id" if by_site else "label_id",
        host="site.host" if by_site else "NULL",
        join="JOIN traffic_site site ON site.id = sums.site_id" if by_site else "",
        only="" if site is None else "AND site_id = %s",
        plain=_binary_order(),
    )
    chosen = [] if site is None else [site.pk]
    rows = _rows(statement, [kind, period.start, period.end, *chosen, limit])
    total = Counted(int(rows[0][4]), int(rows[0][5])) if rows else Counted()
    return Ranking(total, [Ranked(host, text, Counted(int(v), int(b))) for host, text, v, b, _, _ in rows])


@dataclass(frozen=True)
class RankedSite:
    host: str
    name: str
    counted: Counted
    first_seen: datetime | None
    last_seen: datetime | None


@dataclass(frozen=True)
class SiteRanking:
    """`count` is the number of sites, of which `items` are some."""

    total: Counted
    items: Sequence[RankedSite]
    count: int

    @property
    def rest(self) -> Counted:
        return self.total - sum((item.counted for item in self.items), Counted())


def sites(period: Period, limit: int, offset: int = 0) -> SiteRanking:
    """All sites by their visits in the period; the reserved ones only where they have some."""
    statement = SITES.format(plain=_binary_order())
    rows = _rows(statement, [period.start, period.end, limit, offset])
    if not rows and offset:
        whole = sites(period, 1)
        return SiteRanking(whole.total, [], whole.count)
    items = [
        RankedSite(host, name, Counted(int(v), int(b)), first and _moment(first), last and _moment(last))
        for host, name, v, b, first, last, *_ in rows
    ]
    if not rows:
        return SiteRanking(Counted(), [], 0)
    *_, visits, bots, count = rows[0]
    return SiteRanking(Counted(int(visits or 0), int(bots or 0)), items, int(count))


# --- Curves ---------------------------------------------------------------------------------------------------
MINUTES = """
SELECT minute, SUM(visits), SUM(bots), NULL FROM traffic_minutecount
WHERE minute >= %s AND minute < %s {only} GROUP BY minute
"""
HOURS = """
SELECT hour, SUM(visits), SUM(bots), NULL FROM traffic_hourcount
WHERE kind = 'total' AND hour >= %s AND hour < %s {only} GROUP BY hour
"""
DAYS = (
    HOURS
    + """
UNION ALL
SELECT {midnight}, 0, 0, SUM(visitors) FROM traffic_daycount WHERE day >= %s AND day < %s {only} GROUP BY day
"""
)


@dataclass(frozen=True)
class Point:
    """A bucket; `visitors` only of a day."""

    at: datetime
    counted: Counted
    visitors: int | None = None


def _curve_rows(period: Period, site: Site | None) -> list[tuple[Any, ...]]:
    only = "" if site is None else "AND site_id = %s"
    chosen = [] if site is None else [site.pk]
    ends = [period.start, period.end, *chosen]
    if period.step == MINUTE:
        return _rows(MINUTES.format(only=only), ends)
    if period.step == HOUR:
        return _rows(HOURS.format(only=only), ends)
    midnight = (
        "day::timestamp AT TIME ZONE 'UTC'" if connection.vendor == "postgresql" else "day || ' 00:00:00'"
    )
    days = [period.start.date().isoformat(), period.end.date().isoformat()]
    return _rows(DAYS.format(only=only, midnight=midnight), [*ends, *days, *chosen])


def curve(period: Period, site: Site | None) -> list[Point]:
    """Every bucket of the period, also those in which nothing happened."""
    return _points(period, _curve_rows(period, site))


def _points(period: Period, rows: Iterable[tuple[Any, ...]]) -> list[Point]:
    counted = dict.fromkeys(period.buckets, Counted())
    visitors = dict.fromkeys(period.buckets, 0)
    for value, visits, bots, people in rows:
        moment = _moment(value)
        bucket = moment - (moment - period.start) % period.step
        counted[bucket] += Counted(int(visits), int(bots))
        visitors[bucket] += int(people or 0)
    daily = period.step == DAY
    return [Point(at, counted[at], visitors[at] if daily else None) for at in period.buckets]


LABEL = """
SELECT hour, SUM(visits), SUM(bots), NULL FROM traffic_hourcount
WHERE kind = %s AND label_id IN (SELECT id FROM traffic_label WHERE digest = %s) AND hour >= %s AND hour < %s {only}
GROUP BY hour
"""


def label_curve(kind: str, text: str, period: Period, site: Site | None) -> list[Point]:
    """The curve of one page, referrer or browser, by hours or days."""
    only = "" if site is None else "AND site_id = %s"
    chosen = [] if site is None else [site.pk]
    values = [kind, digest_of(text), period.start, period.end, *chosen]
    return _points(period, _rows(LABEL.format(only=only), values))


def visitors_on(day: date, site: Site | None) -> int:
    """Different visitors of a day, added up over the sites."""
    only = "" if site is None else "AND site_id = %s"
    values = [day.isoformat()] + ([] if site is None else [site.pk])
    ((number,),) = _rows(f"SELECT SUM(visitors) FROM traffic_daycount WHERE day = %s {only}", values)  # noqa: S608
    return int(number or 0)


# --- Raw visits -----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Extract:
    """Some visits as they stood when they were counted."""

    first: int
    last: int
    count: int
    rows: QuerySet[Visit]

    def __iter__(self) -> Iterator[Visit]:
        """Ascending by id, read in pieces; exactly as many as were counted."""
        after, left = self.first - 1, self.count
        while left > 0:
            piece = list(self.rows.filter(id__gt=after, id__lte=self.last).order_by("id")[: min(CHUNK, left)])
            if not piece:
                return
            yield from piece
            after, left = piece[-1].pk, left - len(piece)


def extract(start: datetime, end: datetime, site: Site | None) -> Extract:
    """The raw visits of a period."""
    rows = Visit.objects.filter(received_at__gte=start, received_at__lt=end).select_related("site")
    if site is not None:
        rows = rows.filter(site=site)
    found = rows.aggregate(first=Min("id"), last=Max("id"), count=Count("id"))
    return Extract(found["first"] or 0, found["last"] or 0, found["count"], rows)


def latest(limit: int = 100) -> QuerySet[Visit]:
    """The last visits, newest first."""
    return Visit.objects.select_related("site").order_by("-id")[:limit]


def visits_of_person(asked: Stretch) -> list[Event]:
    """For the timeline: visits whose `user_id` was the uuid of this person, newest first."""
    if not asked.filters.want(Domain.TRAFFIC):
        return []
    visits = Visit.objects.filter(person=asked.person).select_related("site")
    return [_as_event(visit) for visit in asked.newest(visits, "received_at")]


def _as_event(visit: Visit) -> Event:
    return event(
        visit.received_at,
        visit.pk,
        domain=Domain.TRAFFIC,
        category=Domain.TRAFFIC,
        action="visit",
        source_ip=visit.ip_address,
        object={"type": "page", "id": visit.page_url},
        details={
            "site": visit.site.host,
            "referrer": visit.referrer,
            "user_agent": visit.user_agent,
            "bot": visit.bot,
        },
    )
