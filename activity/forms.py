"""What the pages read from their addresses."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext_lazy as _

from activity.models import Domain, Entry, Provider
from config.inputs import UNSTORABLE

MAX_VALUES = 200
DAWN, DUSK = datetime(1970, 1, 1, tzinfo=UTC), datetime(2999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
PERIODS = {
    "1h": (_("Last hour"), timedelta(hours=1)),
    "24h": (_("Last 24 hours"), timedelta(hours=24)),
    "7d": (_("Last 7 days"), timedelta(days=7)),
    "30d": (_("Last 30 days"), timedelta(days=30)),
    "all": (_("All time"), None),
}
PERIOD_WORDS = {
    "1h": _("in the last hour"),
    "24h": _("in the last 24 hours"),
    "7d": _("in the last 7 days"),
    "30d": _("in the last 30 days"),
    "all": _("since the beginning"),
}
PAGE_SIZES = (10, 20, 50, 100)
COLUMNS = {
    "time": _("Time"),
    "person": _("Person"),
    "action": _("Action"),
    "provider": _("Where"),
    "result": _("Result"),
    "reason": _("Reason"),
    "info": _("Info"),
    "address": _("Address"),
    "admin": _("Done by"),
    "object": _("Object"),
    "domain": _("Domain"),
    "category": _("Category"),
    "session": _("Session"),
    "sequence": _("Number"),
}
USUAL_COLUMNS = ("time", "person", "action", "provider", "result", "reason", "address")
CLOSED_SETS = {
    "result": Entry.Result.choices,
    "domain": Domain.choices,
    "provider_type": Provider.Type.choices,
    "provider_protocol": Provider.Protocol.choices,
}
LABELS = {
    "user_login": _("Person"),
    "action": _("Action"),
    "result": _("Result"),
    "provider_name": _("Provider"),
    "source_ip": _("Address or network"),
    "reason": _("Reason"),
    "domain": _("Domain"),
    "category": _("Category"),
    "trace_id": _("Session"),
    "user_id": _("User id"),
    "source_admin": _("Done by"),
    "provider_type": _("Provider type"),
    "provider_protocol": _("Protocol"),
    "provider_id": _("Provider number"),
    "object_type": _("Object type"),
    "object_id": _("Object id"),
}
FIRST_FIELDS = ("user_login", "action", "result", "provider_name", "source_ip")


class Moment(forms.CharField):
    """A time in UTC, as the API reads it: date, or date and time with or without `T`, zone and seconds."""

    def to_python(self, value: Any) -> datetime | None:  # type: ignore[override]
        text = super().to_python(value)
        if not text:
            return None
        try:
            day = parse_date(text)
            moment = datetime(day.year, day.month, day.day) if day else parse_datetime(text)  # noqa: DTZ001
        except ValueError:
            moment = None
        if moment is None:
            raise forms.ValidationError(_("Write a date, or a date and a time."))
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        if not DAWN <= moment <= DUSK:
            raise forms.ValidationError(_("Years 1970 to 2999 only."))
        return moment


class SeveralWidget(forms.TextInput):
    """Reads every value of a repeated name."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        return data.getlist(name) if hasattr(data, "getlist") else [data[name]] if name in data else []


class Several(forms.Field):
    """A filter field of the audit search: up to 200 values joined by OR; blanks do not count."""

    widget = SeveralWidget

    def clean(self, value: Sequence[str]) -> list[str]:
        values = [text.strip() for text in value or [] if text.strip()]
        if len(values) > MAX_VALUES:
            raise forms.ValidationError(_("At most 200 values."))
        if any(len(text) > 255 for text in values):
            raise forms.ValidationError(_("At most 255 characters."))
        if any(UNSTORABLE.search(text) for text in values):
            raise forms.ValidationError(_("This has characters that no row can hold."))
        return list(dict.fromkeys(values))


class PageQuery(forms.Form):
    """Period and page of a list; what cannot be read counts as not given."""

    range = forms.ChoiceField(
        label=_("Period"), choices=[(key, words) for key, (words, _span) in PERIODS.items()], required=False
    )
    per_page = forms.TypedChoiceField(
        choices=[(n, n) for n in PAGE_SIZES], coerce=int, required=False, empty_value=None
    )
    page = forms.IntegerField(min_value=1, max_value=1_000_000, required=False)
    q = forms.CharField(max_length=255, required=False)

    def __init__(self, asked: QueryDict, now: datetime) -> None:
        super().__init__(asked)
        self.asked = asked
        self.now = now
        self.fields |= self.further_fields()
        self.is_valid()

    def further_fields(self) -> dict[str, forms.Field]:
        """Fields whose names come from a table."""
        return {}

    @property
    def period(self) -> str:
        """The relative period; `all` is for the log book only."""
        asked = self.cleaned_data.get("range") or "24h"
        return "24h" if asked == "all" and not isinstance(self, LogQuery) else asked

    @property
    def span(self) -> timedelta:
        return PERIODS[self.period][1] or timedelta(0)

    @property
    def number(self) -> int:
        return self.cleaned_data.get("page") or 1

    @property
    def size(self) -> int:
        return self.cleaned_data.get("per_page") or 50

    @property
    def text(self) -> str:
        """What the list is searched for."""
        return self.cleaned_data.get("q") or ""

    def time_range(self) -> tuple[datetime, datetime]:
        span = PERIODS[self.period][1]
        return (self.now - span, self.now) if span else (DAWN, DUSK)

    def period_words(self) -> str:
        return str(PERIOD_WORDS[self.period])


