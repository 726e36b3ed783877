"""Audit search: the trail in the shape of KitsuTrail."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from activity.api_base import TrailedView
from activity.queries.search import EXTENDED_ROW, ROW, Filter, search
from activity.serializers import AuditPage, AuditSearch
from config import inputs
from config.schema import errors, example

PER_PAGE, FIRST_PAGE = 20, 1
ASKED = {
    "filter": {
        "time_range": {"start": "2026-11-01T00:00:00Z", "end": "2026-11-30"},
        "result": ["fail"],
        "source_ip": ["203.0.113.0/24"],
    },
    "per_page": 20,
    "page": 1,
}
ROW_EXAMPLE = {
    "timestamp": "2026-11-20T09:14:03.512000Z",
    "audit_id": "8d5e2f7a90b14c6d8e3f1a2b4c5d6e7f",
    "user_id": "0c0f6a3e-7f0b-4d0e-9a51-1f6f4f3f2f10",
    "user_login": "uma",
    "provider_type": "idp",
    "provider_id": 1,
    "provider_name": "Keycloak",
    "provider_protocol": "SAML",
    "trace_id": "1f2e3d4c5b6a79880f1e2d3c4b5a6978",
    "source_ip": "203.0.113.7",
    "source_admin": None,
    "category": "autorisation",
    "action": "authentication",
    "result": "fail",
    "reason": "permission_denied",
    "info": "wrong_credentials",
}
METADATA = {"total_items": 1, "total_page": 1, "page": 1, "items_in_page": 1}


class AuditSearchView(TrailedView):
    read_permission = "activity.read_trail"
    guests = True

    @extend_schema(
        operation_id="audit_search",
        summary="Search the trail",
        description="Newest first. Times without an offset are UTC. `total_items` is exact.",
        request=AuditSearch,
        responses={200: AuditPage, **errors(401, 403, 413, 415, 422)},
        examples=[
            example("Failures from one network", ASKED, request_only=True),
            example("One row", {"items": [ROW_EXAMPLE], "metadata": METADATA}, status_codes=["200"]),
        ],
    )
    def post(self, request: Request) -> Response:
        asked = inputs.body(AuditSearch, request)
        page, per_page = asked["page"] or FIRST_PAGE, asked["per_page"] or PER_PAGE
        columns = EXTENDED_ROW if asked["extended"] else ROW
        rows, total = search(Filter.of(asked["filter"]), page, per_page, columns)
        metadata = {
            "total_items": total,
            "total_page": -(-total // per_page),
            "page": page,
            "items_in_page": len(rows),
        }
        return Response({"items": rows, "metadata": metadata})
