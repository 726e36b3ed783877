"""The attendance report: the punches of a period as a list, a CSV or a PDF, in Chrona's columns."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from activity.callers import Caller
from activity.models import Domain
from activity.services import NOBODY, recorded
from config.errors import Refusal
from punch.exports import csv_lines, pdf_table
from punch.models import Punch
from punch.periods import InvalidRange, Period

COLUMNS = ("id", "user_id", "device_id", "kiosk_id", "punch_type", "punched_at", "jwt_jti", "created_at")
PDF_COLUMNS = [("ID", 80), ("User", 80), ("Device", 80), ("Kiosk", 80), ("Type", 100), ("Punched At", 200)]
LONGEST, MOST_PDF_ROWS, READ_AT_ONCE = timedelta(days=366), 10_000, 2000
FORMATS = ("json", "csv", "pdf")


class FormatInvalid(Refusal):
    detail = "invalid_format"


class TooManyRows(Refusal):
    """A PDF of more than 10,000 rows helps nobody."""

    detail = "too_many_rows"


def chosen_format(text: str) -> str:
    """`json`, `csv` or `pdf`, case ignored; FormatInvalid."""
    wanted = text.strip().lower()
    if wanted not in FORMATS:
        raise FormatInvalid
    return wanted


def insist_on_a_year(when: Period) -> None:
    """InvalidRange for more than 366 days; a day's clock change does not count."""
    assert when.first_day is not None
    assert when.last_day is not None
    if when.last_day - when.first_day >= LONGEST:
        raise InvalidRange


def filename(when: Period, suffix: str) -> str:
    return f"attendance_{when.first_day}_{when.last_day}.{suffix}"


def record_export(kind: str, form: str, filters: dict[str, Any], *, by: Caller) -> None:
    """Who took which rows out of the house."""
    details = {"kind": kind, "format": form, "filters": filters}
    with recorded("report_exported", domain=Domain.PUNCH, by=by, person=NOBODY, details=details):
        pass


def written(moment: datetime) -> str:
    """A moment as the API writes it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _rows(punches: QuerySet[Punch]) -> Iterator[tuple[Any, ...]]:
    for row in punches.values_list(*COLUMNS).iterator(READ_AT_ONCE):
        yield (*row[:5], written(row[5]), row[6], written(row[7]))


def as_csv(punches: QuerySet[Punch]) -> Iterator[str]:
    return csv_lines(COLUMNS, _rows(punches))


def as_pdf(punches: QuerySet[Punch], when: Period, user_id: int | None) -> bytes:
    """TooManyRows over 10,000."""
    if punches[MOST_PDF_ROWS : MOST_PDF_ROWS + 1].exists():
        raise TooManyRows
    whose = "" if user_id is None else f" — Utilisateur #{user_id}"
    title = f"Rapport de présence du {when.first_day} au {when.last_day}{whose}"
    return pdf_table(title, PDF_COLUMNS, (row[:6] for row in _rows(punches)))
