"""Shapes of the clock on the wire: devices, punches, kiosks, access, audit log; and what its queries take."""

import ipaddress
import re
from typing import Any
from zoneinfo import ZoneInfo

from rest_framework import serializers

from activity.callers import normal_address
from config.inputs import Line, Moment, Text, Whole
from identity.models import Device
from punch.models import Kiosk, Punch, PunchType

LARGEST_PAGE, LARGEST_ID = 100, 2**63 - 1


class Opaque(Text):
    """Any text at all; what it means is judged elsewhere."""

    forbidden = re.compile(r"(?!)")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        names = ("ProhibitNullCharactersValidator", "ProhibitSurrogateCharactersValidator")
        self.validators = [check for check in self.validators if type(check).__name__ not in names]


class PageSize(Whole):
    """Over a hundred is silently a hundred."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, default=50, **options)

    def to_internal_value(self, data: Any) -> int:
        return min(super().to_internal_value(data), LARGEST_PAGE)


class Id(Whole):
    """A number to filter by; one that names nothing finds nothing."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=-LARGEST_ID, max_value=LARGEST_ID, **options)


class Page(serializers.Serializer):
    offset = Whole(min_value=0, max_value=1_000_000, default=0)
    limit = PageSize()


class _Dated(serializers.Serializer):
    """Adds two ends of a period, whose names are words of Python."""

    ends: tuple[str, str] = ("from", "to")
    ends_required = False

    def get_fields(self) -> dict[str, Any]:
        fields = dict(super().get_fields())
        hint = "A local day `YYYY-MM-DD`, inclusive, or an ISO 8601 instant"
        for name in self.ends:
            fields[name] = Text(required=self.ends_required, allow_blank=True, max_length=40, help_text=hint)
        return fields


class HistoryQuery(_Dated, Page):
    """Which of one's own punches."""


class AuditQuery(_Dated, Page):
    event_type = Text(max_length=100, required=False)
    user_id = Id(required=False)
    device_id = Id(required=False)
    kiosk_id = Id(required=False)


class PunchQuery(_Dated, Page):
    ends = ("from_date", "to_date")
    user_id = Id(required=False)


class ReportQuery(_Dated):
    ends_required = True
    user_id = Id(required=False)
    format = Text(required=False, default="json", max_length=20, allow_blank=True)


class DeviceQuery(Page):
    user_id = Id(required=False)
    is_revoked = serializers.BooleanField(required=False, allow_null=True, default=None)


class OwnDeviceQuery(serializers.Serializer):
    include_revoked = serializers.BooleanField(default=False)


class KioskQuery(Page):
    is_active = serializers.BooleanField(required=False, allow_null=True, default=None)


# --- Devices and punches ---
class NewDevice(serializers.Serializer):
    device_fingerprint = Line(max_length=255)
    device_name = Line(max_length=100)
    attestation_data = Text(max_length=8192, required=False, allow_null=True, allow_blank=True)


class RegisteredDevice(serializers.ModelSerializer):
    class Meta:
        model = Device
        fields = [
            "id",
            "user_id",
            "device_fingerprint",
            "device_name",
            "attestation_data",
            "registered_at",
            "last_seen_at",
            "is_revoked",
        ]


class TokenRequest(serializers.Serializer):
    device_id = Id()


class QrCode(serializers.Serializer):
    qr_token = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds")
    expires_at = serializers.DateTimeField()


class Scan(serializers.Serializer):
    """What a kiosk sends; `punch_type` may be absent at a kiosk in mode `auto` only."""

    qr_token = Opaque(max_length=4096)
    kiosk_id = Id(required=False, allow_null=True)
    punch_type = serializers.ChoiceField(PunchType.values, required=False)


class PunchReceipt(serializers.Serializer):
    success = serializers.BooleanField()
    message = serializers.CharField()
    punch_id = serializers.IntegerField()
    punched_at = serializers.DateTimeField()
    user_id = serializers.IntegerField()
    device_id = serializers.IntegerField()
    punch_type = serializers.CharField()
    unusual = serializers.BooleanField()
    display_name = serializers.CharField()


class PunchRecord(serializers.ModelSerializer):
    class Meta:
        model = Punch
        fields = [
            "id",
            "user_id",
            "device_id",
            "kiosk_id",
            "punch_type",
            "punched_at",
            "jwt_jti",
            "created_at",
            "unusual",
        ]


# --- Kiosks ---
class Address(Text):
    """An IPv4 or IPv6 address, kept in its shortest form."""

    default_error_messages = {"address": "value is not a valid IPv4 or IPv6 address"}

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            ipaddress.ip_address(text)
        except ValueError:
            self.fail("address")
        return normal_address(text) or text


class ZoneName(Text):
    """A time zone of the IANA database."""

    default_error_messages = {"zone": "value is not a known time zone"}

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            ZoneInfo(text)
        except (ValueError, OSError, KeyError):
            self.fail("zone")
        return text


