"""How the API document describes this app's endpoints."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view

from config.schema import errors, example, total_header
from traffic import serializers as shapes

ONE = {
    "user_id": "visitor-17",
    "page_url": "https://www.example.org/pricing",
    "referrer": "https://example.com/",
}
COUNTS = {"visits": 120, "bots": 8}
PERIOD = {"from": "2026-01-31T00:00:00.000000Z", "to": "2026-02-01T00:00:00.000000Z"}
READERS = errors(401, 403, 422, 503, e404="Site not found")
OPEN: dict[str, Any] = {"auth": [], "tags": ["traffic"]}

visit = extend_schema(
    operation_id="visit",
    summary="Log a visit",
    description="Open to every origin. Answers when the visit is durable, with its own number among all visits. "
    "`application/json`, any `+json`, or `text/plain` that holds JSON; 16 KB at most.",
    request={"application/json": shapes.VisitReport, "text/plain": shapes.VisitReport},
    responses={
        200: shapes.VisitReceipt,
        **errors(413, 415, 422, 429, e503="Visits cannot be stored right now."),
    },
    examples=[
        example("A visit", ONE, request_only=True),
        example(
            "Logged",
            {"success": True, "visit_count": 42, "message": "Visit logged successfully. Total visits: 42"},
            status_codes=["200"],
        ),
    ],
    **OPEN,
)

visits = extend_schema(
    operation_id="visits",
    summary="Log up to 1,000 visits in one transaction, all or nothing",
    description="They have the numbers `visit_count - accepted + 1` to `visit_count`. 2 MB at most. A token of an "
    "operator or administrator is not throttled.",
    request=shapes.VisitReports,
    responses={
        200: shapes.VisitReceipts,
        **errors(401, 413, 415, 422, 429, e503="Visits cannot be stored right now."),
    },
    examples=[
        example("Two visits", {"visits": [ONE, {**ONE, "user_id": "anon"}]}, request_only=True),
        example(
            "Logged",
            {
                "success": True,
                "accepted": 2,
                "visit_count": 44,
                "message": "2 visits logged successfully. Total visits: 44",
            },
            status_codes=["200"],
        ),
    ],
)

stats = extend_schema(
    operation_id="stats",
    summary="Total, recent visits and uptime",
    description="Counts every visit, bots included. `recent_visits` begins with the full second in which now minus "
    "the timeframe falls.",
    parameters=[shapes.StatsQuery],
    responses={200: shapes.Stats, **errors(422, 503)},
    examples=[
        example(
            "Running",
            {
                "uptime_seconds": 3600.5,
                "uptime_formatted": "1h 0m 0s",
                "total_visits": 42,
                "current_time": "2026-01-31T10:30:00.123456Z",
                "server_status": "running",
                "recent_visits": 10,
                "timeframe_hours": 1.0,
            },
            status_codes=["200"],
        )
    ],
    **OPEN,
)


def _report(operation: str, summary: str, query: Any, shape: Any, value: Any) -> Any:
    answers: dict[Any, Any] = {
        (200, "application/json"): shape,
        (200, "text/csv"): OpenApiTypes.STR,
        **READERS,
    }
    described = extend_schema(
        operation_id=f"stats_{operation}",
        summary=summary,
        parameters=[query, *([total_header()] if operation == "sites" else [])],
        responses=answers,
        examples=[example("A day", value, status_codes=["200"], media_type="application/json")],
    )
    return extend_schema_view(get=described)


def _ranked(item: dict[str, Any], site: bool = True) -> dict[str, Any]:
    named: dict[str, Any] = {"site": "www.example.org"} if site else {}
    return {
        **named,
        **PERIOD,
        "total": COUNTS,
        "items": [{**item, "visits": 100, "bots": 5}],
        "rest": {"visits": 20, "bots": 3},
    }


pages = _report(
    "pages",
    "Pages by visits",
    shapes.RankedQuery,
    shapes.PagesReport,
    _ranked({"site": "www.example.org", "path": "/pricing"}),
)
referrers = _report(
    "referrers",
    "Where visits came from",
    shapes.RankedQuery,
    shapes.ReferrersReport,
    _ranked({"referrer": "(direct)"}),
)
browsers = _report(
    "browsers",
    "Browsers by visits",
    shapes.RankedQuery,
    shapes.BrowsersReport,
    _ranked({"browser": "Firefox"}),
)
sites = _report(
    "sites",
    "Sites by visits",
    shapes.SitesQuery,
    shapes.SitesReport,
    _ranked(
        {
            "site": "www.example.org",
            "name": "Website",
            "first_seen": "2025-05-01T00:00:03.000000Z",
            "last_seen": "2026-01-31T10:30:00.000000Z",
        },
        site=False,
    ),
)
timeseries = _report(
    "timeseries",
    "Visits by minute, hour or day",
    shapes.SeriesQuery,
    shapes.SeriesReport,
    {
        "site": "www.example.org",
        **PERIOD,
        "interval": "day",
        "total": COUNTS,
        "points": [{"t": PERIOD["from"], **COUNTS, "visitors": 61}],
    },
)
EXPORTED: dict[Any, Any] = {
    (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, "One line a visit"),
    (200, "application/x-ndjson"): shapes.ExportedVisit,
    **READERS,
}
export = extend_schema_view(
    get=extend_schema(
        operation_id="stats_export",
        summary="Raw visits, streamed",
        description="Leaves a row `export_visits` in the trail before the first byte. Cells that a spreadsheet "
        "would take for formulas get a leading apostrophe.",
        parameters=[shapes.ExportQuery, total_header()],
        responses=EXPORTED,
        examples=[
            example(
                "A line",
                {
                    "id": 42,
                    "received_at": "2026-01-31T10:30:00.123456Z",
                    "site": "www.example.org",
                    "user_id": "anon",
                    "page_url": "https://www.example.org/pricing",
                    "referrer": None,
                    "user_agent": "curl/8.5.0",
                    "ip_address": "192.0.2.17",
                    "bot": False,
                },
                status_codes=["200"],
                media_type="application/x-ndjson",
            )
        ],
    )
)
