"""The filtered trail as text, in constant memory: CSV (RFC 4180) or NDJSON, ascending by sequence."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet

from activity.models import Entry
from activity.queries.search import EXTENDED_ROW

CHUNK = 2_000
# What a spreadsheet takes for a formula, also behind blanks and in full-width forms (OWASP, CSV injection).
FORMULA = re.compile(r"[\s\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r]")
NUMBER = EXTENDED_ROW.index("sequence")
Row = tuple[Any, ...]


def rows_of(found: QuerySet[Entry], after: int, upto: int) -> Iterator[list[Row]]:
    """Chunks of rows, each a query of its own, so that no transaction outlives a slow reader."""
    rows = found.filter(pk__lte=upto).order_by("pk").values_list(*EXTENDED_ROW)
    while chunk := list(rows.filter(pk__gt=after)[:CHUNK]):
        yield chunk
        after = chunk[-1][NUMBER]


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def cell(value: Any) -> Any:
    """A value as a spreadsheet may see it: null is empty, and nothing starts a formula."""
    if isinstance(value, str):
        return value if value[:1].isalnum() or not FORMULA.match(value) else f"'{value}"
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value


def _csv(chunks: Iterator[list[Row]]) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text)  # its default dialect ends lines with CRLF
    writer.writerow(EXTENDED_ROW)
    for chunk in chunks:
        writer.writerows([[cell(value) for value in row] for row in chunk])
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


def _plain(value: Any) -> Any:
    return _moment(value) if isinstance(value, datetime) else value


def _ndjson(chunks: Iterator[list[Row]]) -> Iterator[bytes]:
    for chunk in chunks:
        lines = [
            json.dumps(dict(zip(EXTENDED_ROW, map(_plain, row), strict=True)), ensure_ascii=False)
            for row in chunk
        ]
        yield ("\n".join(lines) + "\n").encode()


FORMATS: dict[str, tuple[str, Callable[[Iterator[list[Row]]], Iterator[bytes]]]] = {
    "csv": ("text/csv; charset=utf-8", _csv),
    "ndjson": ("application/x-ndjson", _ndjson),
}