class LogQuery(PageQuery):
    """The state of the log book, all of it in the address: filters, period, columns, page."""

    start = Moment(label=_("From (UTC)"), required=False)
    end = Moment(label=_("To (UTC)"), required=False)
    known = forms.BooleanField(label=_("Known people only"), required=False)
    columns = forms.MultipleChoiceField(choices=list(COLUMNS.items()), required=False)

    def further_fields(self) -> dict[str, forms.Field]:
        return {name: Several(label=label, required=False) for name, label in LABELS.items()}

    def clean_columns(self) -> list[str]:
        return self.cleaned_data["columns"] or list(USUAL_COLUMNS)

    def clean_provider_id(self) -> list[int]:
        numbers = self.cleaned_data["provider_id"]
        if not all(text.isascii() and text.isdigit() and len(text) < 10 for text in numbers):
            raise forms.ValidationError(_("Write a whole number."))
        return [int(text) for text in numbers]

    def clean_source_ip(self) -> list[str]:
        addresses = self.cleaned_data["source_ip"]
        for text in addresses:
            try:
                ip_network(text, strict=False)
            except ValueError as error:
                raise forms.ValidationError(
                    _("Write an address or a network, such as 10.0.0.0/8.")
                ) from error
        return addresses

    @property
    def custom(self) -> bool:
        """Whether the period is given by its ends; then the relative one is silent."""
        return bool(self.cleaned_data.get("start") or self.cleaned_data.get("end"))

    def time_range(self) -> tuple[datetime, datetime]:
        if self.custom:
            return self.cleaned_data.get("start") or DAWN, self.cleaned_data.get("end") or DUSK
        return super().time_range()

    def period_words(self) -> str:
        return "" if self.custom else super().period_words()

    def values(self) -> dict[str, list[Any]]:
        """The filter fields that restrict, as the audit search names them."""
        return {name: self.cleaned_data[name] for name in LABELS if self.cleaned_data.get(name)}

    def export_query(self) -> dict[str, Any]:
        """The same filter and period as the export of the API names them."""
        start, end = self.time_range()
        ends = {"start": start, "end": end} if (start, end) != (DAWN, DUSK) else {}
        return {**self.values(), **{name: f"{at:%Y-%m-%dT%H:%M:%S.%fZ}" for name, at in ends.items()}}

    def chips(self) -> Iterator["Chip"]:
        """Each active restriction, with the address of the same page without it."""
        for name, values in self.values().items():
            for value in values:
                yield Chip(str(self.fields[name].label), str(value), self._without(name, str(value)))
        if self.cleaned_data.get("known"):
            yield Chip(str(_("People")), str(_("known only")), self._without("known"))
        for name in ("start", "end"):
            if moment := self.cleaned_data.get(name):
                yield Chip(str(self.fields[name].label), f"{moment:%Y-%m-%d %H:%M:%S}", self._without(name))

    def _without(self, name: str, value: str | None = None) -> str:
        rest = self.asked.copy()
        kept = [text for text in rest.getlist(name) if value is not None and text.strip() != value]
        rest.setlist(name, kept)
        rest.pop("page", None)
        return "?" + rest.urlencode()

    def bar(self, suggestions: Mapping[str, Sequence[str]]) -> dict[str, list["BarField"]]:
        """The fields of the filter bar: those always seen and those behind "more"."""
        fields = {name: self._bar_field(name, suggestions.get(name, ())) for name in LABELS}
        first = [fields.pop(name) for name in FIRST_FIELDS]
        return {"first": first, "more": list(fields.values())}

    def _bar_field(self, name: str, suggestions: Sequence[str]) -> "BarField":
        given = [text for text in self.asked.getlist(name) if text.strip()]
        one = given[0] if len(given) == 1 else ""
        return BarField(
            name=name,
            label=str(self.fields[name].label),
            value=one,
            kept=() if one else tuple(given),
            choices=CLOSED_SETS.get(name, ()),
            suggestions=suggestions,
            errors=tuple(map(str, self.errors.get(name, ()))),
        )


@dataclass(frozen=True)
class Chip:
    label: str
    value: str
    without: str


@dataclass(frozen=True)
class BarField:
    """One field of the filter bar: a single value stands in it, several stay as chips beside an empty field."""

    name: str
    label: str
    value: str
    kept: tuple[str, ...]
    choices: Sequence[tuple[str, Any]]
    suggestions: Sequence[str]
    errors: tuple[str, ...]

    @property
    def used(self) -> bool:
        return bool(self.value or self.kept or self.errors)
