"""Rows as CSV that no spreadsheet takes for formulas (activity.md 2.6)."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

FORMULA = re.compile(r"[\t\r]|[ \t\r\n]*[=+\-@＝＋－＠]")
ROWS_A_PIECE = 500


def neutral(cell: Any) -> str:
    """A cell as text; one that a spreadsheet would run gets a leading apostrophe."""
    if cell is None:
        return ""
    text = str(cell)
    return f"'{text}" if FORMULA.match(text) else text


def as_csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """RFC 4180, a few hundred rows at a time. Numbers stay numbers."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    for number, row in enumerate(rows, 1):
        writer.writerow([cell if isinstance(cell, int) else neutral(cell) for cell in row])
        if number % ROWS_A_PIECE == 0:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()
