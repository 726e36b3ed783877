"""Pages about visits, for readers; each reads its whole state from the address."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required, permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from activity.charts import Cell, Chart, Row, Series
from activity.views.frame import View, figure
from traffic import queries, retention
from traffic.agents import recognised
from traffic.forms import TrafficQuery, names_of_periods
from traffic.models import HourCount, Site
from traffic.periods import DAY, HOUR, MINUTE, Period, ceiling, floor
from traffic.places import is_link
from traffic.queries import Counted, Point

TOP, LATEST = 10, 100


def reader_page(view: View) -> View:
    """A page for readers of visits that changes nothing."""
    allowed = permission_required("traffic.read_visits", raise_exception=True)(view)
    return require_safe(never_cache(login_required(allowed)))


def _address(name: str = "traffic:overview", **query: Any) -> str:
    chosen = {key: value for key, value in query.items() if value not in (None, "")}
    return f"{reverse(name)}?{urlencode(chosen)}" if chosen else reverse(name)


def _framed(query: TrafficQuery) -> dict[str, Any]:
    names = names_of_periods()
    return {
        "periods": names,
        "period": query.period,
        "period_words": dict(names)[query.period],
        "site": query.site,
        "sites": Site.objects.order_by("reserved", "host"),
        "bots": query.bots,
        "interval": {MINUTE: _("minute"), HOUR: _("hour"), DAY: _("day")}[query.buckets.step],
    }


# --- Overview -------------------------------------------------------------------------------------------------
@reader_page
def overview(request: HttpRequest) -> HttpResponse:
    """How many came, when, to which pages, from where and with what; of all sites or one."""
    query = TrafficQuery(request.GET, timezone.now())
    site, hours = query.site, query.hours
    tables = [
        _ranked(HourCount.Kind.PAGE, _("Pages"), query, site, hours),
        _ranked(HourCount.Kind.REFERRER, _("Referrers"), query, site, hours),
        _ranked(HourCount.Kind.BROWSER, _("Browsers"), query, site, hours),
    ]
    points = queries.curve(query.buckets, site)
    total = sum((point.counted for point in points), Counted())
    context = {
        **_framed(query),
        "total": total,
        "figures": _figures(query, site, total),
        "curve": _curve(_("Visits"), points, query.buckets.step, bots=query.bots),
        "visitors": _visitors(query, site),
        "tables": tables,
        "empty": not Site.objects.filter(first_seen__isnull=False).exists(),
        "example": _curl(request),
    }
    return render(request, "traffic/overview.html", context)


def _figures(query: TrafficQuery, site: Site | None, total: Counted) -> list[dict[str, Any]]:
    now, host = query.now, site.host if site else None
    today = floor(now, DAY)
    day: dict[str, Any] = {"site": host, "range": "24h"}
    so_far = _between(today, now, site)
    week_ago = _between(today - 7 * DAY, now - 7 * DAY, site)
    live = sum((p.counted.visits for p in queries.curve(_last_minutes(now, 5), site)), 0)
    return [
        figure(_("Live now"), live, _address("traffic:latest"), _("visits in the last 5 minutes")),
        figure(_("Visits today"), so_far.visits, _address(**day), _compared(so_far.visits, week_ago.visits)),
        figure(
            _("Visitors today"),
            queries.visitors_on(today.date(), site),
            _address(**day),
            _("different people, by site"),
        ),
        figure(_("Bots today"), so_far.bots, _address(**day, bots=1), _compared(so_far.bots, week_ago.bots)),
        figure(
            _("Visits in this period"),
            total.visits,
            _address("traffic:latest"),
            dict(names_of_periods())[query.period],
        ),
    ]


def _last_minutes(now: datetime, number: int) -> Period:
    end = ceiling(now, MINUTE)
    return Period(end - number * MINUTE, end, MINUTE)


def _between(start: datetime, end: datetime, site: Site | None) -> Counted:
    """Whole hours, so that both days are compared over the same part of them."""
    points = queries.curve(
        Period(floor(start, HOUR), max(floor(start, HOUR) + HOUR, ceiling(end, HOUR)), HOUR), site
    )
    return sum((point.counted for point in points), Counted())


def _compared(number: int, before: int) -> str:
    if not before:
        return _("none on this weekday last week")
    change = round(100 * (number - before) / before)
    return _("%(change)s %% on this weekday last week") % {"change": f"{change:+d}".replace("-", "−")}


def _curve(title: str, points: list[Point], step: timedelta, *, bots: bool) -> Chart:
    form = "%Y-%m-%d" if step == DAY else "%Y-%m-%d %H:%M"
    series = [Series(_("Visits"), "series-1"), *([Series(_("Bots"), "series-4")] if bots else [])]
    rows = [
        Row(
            f"{point.at:{form}}",
            _tick(point.at, step, len(points)),
            [Cell(point.counted.visits, ""), *([Cell(point.counted.bots, "")] if bots else [])],
        )
        for point in points
    ]
    return Chart("line", title, _("Times are UTC"), _("From"), series, rows)


def _tick(at: datetime, step: timedelta, number: int) -> str:
    """What stands below a point: only as many words as have room."""
    if step == MINUTE:
        return f"{at:%H:%M}" if at.minute % 10 == 0 else ""
    if step == HOUR and number <= 24:
        return f"{at:%H} h" if at.hour % 3 == 0 else ""
    if step == HOUR:
        return f"{at:%d %b}" if at.hour == 0 else ""
    if number <= 31:
        return f"{at:%d %b}" if at.day % 3 == 1 else ""
    return f"{at:%b}" if at.day == 1 else ""


def _visitors(query: TrafficQuery, site: Site | None) -> Chart:
    """Visitors can be told apart within a day only, so they are never added up over days."""
    end = ceiling(query.now, DAY)
    days = max(7, (query.buckets.end - query.buckets.start) // DAY)
    points = queries.curve(Period(end - min(days, 366) * DAY, end, DAY), site)
    short = [f"{p.at:%d %b}" if len(points) <= 7 else _tick(p.at, DAY, len(points)) for p in points]
    rows = [
        Row(f"{p.at:%Y-%m-%d}", tick, [Cell(p.visitors or 0, "")])
        for p, tick in zip(points, short, strict=True)
    ]
    note = _("Told apart within one day and site, and by nothing beyond it")
    return Chart("bars", _("Visitors per day"), note, _("Day"), [Series(_("Visitors"), "series-2")], rows)


def _ranked(
    kind: HourCount.Kind, title: str, query: TrafficQuery, site: Site | None, period: Period
) -> dict[str, Any]:
    found = queries.ranking(kind, period, site, TOP)
    most = max((item.counted.visits for item in found.items), default=0)
    lines = [
        {
            "text": item.text,
            "site": item.site if site is None else None,
            "visits": item.counted.visits,
            "bots": item.counted.bots,
            "link": _address(
                "traffic:one",
                kind=kind.value,
                text=item.text,
                site=item.site or (site.host if site else None),
                range=query.period,
            ),
        }
        for item in found.items
        if item.counted.visits or query.bots
    ]
    return {"kind": kind.value, "title": title, "lines": lines, "most": most, "rest": found.rest}


@reader_page
def one(request: HttpRequest) -> HttpResponse:
    """One page, referrer or browser: its curve over the period."""
    query = TrafficQuery(request.GET, timezone.now())
    if query.kind is None:
        raise Http404
    buckets = (
        query.buckets if query.buckets.step != MINUTE else Period(query.hours.start, query.hours.end, HOUR)
    )
    points = queries.label_curve(query.kind, query.text, buckets, query.site)
    context = {
        **_framed(query),
        "kind": query.kind.label,
        "text": query.text,
        "total": sum((point.counted for point in points), Counted()),
        "curve": _curve(_("Visits"), points, buckets.step, bots=True),
        "back": _address(site=query.site.host if query.site else None, range=query.period),
    }
    return render(request, "traffic/one.html", context)


# --- Lists ----------------------------------------------------------------------------------------------------
@reader_page
def latest(request: HttpRequest) -> HttpResponse:
    """The last visits; addresses and agents are for administrators."""
    visits = [
        {
            "visit": visit,
            "link": visit.page_url if is_link(visit.page_url) else None,
            "browser": recognised(visit.user_agent)[0],
        }
        for visit in queries.latest(LATEST)
    ]
    private = request.user.has_perm("traffic.manage_sites")
    return render(
        request, "traffic/latest.html", {"visits": visits, "private": private, "example": _curl(request)}
    )


@reader_page
def sites(request: HttpRequest) -> HttpResponse:
    """Every site, how to add one, what is collected, and how long it is kept."""
    now = timezone.now()
    found = queries.sites(Period(floor(now - DAY, HOUR), ceiling(now, HOUR)), 100)
    last = retention.last_run()
    context = {
        "ranking": found,
        "last": last,
        "next": last.timestamp + DAY if last else None,
        "script": f'<script defer src="{request.build_absolute_uri(reverse("traffic-api:tracker"))}"></script>',
        "example": _curl(request),
    }
    return render(request, "traffic/sites.html", context)


def _curl(request: HttpRequest) -> str:
    """A line that logs a visit here."""
    body = '{"user_id": "me", "page_url": "https://www.example.org/"}'
    return f"curl {request.build_absolute_uri('/visit')} -H 'Content-Type: application/json' -d '{body}'"
