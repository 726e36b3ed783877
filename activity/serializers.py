"""Shapes on the wire: what the trail's endpoints take and give."""

from typing import Any

from rest_framework import serializers

from activity.models import Provider
from activity.queries import networks
from config.inputs import Line, Moment, Text, Whole
from config.pagination import Window

INT32, INT64 = 2**31, 2**63
MAX_VALUES = 200


class AddressOrNetwork(Text):
    """An IP address or a network in CIDR notation."""

    default_error_messages = {"address": "Input should be an IP address or a CIDR network"}

    def to_internal_value(self, data: Any) -> str:
        text = str(super().to_internal_value(data)).strip()
        try:
            networks.parse(text)
        except ValueError:
            self.fail("address")
        return text


def values_of(child: serializers.Field) -> serializers.ListField:
    """A list of a search filter: absent, null and empty restrict nothing."""
    return serializers.ListField(child=child, required=False, allow_null=True, max_length=MAX_VALUES)


def texts() -> serializers.ListField:
    return values_of(Text(max_length=255, allow_blank=True))


class TimeRange(serializers.Serializer):
    """Both ends inclusive."""

    start = Moment()
    end = Moment()


class FilterFields(serializers.Serializer):
    """Values of one list are joined by OR, lists by AND."""

    trace_id = texts()
    category = texts()
    action = texts()
    result = texts()
    user_id = texts()
    user_login = texts()
    provider_id = values_of(Whole(min_value=-INT32, max_value=INT32 - 1))
    provider_name = texts()
    provider_type = texts()
    provider_protocol = texts()
    domain = texts()
    reason = texts()
    source_admin = texts()
    source_ip = values_of(AddressOrNetwork(max_length=255))
    object_type = texts()
    object_id = texts()


class AuditFilter(FilterFields):
    time_range = TimeRange()


class AuditSearch(serializers.Serializer):
    filter = AuditFilter()
    per_page = Whole(min_value=1, max_value=1000, allow_null=True, default=20)
    page = Whole(min_value=1, max_value=1_000_000, allow_null=True, default=1)
    extended = serializers.BooleanField(allow_null=True, default=False)


class AuditRow(serializers.Serializer):
    """One act; null where a column is empty. The last five only with `extended`."""

    timestamp = serializers.DateTimeField()
    audit_id = serializers.CharField()
    user_id = serializers.CharField(allow_null=True)
    user_login = serializers.CharField(allow_null=True)
    provider_type = serializers.CharField(allow_null=True)
    provider_id = serializers.IntegerField(allow_null=True)
    provider_name = serializers.CharField(allow_null=True)
    provider_protocol = serializers.CharField(allow_null=True)
    trace_id = serializers.CharField()
    source_ip = serializers.CharField(allow_null=True)
    source_admin = serializers.CharField(allow_null=True)
    category = serializers.CharField()
    action = serializers.CharField()
    result = serializers.CharField(allow_null=True)
    reason = serializers.CharField(allow_null=True)
    info = serializers.CharField(allow_null=True)
    sequence = serializers.IntegerField(required=False)
    domain = serializers.CharField(required=False)
    object_type = serializers.CharField(required=False, allow_null=True)
    object_id = serializers.CharField(required=False, allow_null=True)
    details = serializers.JSONField(required=False, allow_null=True)


class AuditMetadata(serializers.Serializer):
    total_items = serializers.IntegerField()
    total_page = serializers.IntegerField()
    page = serializers.IntegerField()
    items_in_page = serializers.IntegerField()


class AuditPage(serializers.Serializer):
    items = AuditRow(many=True)
    metadata = AuditMetadata()


class ProviderItem(serializers.ModelSerializer):
    """A provider in the shape of KitsuTrail."""

    type = serializers.ChoiceField(choices=Provider.Type.values)
    protocol = serializers.ChoiceField(choices=Provider.Protocol.values)

    class Meta:
        model = Provider
        fields = ("id", "type", "protocol", "name")


class ProviderDetail(ProviderItem):
    class Meta(ProviderItem.Meta):
        fields = (*ProviderItem.Meta.fields, "created_at")  # type: ignore[assignment]


class ProviderWindow(Window):
    type = serializers.ChoiceField(choices=Provider.Type.values, required=False)
    protocol = serializers.ChoiceField(choices=Provider.Protocol.values, required=False)
    q = Line(max_length=100, required=False, allow_blank=True)


class NewProvider(serializers.Serializer):
    type = serializers.ChoiceField(choices=Provider.Type.values)
    protocol = serializers.ChoiceField(choices=Provider.Protocol.values)
    name = Line(min_length=1, max_length=120, trim_whitespace=True)


class ProviderChanges(serializers.Serializer):
    """Only what is sent changes; the type is fixed."""

    protocol = serializers.ChoiceField(choices=Provider.Protocol.values, required=False)
    name = Line(min_length=1, max_length=120, trim_whitespace=True, required=False)


class StatisticsWindow(serializers.Serializer):
    hours = Whole(min_value=1, max_value=720, required=False)


class SummaryWindow(StatisticsWindow):
    offset = Whole(min_value=0, max_value=10_000_000, default=0)
    limit = Whole(min_value=1, max_value=1000, default=1000)


