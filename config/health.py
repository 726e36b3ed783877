"""Whether this process is alive and its database answers; in the words of all dialects at once."""

import logging
import time
from typing import Any

from django.db import Error, connection
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config import __version__

log = logging.getLogger("waymark.health")
STARTED = time.monotonic()


class Health(serializers.Serializer):
    status = serializers.ChoiceField(["ok", "degraded"], help_text="`degraded`: the database does not answer")
    db = serializers.ChoiceField(["ok", "down"])
    timestamp = serializers.DateTimeField()
    uptime_seconds = serializers.FloatField(help_text="Since the start of the process that answers")
    service = serializers.CharField()
    version = serializers.CharField()


EXAMPLE = OpenApiExample(
    "All is well",
    {
        "status": "ok",
        "db": "ok",
        "timestamp": "2026-01-31T12:00:00.000000Z",
        "uptime_seconds": 86400.0,
        "service": "waymark",
        "version": "0.1.0",
    },
)


def database_answers() -> bool:
    """Whether the database answers the simplest question now; why not stands in the log only."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone() == (1,))
    except Error:
        log.warning("The database does not answer", exc_info=True)
        return False


def report() -> dict[str, object]:
    """The health of this process, now."""
    alive = database_answers()
    return {
        "status": "ok" if alive else "degraded",
        "db": "ok" if alive else "down",
        "timestamp": timezone.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "uptime_seconds": round(time.monotonic() - STARTED, 3),
        "service": "waymark",
        "version": __version__,
    }


class HealthView(APIView):
    authentication_classes: list[Any] = []
    permission_classes: list[Any] = [AllowAny]

    @extend_schema(
        operation_id="health",
        summary="Is the service alive, and does its database answer",
        tags=["service"],
        auth=[],
        responses={200: OpenApiResponse(Health, "Alive; `status` says how well", [EXAMPLE])},
    )
    def get(self, request: Request) -> Response:
        return Response(report(), headers={"Cache-Control": "no-store"})


class ReadyView(HealthView):
    @extend_schema(
        operation_id="ready",
        summary="Should this process get requests",
        tags=["service"],
        auth=[],
        responses={
            200: OpenApiResponse(Health, "Send requests", [EXAMPLE]),
            503: OpenApiResponse(Health, "Send them elsewhere"),
        },
    )
    def get(self, request: Request) -> Response:
        answer = super().get(request)
        answer.status_code = 200 if answer.data["status"] == "ok" else 503
        return answer


health = HealthView.as_view()
ready = ReadyView.as_view()
