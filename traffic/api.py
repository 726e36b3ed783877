"""JSON answers: the dialect of Traffic Tracker, and the reports that go beyond it."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from activity.api_base import TrailedView
from activity.callers import Caller
from activity.models import Domain
from config import inputs
from config.middleware import TooLarge
from config.pagination import TOTAL_HEADER
from identity.authentication import AccessTokenAuthentication
from traffic import openapi, queries, services
from traffic.arrivals import Reporter, check_type, header_agent, read_visit, read_visits
from traffic.ingest.door import MAX_BODY
from traffic.models import HourCount, Site
from traffic.periods import Period, bounds, period
from traffic.queries import Counted, Extract
from traffic.serializers import (
    ExportedVisit,
    ExportQuery,
    PeriodQuery,
    RankedQuery,
    SeriesQuery,
    SitesQuery,
    StatsQuery,
    wire_time,
)
from traffic.sheets import as_csv

MAX_MANY = 2_097_152


class OpenView(TrailedView):
    """Answers everybody; no cookie counts here."""

    dialect = "traffic"
    domain = Domain.TRAFFIC
    authentication_classes: Sequence[type[BaseAuthentication]] = []
    permission_classes = [AllowAny]


def _body(request: Request, most: int) -> bytes:
    """The raw body of a request that says it is JSON."""
    check_type(request.content_type)
    body: bytes = request._request.body
    if len(body) > most:
        raise TooLarge
    return body


def _reporter(request: Request) -> Reporter:
    return Reporter(header_agent(request.META.get("HTTP_USER_AGENT")), Caller.of(request).ip)


class VisitView(OpenView):
    """`/visit` where no ASGI server runs (`runserver`, tests); `traffic.ingest` answers it otherwise."""

    @openapi.visit
    def post(self, request: Request) -> Response:
        reporter = _reporter(request)
        visit = read_visit(_body(request, MAX_BODY), reporter)
        number = services.log_visits([visit], reporter.address)
        message = f"Visit logged successfully. Total visits: {number}"
        return Response({"success": True, "visit_count": number, "message": message})


class VisitsView(OpenView):
    authentication_classes = [AccessTokenAuthentication]

    @openapi.visits
    def post(self, request: Request) -> Response:
        reporter = _reporter(request)
        trusted = request.user.is_authenticated and request.user.has_perm("traffic.import_visits")
        visits = read_visits(_body(request, MAX_MANY), reporter)
        number = services.log_visits(visits, None if trusted else reporter.address)
        message = f"{len(visits)} visits logged successfully. Total visits: {number}"
        return Response({"success": True, "accepted": len(visits), "visit_count": number, "message": message})


class StatsView(OpenView):
    @openapi.stats
    def get(self, request: Request) -> Response:
        hours = inputs.query(StatsQuery, request)["timeframe_hours"]
        now = timezone.now()
        totals = queries.totals(now, timedelta(hours=hours))
        uptime = queries.uptime()
        return Response(
            {
                "uptime_seconds": uptime,
                "uptime_formatted": queries.in_words(uptime),
                "total_visits": totals.total,
                "current_time": wire_time(now),
                "server_status": "running",
                "recent_visits": totals.recent,
                "timeframe_hours": hours,
            }
        )


# --- Reports --------------------------------------------------------------------------------------------------
def _counts(counted: Counted) -> dict[str, int]:
    return {"visits": counted.visits, "bots": counted.bots}


class ReportView(TrailedView):
    """A report for readers: reads the query, answers JSON or the items as CSV."""

    dialect = "traffic"
    domain = Domain.TRAFFIC
    read_permission = "traffic.read_visits"
    query: type[PeriodQuery] = RankedQuery
    items = "items"
    columns: tuple[str, ...]

    def get(self, request: Request) -> HttpResponse:
        asked = inputs.query(self.query, request, strict=True)
        site = queries.site_named(asked.get("site"))
        answer = self.report(asked, site)
        if asked["format"] == "csv":
            return self.sheet(answer[self.items])
        return Response(answer)

    def sheet(self, items: Sequence[dict[str, Any]]) -> HttpResponse:
        text = "".join(as_csv(self.columns, ([item[name] for name in self.columns] for item in items)))
        return HttpResponse(text, content_type="text/csv; charset=utf-8")

    def report(self, asked: dict[str, Any], site: Site | None) -> dict[str, Any]:
        raise NotImplementedError


def _head(site: Site | None, chosen: Period) -> dict[str, Any]:
    return {
        "site": site.host if site else None,
        "from": wire_time(chosen.start),
        "to": wire_time(chosen.end),
    }


class RankingView(ReportView):
    kind: HourCount.Kind
    noun: str

    def report(self, asked: dict[str, Any], site: Site | None) -> dict[str, Any]:
        chosen = period(asked, timezone.now())
        found = queries.ranking(self.kind, chosen, site, asked["limit"])
        return {
            **_head(site, chosen),
            "total": _counts(found.total),
            "items": [self.item(one) for one in found.items],
            "rest": _counts(found.rest),
        }

    def item(self, one: queries.Ranked) -> dict[str, Any]:
        named = {"site": one.site} if one.site is not None else {}
        return {**named, self.noun: one.text, **_counts(one.counted)}


@openapi.pages
class PagesView(RankingView):
    kind, noun = HourCount.Kind.PAGE, "path"
    columns = ("site", "path", "visits", "bots")


@openapi.referrers
class ReferrersView(RankingView):
    kind, noun = HourCount.Kind.REFERRER, "referrer"
    columns = ("referrer", "visits", "bots")


@openapi.browsers
class BrowsersView(RankingView):
    kind, noun = HourCount.Kind.BROWSER, "browser"
    columns = ("browser", "visits", "bots")


@openapi.timeseries
class TimeseriesView(ReportView):
    query = SeriesQuery
    items = "points"
    columns = ("t", "visits", "bots", "visitors")

    def report(self, asked: dict[str, Any], site: Site | None) -> dict[str, Any]:
        chosen = period(asked, timezone.now(), asked["interval"], limited=True)
        points = queries.curve(chosen, site)
        return {
            **_head(site, chosen),
            "interval": asked["interval"],
            "total": _counts(sum((point.counted for point in points), Counted())),
            "points": [
                {"t": wire_time(point.at), **_counts(point.counted), "visitors": point.visitors}
                for point in points
            ],
        }


@openapi.sites
class SitesView(ReportView):
    query = SitesQuery
    columns = ("site", "name", "visits", "bots", "first_seen", "last_seen")

    def get(self, request: Request) -> HttpResponse:
        response = super().get(request)
        response[TOTAL_HEADER] = str(self.count)
        return response

    def report(self, asked: dict[str, Any], site: Site | None) -> dict[str, Any]:
        chosen = period(asked, timezone.now())
        found = queries.sites(chosen, asked["limit"], asked["offset"])
        self.count = found.count
        return {
            "from": wire_time(chosen.start),
            "to": wire_time(chosen.end),
            "total": _counts(found.total),
            "items": [
                {
                    "site": one.host,
                    "name": one.name,
                    **_counts(one.counted),
                    "first_seen": wire_time(one.first_seen),
                    "last_seen": wire_time(one.last_seen),
                }
                for one in found.items
            ],
            "rest": _counts(found.rest),
        }


COLUMNS = tuple(ExportedVisit().fields)


def _exported(found: Extract) -> Iterator[tuple[Any, ...]]:
    for visit in found:
        yield (
            visit.pk,
            wire_time(visit.received_at),
            visit.site.host,
            visit.user_id,
            visit.page_url,
            visit.referrer,
            visit.user_agent,
            visit.ip_address,
            visit.bot,
        )


def _lines(found: Extract) -> Iterator[str]:
    for row in _exported(found):
        yield json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False) + "\n"


@openapi.export
class ExportView(ReportView):
    """Raw visits, streamed; the only report that reads them."""

    query = ExportQuery

    def get(self, request: Request) -> HttpResponse:
        asked = inputs.query(self.query, request, strict=True)
        site, now = queries.site_named(asked.get("site")), timezone.now()
        start, end = bounds(asked, now)
        found = services.open_export(start, end, site, asked["format"], by=Caller.of(request))
        return _download(found, asked["format"], f"waymark-visits-{now:%Y%m%dT%H%M%SZ}")


def _download(found: Extract, form: str, name: str) -> HttpResponse:
    pieces = as_csv(COLUMNS, _exported(found)) if form == "csv" else _lines(found)
    kind = "text/csv; charset=utf-8" if form == "csv" else "application/x-ndjson"
    response = StreamingHttpResponse(pieces, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    response[TOTAL_HEADER] = str(found.count)
    return response  # type: ignore[return-value]
