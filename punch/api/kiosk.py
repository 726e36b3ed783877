"""What a kiosk does: validate scans, beat, look at itself; and who may look at kiosks from outside."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from activity.callers import Caller, client_address, normal_address
from config.errors import NotFound
from config.schema import errors, example
from identity.models import User
from punch import services
from punch.api.base import KioskView, ManagedView, PunchView, body, kiosk_in
from punch.authentication import HEADER, KioskStopped, kiosk_caller, kiosk_of
from punch.models import Kiosk
from punch.queries.kiosks import status_of
from punch.queries.people import SEES_ALL
from punch.serializers import Beat, BeatNoted, ClientAddress, KioskCard, KioskStatus, PunchReceipt, Scan

RECEIPT = {
    "success": True,
    "message": "Punch clock_in recorded successfully",
    "punch_id": 12,
    "punched_at": "2026-03-02T08:16:02.123456Z",
    "user_id": 7,
    "device_id": 3,
    "punch_type": "clock_in",
    "unusual": False,
    "display_name": "Uma N.",
}
STATUS = {
    "kiosk_id": 1,
    "kiosk_name": "Test-Kiosk-ClockIn",
    "location": "Office Entrance",
    "is_active": True,
    "last_heartbeat_at": "2026-03-02T08:16:00Z",
    "app_version": "1.4.0",
    "device_info": None,
    "is_online": True,
    "offline_duration_seconds": None,
    "punch_mode": "client",
    "time_zone": "Europe/Paris",
}
CARD = {
    "id": 1,
    "kiosk_name": "Test-Kiosk-ClockIn",
    "location": "Office Entrance",
    "device_fingerprint": "test-kiosk-fingerprint-001",
    "ip_address": "192.0.2.10",
    "public_key": None,
    "is_active": True,
    "created_at": "2026-03-01T09:00:00Z",
    "last_heartbeat_at": None,
}


class Validate(KioskView):
    throttle = "VALIDATE"

    @extend_schema(
        summary="Turn a scanned QR token into a punch",
        description="Exactly one of any number of calls with the same token succeeds. A refusal consumes nothing.",
        request=Scan,
        responses={
            200: PunchReceipt,
            **errors(
                422,
                429,
                e400="Token has already been used (replay attack detected)",
                e401="Invalid API key",
                e403="Kiosk is not active",
                e404="Device not found",
            ),
        },
        examples=[
            example(
                "A scan", {"qr_token": "eyJhbGciOiJSUzI1NiIs…", "punch_type": "clock_in"}, request_only=True
            ),
            example("The punch", RECEIPT),
        ],
    )
    def post(self, request: Request) -> Response:
        scan = body(Scan, request)
        receipt = services.validate(
            scan["qr_token"],
            kiosk=kiosk_in(request),
            punch_type=scan.get("punch_type"),
            kiosk_id=scan.get("kiosk_id"),
            by=kiosk_caller(request),
        )
        punch = receipt.punch
        answer = {
            "success": True,
            "message": f"Punch {punch.punch_type} recorded successfully",
            "punch_id": punch.pk,
            "punched_at": punch.punched_at,
            "user_id": punch.user_id,
            "device_id": punch.device_id,
            "punch_type": punch.punch_type,
            "unusual": punch.unusual,
            "display_name": receipt.display_name,
        }
        return Response(PunchReceipt(answer).data)


class Heartbeat(KioskView):
    throttle = "HEARTBEAT"

    @extend_schema(
        summary="Say that a kiosk is alive",
        request=Beat,
        responses={200: BeatNoted, **errors(422, 429, e401="Invalid API key", e403="Kiosk is not active")},
        examples=[
            example("A beat", {"app_version": "1.4.0"}, request_only=True),
            example(
                "Noted",
                {
                    "success": True,
                    "message": "Heartbeat recorded successfully",
                    "kiosk_id": 1,
                    "last_heartbeat_at": "2026-03-02T08:16:00Z",
                    "server_time": "2026-03-02T08:16:00Z",
                },
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        beat = body(Beat, request)
        kiosk = services.note_heartbeat(
            kiosk_in(request), beat["app_version"], beat.get("device_info"), by=kiosk_caller(request)
        )
        noted = {
            "success": True,
            "message": "Heartbeat recorded successfully",
            "kiosk_id": kiosk.pk,
            "last_heartbeat_at": kiosk.last_heartbeat_at,
            "server_time": timezone.now(),
        }
        return Response(BeatNoted(noted).data)


class OwnStatus(KioskView):
    @extend_schema(
        summary="Show this kiosk",
        responses={200: KioskStatus, **errors(e401="Invalid API key", e403="Kiosk is not active")},
        examples=[example("A kiosk", STATUS)],
    )
    def get(self, request: Request) -> Response:
        return Response(KioskStatus(status_of(kiosk_in(request), timezone.now())).data)


class AllStatus(ManagedView):
    @extend_schema(
        operation_id="kiosk_all_status",
        summary="Show all kiosks",
        description="By name.",
        responses={200: KioskStatus(many=True), **errors(401, 403)},
        examples=[example("A kiosk", STATUS)],
    )
    def get(self, request: Request) -> Response:
        now = timezone.now()
        kiosks = Kiosk.objects.living().order_by("kiosk_name", "id")
        return Response(KioskStatus([status_of(kiosk, now) for kiosk in kiosks], many=True).data)


class KioskByAddress(PunchView):
    """For readers, for the kiosk itself, and for whoever calls from that very address."""

    permission_classes = [AllowAny]

    @extend_schema(
        summary="Find a kiosk by its address",
        description="For readers, for that kiosk's key, and for a caller at this very address; 404 for all others.",
        responses={
            200: KioskCard,
            **errors(e403="Kiosk is not active", e404="No kiosk found for IP address: 192.0.2.10"),
        },
        examples=[example("A kiosk", CARD)],
    )
    def get(self, request: Request, ip: str) -> Response:
        address = normal_address(ip)
        kiosk = Kiosk.objects.living().filter(ip_address=address).first() if address else None
        if kiosk is None or not self._may_see(request, kiosk):
            raise NotFound(f"No kiosk found for IP address: {ip}")
        if not kiosk.is_active:
            raise KioskStopped
        return Response(KioskCard(kiosk).data)

    def _may_see(self, request: Request, kiosk: Kiosk) -> bool:
        if isinstance(request.user, User) and request.user.has_perm(SEES_ALL):
            return True
        if client_address(request._request) == kiosk.ip_address:
            return True
        return kiosk_of(request.headers.get(HEADER, "")) == kiosk


class OwnAddress(PunchView):
    permission_classes = [AllowAny]
    authentication_classes = []

    @extend_schema(
        summary="Show the caller's address",
        auth=[],
        responses={200: ClientAddress},
        examples=[example("An address", {"ip": "192.0.2.10"})],
    )
    def get(self, request: Request) -> Response:
        return Response({"ip": Caller.of(request).ip})
