"""Bounded lists: an offset, a limit, and the total in a header."""

from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.response import Response

from config.inputs import Whole

Row = TypeVar("Row", bound=Model)
MAX_OFFSET = 10_000_000
TOTAL_HEADER = "X-Total-Count"


class Window(serializers.Serializer):
    """`offset` and `limit` of a native list; subclass it to add filters."""

    offset = Whole(min_value=0, max_value=MAX_OFFSET, default=0)
    limit = Whole(min_value=1, max_value=100, default=100)


def windowed(rows: QuerySet[Row], asked: dict[str, Any]) -> tuple[list[Row], dict[str, str]]:
    """The rows of this window and the header with the number of all of them: two queries."""
    start = asked["offset"]
    return list(rows[start : start + asked["limit"]]), {TOTAL_HEADER: str(rows.count())}


def answered(items: list[Any], headers: dict[str, str]) -> Response:
    """A bare array with its total."""
    return Response(items, headers=headers)
