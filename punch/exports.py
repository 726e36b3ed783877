"""Files made of rows: CSV that is streamed and harmless in a spreadsheet, PDF drawn row by row. Pure."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import Any

from reportlab.lib.pagesizes import A4, landscape
from reportlab.pdfgen.canvas import Canvas

FORMULA = re.compile(r"\s*[=+\-@\t\r]")
MARGIN, LINE, TITLE_SIZE, TEXT_SIZE = 36, 13, 13, 8
SENT_AT_ONCE = 500


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def harmless(cell: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets a leading apostrophe, also behind blanks."""
    return f"'{cell}" if isinstance(cell, str) and FORMULA.match(cell) else cell


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """A CSV file in pieces of some hundred lines: UTF-8 without BOM, CRLF (RFC 4180)."""
    writer = csv.writer(_Echo())
    piece = [str(writer.writerow(header))]
    for row in rows:
        piece.append(str(writer.writerow([harmless(cell) for cell in row])))
        if len(piece) >= SENT_AT_ONCE:
            yield "".join(piece)
            piece = []
    yield "".join(piece)


def _printable(text: Any) -> str:
    """What the fonts built into every PDF reader can show; other letters become a question mark."""
    return str("" if text is None else text).encode("cp1252", "replace").decode("cp1252")


class _Sheet:
    """A table on as many pages as it needs; each repeats the title and the names of the columns."""

    def __init__(self, title: str, columns: Sequence[tuple[str, int]]) -> None:
        self.title, self.columns = _printable(title), columns
        self.width, self.height = landscape(A4)
        self.file = BytesIO()
        self.canvas = Canvas(self.file, pagesize=(self.width, self.height), invariant=True)
        self.canvas.setTitle(title)
        self.page = 0
        self.y = 0.0

    def _begin_page(self) -> None:
        self.page += 1
        self.canvas.setFont("Helvetica-Bold", TITLE_SIZE)
        self.canvas.drawString(MARGIN, self.height - MARGIN, self.title)
        self.canvas.setFont("Helvetica", TEXT_SIZE)
        self.canvas.drawRightString(self.width - MARGIN, MARGIN / 2, str(self.page))
        self.y = self.height - MARGIN - 2 * LINE
        self._cells([name for name, _width in self.columns], "Helvetica-Bold")
        self.canvas.line(MARGIN, self.y + LINE - 4, self.width - MARGIN, self.y + LINE - 4)

    def _cells(self, cells: Sequence[Any], font: str) -> None:
        self.canvas.setFont(font, TEXT_SIZE)
        x = float(MARGIN)
        for (_name, width), cell in zip(self.columns, cells, strict=True):
            letters = max(1, int(width / (TEXT_SIZE * 0.52)))
            self.canvas.drawString(x, self.y, _printable(cell)[:letters])
            x += width
        self.y -= LINE

    def row(self, cells: Sequence[Any], font: str = "Helvetica") -> None:
        if self.y < MARGIN + LINE:
            if self.page:
                self.canvas.showPage()
            self._begin_page()
        self._cells(cells, font)

    def finished(self) -> bytes:
        if not self.page:
            self._begin_page()
        self.canvas.save()
        return self.file.getvalue()


def pdf_table(
    title: str,
    columns: Sequence[tuple[str, int]],
    rows: Iterable[Sequence[Any]],
    totals: Iterable[Sequence[Any]] = (),
) -> bytes:
    """A PDF with one table; `columns` are names and widths in points, `totals` come last in bold."""
    sheet = _Sheet(title, columns)
    for row in rows:
        sheet.row(row)
    for row in totals:
        sheet.row(row, "Helvetica-Bold")
    return sheet.finished()