class NewKiosk(serializers.Serializer):
    kiosk_name = Line(max_length=100)
    location = Line(max_length=255)
    device_fingerprint = Line(max_length=255, required=False, allow_null=True, allow_blank=True)
    ip_address = Address(max_length=45, required=False, allow_null=True, allow_blank=True)
    public_key = Text(max_length=8192, required=False, allow_null=True, allow_blank=True)
    punch_mode = serializers.ChoiceField(Kiosk.PunchMode.values, required=False, allow_null=True)
    time_zone = ZoneName(max_length=64, required=False, allow_null=True, allow_blank=True)


class KioskChanges(serializers.Serializer):
    kiosk_name = Line(max_length=100, required=False, allow_null=True)
    location = Line(max_length=255, required=False, allow_null=True)
    ip_address = Address(max_length=45, required=False, allow_null=True, allow_blank=True)
    is_active = serializers.BooleanField(required=False, allow_null=True)
    punch_mode = serializers.ChoiceField(Kiosk.PunchMode.values, required=False, allow_null=True)
    time_zone = ZoneName(max_length=64, required=False, allow_null=True, allow_blank=True)


class KioskCard(serializers.ModelSerializer):
    class Meta:
        model = Kiosk
        fields = [
            "id",
            "kiosk_name",
            "location",
            "device_fingerprint",
            "ip_address",
            "public_key",
            "is_active",
            "created_at",
            "last_heartbeat_at",
        ]


class KioskStatus(serializers.Serializer):
    kiosk_id = serializers.IntegerField()
    kiosk_name = serializers.CharField()
    location = serializers.CharField()
    is_active = serializers.BooleanField()
    last_heartbeat_at = serializers.DateTimeField(allow_null=True)
    app_version = serializers.CharField(allow_null=True)
    device_info = serializers.CharField(allow_null=True)
    is_online = serializers.BooleanField()
    offline_duration_seconds = serializers.IntegerField(allow_null=True)
    punch_mode = serializers.CharField()
    time_zone = serializers.CharField()


class Beat(serializers.Serializer):
    app_version = Line(max_length=50)
    device_info = Line(max_length=255, required=False, allow_null=True, allow_blank=True)


class BeatNoted(serializers.Serializer):
    success = serializers.BooleanField()
    message = serializers.CharField()
    kiosk_id = serializers.IntegerField()
    last_heartbeat_at = serializers.DateTimeField()
    server_time = serializers.DateTimeField()


class KioskSetup(serializers.Serializer):
    """What a kiosk needs to start; the key is shown this once."""

    kiosk_id = serializers.IntegerField()
    kiosk_name = serializers.CharField()
    location = serializers.CharField()
    api_url = serializers.CharField()
    api_key = serializers.CharField()
    device_fingerprint = serializers.CharField()


# --- Access ---
class AuthorizedUser(serializers.Serializer):
    user_id = serializers.IntegerField()
    email = serializers.CharField()
    granted = serializers.BooleanField()
    granted_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    granted_by_admin_id = serializers.IntegerField(allow_null=True)


class KioskAccessList(serializers.Serializer):
    kiosk_id = serializers.IntegerField()
    kiosk_name = serializers.CharField()
    location = serializers.CharField()
    access_mode = serializers.CharField()
    is_active = serializers.BooleanField()
    authorized_users = AuthorizedUser(many=True)


class AccessModeChange(serializers.Serializer):
    access_mode = Text(max_length=20)


class KioskMode(serializers.Serializer):
    id = serializers.IntegerField()
    kiosk_name = serializers.CharField()
    access_mode = serializers.CharField()


class AccessModeChanged(serializers.Serializer):
    success = serializers.BooleanField()
    message = serializers.CharField()
    kiosk = KioskMode()


class AccessGrant(serializers.Serializer):
    user_id = Id()
    expires_at = Moment(required=False, allow_null=True)


class AccessBlock(serializers.Serializer):
    user_id = Id()


class AccessRow(serializers.Serializer):
    user_id = serializers.IntegerField()
    kiosk_id = serializers.IntegerField()
    granted = serializers.BooleanField()
    expires_at = serializers.DateTimeField(allow_null=True, required=False)


class AccessChanged(serializers.Serializer):
    success = serializers.BooleanField()
    message = serializers.CharField()
    access = AccessRow()


class AccessRevoked(serializers.Serializer):
    success = serializers.BooleanField()
    message = serializers.CharField()


# --- Audit, statistics, service ---
class AuditLog(serializers.Serializer):
    """One event; `event_data` is JSON as text."""

    id = serializers.IntegerField()
    event_type = serializers.CharField()
    user_id = serializers.IntegerField(allow_null=True)
    device_id = serializers.IntegerField(allow_null=True)
    kiosk_id = serializers.IntegerField(allow_null=True)
    event_data = serializers.CharField(allow_null=True)
    ip_address = serializers.CharField(allow_null=True)
    user_agent = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()


class DashboardStats(serializers.Serializer):
    total_users = serializers.IntegerField()
    total_devices = serializers.IntegerField()
    total_kiosks = serializers.IntegerField()
    active_kiosks = serializers.IntegerField()
    today_punches = serializers.IntegerField()
    today_users = serializers.IntegerField()
    recent_punches = PunchRecord(many=True)


class Pong(serializers.Serializer):
    pong = serializers.BooleanField()


class ClientAddress(serializers.Serializer):
    ip = serializers.CharField(allow_null=True)
