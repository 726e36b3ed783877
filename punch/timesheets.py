"""Time sheets as files, in the columns of punch.md 5.3."""

from collections.abc import Iterable, Iterator
from typing import Any

from punch.exports import csv_lines, pdf_table
from punch.hours import Row, Stamp, as_clock, as_hours
from punch.queries.stamps import Kiosks
from punch.queries.timesheet import Sheet, Span

COLUMNS = (
    "user_id", "name", "email", "date", "time_zone", "clock_in", "clock_out", "kiosk_in", "kiosk_out",
    "worked_seconds", "worked_hours", "flags",
)  # fmt: skip
PDF_COLUMNS = [
    ("Name", 170), ("Date", 65), ("In", 110), ("Out", 110), ("Kiosk", 130), ("Worked", 60), ("Flags", 90),
]  # fmt: skip


def _local(stamp: Stamp | None) -> str:
    return stamp.local.isoformat(timespec="seconds") if stamp is not None else ""


def _flags(row: Row) -> str:
    return ";".join([row.flag.value] if row.flag else [])


def _csv_row(sheet: Sheet, row: Row, kiosks: Kiosks) -> tuple[Any, ...]:
    person = sheet.person
    return (
        person.pk, person.get_full_name(), person.email or "", row.day.isoformat(), row.stamp.zone.key,
        _local(row.start), _local(row.end), kiosks.name(row.start), kiosks.name(row.end), row.seconds,
        as_hours(row.seconds), _flags(row),
    )  # fmt: skip


def as_csv(sheets: Iterable[Sheet], kiosks: Kiosks) -> Iterator[str]:
    """One line per interval or anomaly."""
    return csv_lines(COLUMNS, (_csv_row(sheet, row, kiosks) for sheet in sheets for row in sheet.rows))


def _pdf_row(sheet: Sheet, row: Row, kiosks: Kiosks) -> tuple[Any, ...]:
    start, end = (
        (stamp.local.strftime("%Y-%m-%d %H:%M") if stamp else "–") for stamp in (row.start, row.end)
    )
    return (
        sheet.person.get_full_name(), row.day, start, end, kiosks.name(row.stamp), as_clock(row.seconds), _flags(row)
    )  # fmt: skip


def as_pdf(sheets: Iterable[Sheet], span: Span, kiosks: Kiosks) -> bytes:
    """The same rows, and the total of each person at the end."""
    found = list(sheets)
    totals = [
        (sheet.person.get_full_name(), "Total", "", "", "", as_clock(sheet.seconds), as_hours(sheet.seconds))
        for sheet in found
    ]
    rows = (_pdf_row(sheet, row, kiosks) for sheet in found for row in sheet.rows)
    return pdf_table(f"Time sheet {span.first} to {span.last}", PDF_COLUMNS, rows, totals)