class CurrentFigures(serializers.Serializer):
    active_sessions = serializers.IntegerField()
    active_users = serializers.IntegerField()
    total_users = serializers.IntegerField()
    total_idp = serializers.IntegerField()
    total_sp = serializers.IntegerField()


class Figures(serializers.Serializer):
    data = serializers.ListField(child=serializers.IntegerField())  # type: ignore[assignment]


class Labels(serializers.Serializer):
    data = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]


class HourlyFigures(serializers.Serializer):
    authentications = Figures()
    access = Figures()
    labels = Labels()


class ProviderFigures(serializers.Serializer):
    success = Figures()
    failure = Figures()
    labels = Labels()


class FiguresByType(serializers.Serializer):
    idp = ProviderFigures()
    sp = ProviderFigures()


class NamedFigures(serializers.Serializer):
    name = serializers.CharField()
    data = serializers.ListField(child=serializers.IntegerField())  # type: ignore[assignment]


class CategoryFigures(serializers.Serializer):
    series = NamedFigures(many=True)
    categories = serializers.ListField(child=serializers.CharField())


class UserFigures(serializers.Serializer):
    login = serializers.CharField()
    authentication = serializers.IntegerField()
    access = serializers.IntegerField()
    failure = serializers.IntegerField()
    events = serializers.IntegerField()


class VerificationRange(serializers.Serializer):
    from_sequence = Whole(min_value=1, max_value=INT64 - 1, default=1)
    max_rows = Whole(min_value=1, max_value=200_000, default=100_000)


class TrailProblem(serializers.Serializer):
    """`with` is the number of the other row when two are swapped."""

    sequence = serializers.IntegerField(allow_null=True)
    segment = serializers.IntegerField(allow_null=True)
    kind = serializers.CharField()
    detail = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field]:
        """`with` is a word of Python."""
        return {**super().get_fields(), "with": serializers.IntegerField(allow_null=True)}


class Verdict(serializers.Serializer):
    ok = serializers.BooleanField()
    checked_rows = serializers.IntegerField()
    checked_segments = serializers.IntegerField()
    first_sequence = serializers.IntegerField(allow_null=True)
    last_sequence = serializers.IntegerField(allow_null=True)
    unsealed_rows = serializers.IntegerField()
    next_from = serializers.IntegerField(allow_null=True)
    head = serializers.CharField()
    key_id = serializers.CharField()
    problems = TrailProblem(many=True)
    problems_truncated = serializers.BooleanField()


class CheckpointWindow(serializers.Serializer):
    after_segment = Whole(min_value=0, max_value=INT64 - 1, default=0)
    limit = Whole(min_value=1, max_value=100, default=100)


class SignedCheckpoint(serializers.Serializer):
    payload = serializers.CharField()
    signature = serializers.CharField()


class SealKey(serializers.Serializer):
    key_id = serializers.CharField()
    public_key = serializers.CharField()


class ExportQuery(FilterFields):
    """Every field of the search, repeated for several values."""

    format = serializers.ChoiceField(choices=["csv", "ndjson"], default="csv")
    start = Moment(required=False)
    end = Moment(required=False)
    after_sequence = Whole(min_value=0, max_value=INT64 - 1, default=0)


class TimelineQuery(serializers.Serializer):
    """`from` and `to` are inclusive; `reason` says why somebody else's timeline is opened."""

    limit = Whole(min_value=1, max_value=200, default=50)
    cursor = Text(max_length=500, required=False)
    domain = texts()
    to = Moment(required=False)
    reason = Line(max_length=200, required=False, allow_blank=True, trim_whitespace=True)

    def get_fields(self) -> dict[str, serializers.Field]:
        """`from` is a word of Python."""
        return {**super().get_fields(), "from": Moment(required=False)}


class TimelinePerson(serializers.Serializer):
    id = serializers.UUIDField(source="uuid")
    login = serializers.CharField()
    firstname = serializers.CharField(allow_null=True)
    lastname = serializers.CharField(allow_null=True)
    active = serializers.BooleanField()


class TimelineObject(serializers.Serializer):
    type = serializers.CharField()
    id = serializers.CharField(allow_null=True)


class TimelineItem(serializers.Serializer):
    """A row of the trail, or something an app offers besides; `sequence` is null for the latter."""

    timestamp = serializers.DateTimeField()
    domain = serializers.CharField()
    category = serializers.CharField()
    action = serializers.CharField()
    result = serializers.CharField(allow_null=True)
    reason = serializers.CharField(allow_null=True)
    info = serializers.CharField(allow_null=True)
    source_ip = serializers.CharField(allow_null=True)
    source_admin = serializers.CharField(allow_null=True)
    provider_name = serializers.CharField(allow_null=True)
    trace_id = serializers.CharField(allow_null=True)
    object = TimelineObject(allow_null=True)
    sequence = serializers.IntegerField(allow_null=True)
    details = serializers.DictField()


class TimelinePage(serializers.Serializer):
    person = TimelinePerson()
    items = TimelineItem(many=True)
    next = serializers.CharField(allow_null=True)
