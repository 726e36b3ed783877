"""One person's timeline over all apps."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from activity import serializers, services
from activity.api_base import TrailedView
from activity.callers import Caller
from activity.queries.timeline import Filters, PersonNotFound
from config import inputs
from config.schema import errors, example

PERSON_ID = "0c0f6a3e-7f0b-4d0e-9a51-1f6f4f3f2f10"
PAGE = {
    "person": {"id": PERSON_ID, "login": "uma", "firstname": "Uma", "lastname": "Noir", "active": True},
    "items": [
        {
            "timestamp": "2026-11-20T09:14:03.512000Z",
            "domain": "activity",
            "category": "management",
            "action": "open_timeline",
            "result": "success",
            "reason": None,
            "info": "Ticket 4711",
            "source_ip": "203.0.113.7",
            "source_admin": "audrey",
            "provider_name": None,
            "trace_id": "1f2e3d4c5b6a79880f1e2d3c4b5a6978",
            "object": {"type": "user", "id": PERSON_ID},
            "sequence": 1234,
            "details": {},
        }
    ],
    "next": None,
}
ORDER = (
    "Rows of the trail about this person and, from the other apps, visits: newest first. `next` is the `cursor` of "
    "the following page, good for an hour and for the same viewer, person and filters."
)


def page(request: Request, uuid: UUID) -> Response:
    """The page that the query asks for."""
    asked = inputs.query(serializers.TimelineQuery, request, strict=True)
    filters = Filters(tuple(asked.get("domain") or ()), asked.get("from"), asked.get("to"))
    timeline = services.open_timeline(
        uuid,
        filters,
        limit=asked["limit"],
        cursor=asked.get("cursor"),
        reason=asked.get("reason"),
        by=Caller.of(request),
    )
    return Response(serializers.TimelinePage(timeline).data)


class TimelineView(TrailedView):
    read_permission = "activity.read_trail"

    @extend_schema(
        operation_id="timeline",
        summary="Open a person's timeline",
        description=(
            f"{ORDER} Opening, that is any call without a cursor, is recorded before the answer with the viewer and "
            "the `reason`; the person sees it. A deleted person still has a timeline."
        ),
        parameters=[OpenApiParameter("uuid", UUID, OpenApiParameter.PATH), serializers.TimelineQuery],
        responses={
            200: serializers.TimelinePage,
            **errors(401, 403, 422, 429, 503, e404="Person not found"),
        },
        examples=[example("Somebody looked", PAGE, status_codes=["200"])],
    )
    def get(self, request: Request, uuid: str) -> Response:
        return page(request, _uuid(uuid))


class OwnTimelineView(TrailedView):
    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="timeline_own",
        summary="Read one's own timeline",
        description=f"{ORDER} It also shows who opened it and why. Looking at it oneself leaves no row.",
        parameters=[serializers.TimelineQuery],
        responses={200: serializers.TimelinePage, **errors(401, 422)},
        examples=[example("Somebody looked", PAGE, status_codes=["200"])],
    )
    def get(self, request: Request) -> Response:
        viewer: Any = request.user
        return page(request, viewer.uuid)


def _uuid(text: str) -> UUID:
    """What is no uuid names nobody."""
    try:
        return UUID(text)
    except ValueError as error:
        raise PersonNotFound from error
