"""Visits and reports on the wire."""

import ipaddress
import re
from datetime import datetime
from typing import Any

from rest_framework import serializers

from activity.callers import normal_address
from config.inputs import Moment, Text, Whole

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
HOURS = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
MAX_USER, MAX_URL, MAX_AGENT = 255, 2048, 1024
MAX_AT_ONCE = 1_000


class Printable(Text):
    """Text without any control character."""

    forbidden = CONTROL


class Filled(Printable):
    """Text that is more than blanks."""

    default_error_messages = {"blank": "This field may not be blank."}

    def to_internal_value(self, data: Any) -> str:
        text: str = super().to_internal_value(data)
        if not text.strip():
            self.fail("blank")
        return text


class Address(Printable):
    """An IPv4 or IPv6 address, in its normal form."""

    default_error_messages = {"address": "value is not a valid IPv4 or IPv6 address"}

    def to_internal_value(self, data: Any) -> str:
        text: str = super().to_internal_value(data)
        return normal_ip(text) or self.fail("address") if text else ""


def normal_ip(text: str) -> str | None:
    """An address in normal form; None for what is none, or carries a zone."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if "%" in text else normal_address(text)


class VisitReport(serializers.Serializer):
    """One visit. What is absent, null or empty is filled from the request that reports it."""

    user_id = Filled(max_length=MAX_USER, help_text="`anon`, or whatever tells two visitors apart")
    page_url = Filled(max_length=MAX_URL)
    user_agent = Printable(
        max_length=MAX_AGENT,
        required=False,
        allow_null=True,
        allow_blank=True,
        help_text="Default: the header",
    )
    ip_address = Address(
        required=False, allow_null=True, allow_blank=True, help_text="Default: the client's address"
    )
    referrer = Printable(max_length=MAX_URL, required=False, allow_null=True, allow_blank=True)


class VisitReports(serializers.Serializer):
    """Many visits, stored all or not at all."""

    visits = VisitReport(many=True, min_length=1, max_length=MAX_AT_ONCE)  # type: ignore[call-arg]


class VisitReceipt(serializers.Serializer):
    success = serializers.BooleanField()
    visit_count = serializers.IntegerField(help_text="Visits ever logged, counting this one")
    message = serializers.CharField()


class VisitReceipts(VisitReceipt):
    accepted = serializers.IntegerField(
        help_text="They have the numbers visit_count - accepted + 1 to visit_count"
    )


class Hours(serializers.FloatField):
    """A finite number of hours."""

    default_error_messages = {"invalid": "Input should be a valid number, unable to parse string as a number"}

    def to_internal_value(self, data: Any) -> float:
        if not HOURS.fullmatch(str(data)):
            self.fail("invalid")
        return float(super().to_internal_value(data))


class StatsQuery(serializers.Serializer):
    timeframe_hours = Hours(min_value=0.1, max_value=168, default=1.0)


class Stats(serializers.Serializer):
    uptime_seconds = serializers.FloatField()
    uptime_formatted = serializers.CharField()
    total_visits = serializers.IntegerField()
    current_time = serializers.DateTimeField()
    server_status = serializers.CharField()
    recent_visits = serializers.IntegerField()
    timeframe_hours = serializers.FloatField()


class PeriodQuery(serializers.Serializer):
    """What every report understands; the period defaults to the last 24 hours."""

    site = Printable(max_length=253, required=False, help_text="A host; absent = all sites")
    format = serializers.ChoiceField(["json", "csv"], default="json")

    def get_fields(self) -> dict[str, serializers.Field]:
        # `from` cannot be the name of a class attribute
        return {"from": Moment(required=False), "to": Moment(required=False), **super().get_fields()}


class RankedQuery(PeriodQuery):
    limit = Whole(min_value=1, max_value=100, default=20)


class SitesQuery(RankedQuery):
    site = None  # type: ignore[assignment]
    offset = Whole(min_value=0, max_value=10_000_000, default=0)


class SeriesQuery(PeriodQuery):
    interval = serializers.ChoiceField(["minute", "hour", "day"], default="hour")


class ExportQuery(PeriodQuery):
    format = serializers.ChoiceField(["csv", "ndjson"], default="csv")


class Counts(serializers.Serializer):
    visits = serializers.IntegerField(help_text="Of people")
    bots = serializers.IntegerField()


class Report(serializers.Serializer):
    site = serializers.CharField(allow_null=True)
    total = Counts()

    def get_fields(self) -> dict[str, serializers.Field]:
        moments = {name: serializers.DateTimeField() for name in ("from", "to")}
        return {**moments, **super().get_fields()}


class RankedPage(Counts):
    site = serializers.CharField()
    path = serializers.CharField()


class RankedReferrer(Counts):
    referrer = serializers.CharField()


class RankedBrowser(Counts):
    browser = serializers.CharField()


class RankedSite(Counts):
    site = serializers.CharField()
    name = serializers.CharField()
    first_seen = serializers.DateTimeField(allow_null=True)
    last_seen = serializers.DateTimeField(allow_null=True)


class PagesReport(Report):
    items = RankedPage(many=True)
    rest = Counts()


class ReferrersReport(Report):
    items = RankedReferrer(many=True)
    rest = Counts()


class BrowsersReport(Report):
    items = RankedBrowser(many=True)
    rest = Counts()


class SitesReport(Report):
    site = None  # type: ignore[assignment]
    items = RankedSite(many=True)
    rest = Counts()


class SeriesPoint(Counts):
    t = serializers.DateTimeField()
    visitors = serializers.IntegerField(allow_null=True, help_text="Only by day: they cannot be added up")


class SeriesReport(Report):
    interval = serializers.CharField()
    points = SeriesPoint(many=True)


class ExportedVisit(serializers.Serializer):
    """The columns of an export, in this order."""

    id = serializers.IntegerField()
    received_at = serializers.DateTimeField()
    site = serializers.CharField()
    user_id = serializers.CharField()
    page_url = serializers.CharField()
    referrer = serializers.CharField(allow_null=True)
    user_agent = serializers.CharField(allow_null=True)
    ip_address = serializers.CharField(allow_null=True)
    bot = serializers.BooleanField()


def wire_time(moment: datetime | None) -> str | None:
    """A moment as every answer writes it: UTC, microseconds, `Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else None
