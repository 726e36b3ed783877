"""Export of the trail as a stream."""

from typing import Any

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from activity import serializers, services
from activity.api_base import TrailedView
from activity.callers import Caller
from activity.queries.exporting import FORMATS
from activity.queries.search import Filter
from config import inputs
from config.pagination import TOTAL_HEADER
from config.schema import errors, total_header

ANSWERS: dict[Any, Any] = {
    (200, "text/csv"): OpenApiTypes.STR,
    (200, "application/x-ndjson"): OpenApiTypes.STR,
    **errors(401, 403, 422, 429, 503),
}


class ExportView(TrailedView):
    read_permission = "activity.read_trail"

    @extend_schema(
        operation_id="audit_export",
        summary="Export the trail",
        description=(
            "Streams the whole filtered set as it stood when the request arrived, ascending by sequence. Repeat a "
            "parameter for several values. `X-Last-Sequence` is the `after_sequence` of the next export. In CSV "
            "a cell that a spreadsheet would take for a formula starts with `'`."
        ),
        parameters=[serializers.ExportQuery, total_header()],
        responses=ANSWERS,
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        asked = inputs.query(serializers.ExportQuery, request, strict=True)
        span = {"start": asked.get("start"), "end": asked.get("end")}
        form = asked["format"]
        export = services.export_trail(
            Filter.of({**asked, "time_range": span}), asked["after_sequence"], form, by=Caller.of(request)
        )
        response = StreamingHttpResponse(export, content_type=FORMATS[form][0])
        name = f"waymark-trail-{timezone.now():%Y%m%dT%H%M%SZ}.{form}"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        response[TOTAL_HEADER] = str(export.total)
        response["X-Last-Sequence"] = str(export.last)
        return response
