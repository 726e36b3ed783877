"""From the answers of the statistics to tables that a page prints and a script draws."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from activity.queries import statistics

HOUR = timedelta(hours=1)
LONG = timedelta(days=8)  # longer periods are shown by the day
Slot = tuple[datetime, int, int]
ACCESS_EVENTS = {"domain": "activity", "category": "autorisation"}


@dataclass(frozen=True)
class Series:
    name: str
    token: str
    """Name of the colour among the design tokens."""


@dataclass(frozen=True)
class Cell:
    value: int
    link: str


@dataclass(frozen=True)
class Row:
    label: str
    short: str
    """What stands under the bar, where the whole label has no room."""
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Chart:
    """`kind`: `bars`, `line`, `rows` (bars that lie), `stack-rows`."""

    kind: str
    title: str
    note: str
    head: str
    series: Sequence[Series]
    rows: Sequence[Row]

    @property
    def empty(self) -> bool:
        return not any(cell.value for row in self.rows for cell in row.cells)


def log_link(**filters: Any) -> str:
    """The address of the log book with these filters."""
    chosen = {name: value for name, value in filters.items() if value is not None}
    return f"{reverse('activity:log')}?{urlencode(chosen, doseq=True)}"


def period(start: datetime, end: datetime) -> dict[str, str]:
    """Both ends as the log book reads them."""
    return {
        name: moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        for name, moment in (("start", start), ("end", end))
    }


def known(start: datetime, end: datetime, **filters: Any) -> str:
    """The list behind a number of the statistics: known people's sign-ins and accesses."""
    return log_link(**ACCESS_EVENTS, **filters, **period(start, end), known="1")


def _counted(value: int, start: datetime, end: datetime, **filters: Any) -> Cell:
    """A number with the list behind it; behind nothing there is none."""
    return Cell(value, known(start, end, **filters) if value else "")


def by_hour(answer: statistics.Hourly, start: datetime, end: datetime) -> Chart:
    """Authentications and accesses over time: by the hour, and by the day when the period is long."""
    hours = [datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC) for text in answer.labels]
    slots = list(zip(hours, answer.authentications, answer.access, strict=True))
    series = [Series(_("Authentications"), "series-1"), Series(_("Accesses"), "series-2")]
    title, note = _("Authentications and accesses"), _("Known people, successes and failures, in UTC.")
    if end - start > LONG:
        rows = [_day_row(slot, start, end) for slot in _by_day(slots)]
        return Chart("bars", title, note, _("Day (UTC)"), series, rows)
    rows = [_hour_row(slot, start, end) for slot in slots]
    return Chart("line" if len(rows) > 25 else "bars", title, note, _("Hour (UTC)"), series, rows)


def _by_day(slots: Iterable[Slot]) -> list[Slot]:
    days: dict[datetime, tuple[int, int]] = {}
    for hour, authentications, accesses in slots:
        day = hour.replace(hour=0)
        before = days.get(day, (0, 0))
        days[day] = before[0] + authentications, before[1] + accesses
    return [(day, *counts) for day, counts in days.items()]


def _day_row(slot: Slot, start: datetime, end: datetime) -> Row:
    day = slot[0]
    return Row(f"{day:%Y-%m-%d}", f"{day.day}.{day.month}.", _slot_cells(slot, 24 * HOUR, start, end))


def _hour_row(slot: Slot, start: datetime, end: datetime) -> Row:
    """Under the bars stands the hour, and the day where it begins; over several days only that."""
    hour = slot[0]
    short = f"{hour:%H:%M}" if hour.hour else f"{hour:%Y-%m-%d}"
    if end - start > 48 * HOUR:
        short = "" if hour.hour else f"{hour:%a} {hour.day}"
    return Row(f"{hour:%Y-%m-%d %H:%M}", short, _slot_cells(slot, HOUR, start, end))


def _slot_cells(slot: Slot, length: timedelta, start: datetime, end: datetime) -> list[Cell]:
    """Both numbers of a slot with their lists, which end where the period ends."""
    at, authentications, accesses = slot
    inside = max(at, start), min(at + length - timedelta(microseconds=1), end)
    return [
        _counted(authentications, *inside, action="authentication"),
        _counted(accesses, *inside, action="access"),
    ]


def by_provider(kind: str, answer: statistics.ProviderEvents, start: datetime, end: datetime) -> Chart:
    """Successes and failures of each provider of one type."""
    rows = [
        Row(
            name,
            name,
            [
                _counted(success, start, end, provider_id=number, result="success"),
                _counted(failure, start, end, provider_id=number, result="fail"),
            ],
        )
        for name, success, failure, number in zip(
            answer.names, answer.success, answer.failure, answer.ids, strict=True
        )
    ]
    titles = {"idp": _("Where people authenticate (IdP)"), "sp": _("What people open (SP)")}
    series = [Series(_("Successes"), "series-1"), Series(_("Failures"), "bad")]
    return Chart("stack-rows", titles[kind], _("Known people, busiest first."), _("Provider"), series, rows)


def by_protocol(answer: statistics.Protocols, start: datetime, end: datetime) -> Chart:
    """How many people succeeded by each protocol."""
    rows = [
        Row(
            name,
            name,
            [
                _counted(idp, start, end, provider_type="idp", provider_protocol=name, result="success"),
                _counted(sp, start, end, provider_type="sp", provider_protocol=name, result="success"),
            ],
        )
        for name, idp, sp in zip(answer.protocols, answer.idp, answer.sp, strict=True)
    ]
    series = [Series(_("At IdPs"), "series-1"), Series(_("At SPs"), "series-3")]
    return Chart(
        "bars", _("People by protocol"), _("Different people with a success."), _("Protocol"), series, rows
    )


def by_reason(answer: statistics.Reasons, start: datetime, end: datetime) -> Chart:
    """Why sign-ins and accesses failed."""
    rows = [
        Row(reason, reason, [Cell(count, _reason_link(reason, start, end))])
        for reason, count in zip(answer.reasons, answer.records, strict=True)
    ]
    note = _("Failures of known people, most frequent first.")
    return Chart("rows", _("Why it failed"), note, _("Reason"), [Series(_("Failures"), "bad")], rows)


def _reason_link(reason: str, start: datetime, end: datetime) -> str:
    """No list stands behind `unspecified`: the search cannot ask for an empty reason."""
    return "" if reason == statistics.UNSPECIFIED else known(start, end, reason=reason, result="fail")
