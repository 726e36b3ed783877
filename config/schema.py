"""How the API describes itself: grouped by dialect, closed by default, every refusal with its shape and an example."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers

DIALECTS = {
    "activity": "The trail of what happened: search, statistics, people and providers. Dialect of KitsuTrail.",
    "traffic": "Visits of web pages. Dialect of Traffic Tracker.",
    "punch": "Accounts, devices and punches at the clock. Dialect of Chrona.",
    "pools": "Virtual desktops. Dialect of mockapi.",
    "compliance": "Site inspections. Dialect of FireMode.",
    "waymark": "The service itself.",
}


class WaymarkSchema(AutoSchema):
    """Tags come from the view's `dialect`."""

    def get_tags(self) -> list[str]:
        return [getattr(self.view, "dialect", "waymark")]


def without_aliases(endpoints: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The punch dialect answers under /api/ too, identically; it is described once. A hook of drf-spectacular."""
    return [e for e in endpoints if not e[0].startswith("/api/") or e[0].startswith(("/api/v1/", "/api/v2/"))]


def describe_dialects(result: dict[str, Any], **context: Any) -> dict[str, Any]:
    """The groups that occur, each with its description; a hook of drf-spectacular."""
    used = {
        tag
        for path in result["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
        for tag in operation.get("tags", [])
    }
    result["tags"] = [{"name": name, "description": text} for name, text in DIALECTS.items() if name in used]
    return result


class ErrorDetail(serializers.Serializer):
    """Why the request was refused."""

    detail = serializers.CharField()


class FieldError(serializers.Serializer):
    type = serializers.CharField()
    loc = serializers.ListField(child=serializers.JSONField())
    msg = serializers.CharField()
    input = serializers.JSONField(required=False)


class InvalidFields(serializers.Serializer):
    """Which fields are wrong, and how."""

    detail = FieldError(many=True)


class Deleted(serializers.Serializer):
    deleted = serializers.BooleanField()


EXAMPLES: dict[int, tuple[str, Any]] = {
    400: ("Bad request", "Bad Request"),
    401: ("No credentials, or ones that have ended", "Not authenticated"),
    403: ("The caller's roles do not allow this", "forbidden"),
    404: ("Not found", "Not Found"),
    409: ("Conflicts with what exists", "Already taken"),
    413: ("Body too large", "Request body too large"),
    415: ("Body is not JSON", "Unsupported Media Type"),
    422: (
        "Wrong input",
        [{"type": "missing", "loc": ["body", "name"], "msg": "Field required"}],
    ),
    429: ("Too many requests; see Retry-After", "Rate limit exceeded: retry in 30 seconds"),
    503: ("The database cannot be reached; see Retry-After", "Service temporarily unavailable"),
}


def errors(*statuses: int, **details: str) -> dict[int, OpenApiResponse]:
    """The refusals of an operation, for `@extend_schema(responses={200: ..., **errors(401, 403)})`.

    A keyword such as `e409="Login already taken"` gives the wording of one status.
    """
    described = {}
    for status in sorted({*statuses, *(int(name[1:]) for name in details)}):
        text, example = EXAMPLES[status]
        value = {"detail": details.get(f"e{status}", example)}
        described[status] = OpenApiResponse(
            InvalidFields if status == 422 else ErrorDetail,
            description=text,
            examples=[OpenApiExample(text, value=value, status_codes=[status], response_only=True)],
        )
    return described


def total_header(*statuses: int) -> OpenApiParameter:
    """`X-Total-Count` on the answer of a list."""
    return OpenApiParameter(
        "X-Total-Count",
        int,
        OpenApiParameter.HEADER,
        description="How many there are in all",
        response=list(statuses) or [200],
    )


def example(name: str, value: Any, **options: Any) -> OpenApiExample:
    """An example of an answer; `request_only=True` for one of a request."""
    options.setdefault("response_only", not options.get("request_only"))
    return OpenApiExample(name, value=value, **options)
