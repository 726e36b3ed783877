"""Statistics in the shapes of KitsuTrail; the figures come from `activity.queries.statistics`."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from activity import serializers as shapes
from activity.api_base import TrailedView
from activity.queries import statistics
from config import inputs
from config.pagination import TOTAL_HEADER, answered
from config.schema import errors, example, total_header

SUMMARY = {"login": "uma", "authentication": 4, "access": 11, "failure": 2, "events": 17}


class StatisticsView(TrailedView):
    """Reads the window and answers; what is answered is the subclass's."""

    read_permission = "activity.read_trail"
    guests = True
    window = statistics.DAY

    def asked_window(self, asked: dict[str, Any]) -> timedelta:
        return timedelta(hours=asked["hours"]) if "hours" in asked else self.window

    def get(self, request: Request) -> Response:
        asked = inputs.query(shapes.StatisticsWindow, request)
        return Response(self.figures(timezone.now(), self.asked_window(asked)))

    def figures(self, now: datetime, window: timedelta) -> Any:
        raise NotImplementedError


def _described(
    operation: str, summary: str, shape: type[BaseSerializer], value: Any, description: str
) -> Any:
    described = extend_schema(
        operation_id=f"stats_{operation}",
        summary=summary,
        description=f"{description} `hours` sets the window.",
        parameters=[shapes.StatisticsWindow],
        responses={200: shape, **errors(401, 403, 422)},
        examples=[example("Figures", value, status_codes=["200"])],
    )
    return extend_schema_view(get=described)


@_described(
    "current",
    "Who is active now",
    shapes.CurrentFigures,
    {"active_sessions": 3, "active_users": 2, "total_users": 10, "total_idp": 3, "total_sp": 5},
    "Of the last 20 minutes.",
)
class CurrentView(StatisticsView):
    window = statistics.CURRENT

    def figures(self, now: datetime, window: timedelta) -> Any:
        return asdict(statistics.current(now, window))


@_described(
    "users",
    "Authentications and accesses by hour",
    shapes.HourlyFigures,
    {
        "authentications": {"data": [2, 0]},
        "access": {"data": [5, 1]},
        "labels": {"data": ["2026-11-22 09:00", "2026-11-22 10:00"]},
    },
    "Of known users; every hour from the window's first to the present one.",
)
class UsersByHourView(StatisticsView):
    def figures(self, now: datetime, window: timedelta) -> Any:
        return {name: {"data": data} for name, data in asdict(statistics.users_by_hour(now, window)).items()}


IDLE = {"success": {"data": [4]}, "failure": {"data": [1]}, "labels": {"data": ["Keycloak"]}}


@_described(
    "providers",
    "Successes and failures by provider",
    shapes.FiguresByType,
    {"idp": IDLE, "sp": IDLE},
    "Of known users; the busiest provider first, idle ones last.",
)
class ProvidersView(StatisticsView):
    def figures(self, now: datetime, window: timedelta) -> Any:
        return {
            kind: {
                "success": {"data": found.success},
                "failure": {"data": found.failure},
                "labels": {"data": found.names},
            }
            for kind, found in statistics.providers(now, window).items()
        }


@_described(
    "protocols",
    "Users by protocol",
    shapes.CategoryFigures,
    {
        "series": [{"name": "idp", "data": [3, 1]}, {"name": "sp", "data": [2, 0]}],
        "categories": ["OIDC", "SAML"],
    },
    "Distinct users with a success, for each protocol among the providers.",
)
class ProtocolsView(StatisticsView):
    def figures(self, now: datetime, window: timedelta) -> Any:
        found = statistics.protocols(now, window)
        series = [{"name": "idp", "data": found.idp}, {"name": "sp", "data": found.sp}]
        return {"series": series, "categories": found.protocols}


@_described(
    "failure_reasons",
    "Failures by reason",
    shapes.CategoryFigures,
    {
        "series": [{"name": "records", "data": [7, 2]}],
        "categories": ["permission_denied", "timeout"],
    },
    "Of known users; the most frequent first.",
)
class FailureReasonsView(StatisticsView):
    def figures(self, now: datetime, window: timedelta) -> Any:
        found = statistics.failure_reasons(now, window)
        return {"series": [{"name": "records", "data": found.records}], "categories": found.reasons}


class UsersSummaryView(StatisticsView):
    @extend_schema(
        operation_id="stats_users_summary",
        summary="What every user did",
        description="The busiest first, then by login. `hours` sets the window.",
        parameters=[shapes.SummaryWindow, total_header()],
        responses={200: shapes.UserFigures(many=True), **errors(401, 403, 422)},
        examples=[example("One user", SUMMARY, status_codes=["200"])],
    )
    def get(self, request: Request) -> Response:
        asked = inputs.query(shapes.SummaryWindow, request)
        rows = statistics.users_summary(timezone.now(), self.asked_window(asked))
        first = asked["offset"]
        return answered(rows[first : first + asked["limit"]], {TOTAL_HEADER: str(len(rows))})
