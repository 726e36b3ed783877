"""What a person does with own devices: register, list, revoke, ask for a QR token, look at own punches."""

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from activity.callers import Caller
from config import inputs
from config.schema import errors, example
from identity import devices
from identity.models import Device
from punch import services
from punch.api.base import OwnView, body, caller_of
from punch.models import Punch
from punch.periods import period
from punch.serializers import (
    HistoryQuery,
    NewDevice,
    OwnDeviceQuery,
    PunchRecord,
    QrCode,
    RegisteredDevice,
    TokenRequest,
)

MOST_DEVICES = 100
NOT_OWNED = "Device not found or not owned by user"
DEVICE = {
    "id": 3,
    "user_id": 7,
    "device_fingerprint": "a1b2c3d4e5f60718",
    "device_name": "Uma's phone",
    "attestation_data": None,
    "registered_at": "2026-03-02T08:15:00Z",
    "last_seen_at": "2026-03-02T08:15:00Z",
    "is_revoked": False,
}
PUNCH = {
    "id": 12,
    "user_id": 7,
    "device_id": 3,
    "kiosk_id": 1,
    "punch_type": "clock_in",
    "punched_at": "2026-03-02T08:16:02.123456Z",
    "jwt_jti": "6f1c2a52-3f1e-4f57-9d0c-5a7c3c1f0d11",
    "created_at": "2026-03-02T08:16:02.123456Z",
    "unusual": False,
}


class RegisterDevice(OwnView):
    @extend_schema(
        summary="Register a device",
        description=f"At most {settings.MAX_ACTIVE_DEVICES_PER_USER} active ones; a fingerprint is used once for ever.",
        request=NewDevice,
        responses={
            201: RegisteredDevice,
            **errors(401, 422, e409="Maximum number of active devices reached"),
        },
        examples=[
            example(
                "A phone",
                {"device_fingerprint": "a1b2c3d4e5f60718", "device_name": "Uma's phone"},
                request_only=True,
            ),
            example("The device", DEVICE, status_codes=[201]),
        ],
    )
    def post(self, request: Request) -> Response:
        asked = body(NewDevice, request)
        device = devices.register_device(
            caller_of(request),
            asked["device_fingerprint"],
            asked["device_name"],
            asked.get("attestation_data"),
            by=Caller.of(request),
        )
        return Response(RegisteredDevice(device).data, status=201)


class OwnDevices(OwnView):
    @extend_schema(
        operation_id="devices_mine",
        summary="List own devices",
        description="Newest first, at most 100.",
        parameters=[OwnDeviceQuery],
        responses={200: RegisteredDevice(many=True), **errors(401, 422)},
        examples=[example("A device", DEVICE)],
    )
    def get(self, request: Request) -> Response:
        asked = inputs.query(OwnDeviceQuery, request)
        own = Device.objects.of(caller_of(request)).newest_first()
        shown = own if asked["include_revoked"] else own.active()
        return Response(RegisteredDevice(shown[:MOST_DEVICES], many=True).data)


class RevokeOwnDevice(OwnView):
    @extend_schema(
        summary="Revoke an own device",
        description="Its QR codes stop at once. There is no way back.",
        request=None,
        responses={200: RegisteredDevice, **errors(401, e400="Device is already revoked", e404=NOT_OWNED)},
        examples=[example("The device", DEVICE | {"is_revoked": True})],
    )
    def post(self, request: Request, pk: int) -> Response:
        device = devices.revoke_own_device(pk, owner=caller_of(request), by=Caller.of(request))
        return Response(RegisteredDevice(device).data)


class RequestToken(OwnView):
    @extend_schema(
        summary="Ask for a QR token",
        description="Good for one punch within seconds. A newer token does not end older ones.",
        request=TokenRequest,
        responses={
            200: QrCode,
            **errors(401, 422, 429, e403="Device has been revoked", e404=NOT_OWNED),
        },
        examples=[
            example("For this device", {"device_id": 3}, request_only=True),
            example(
                "A token",
                {"qr_token": "eyJhbGciOiJSUzI1NiIs…", "expires_in": 30, "expires_at": "2026-03-02T08:16:30Z"},
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        token = services.issue_token(caller_of(request), body(TokenRequest, request)["device_id"])
        code = {"qr_token": token.text, "expires_in": token.expires_in, "expires_at": token.expires_at}
        return Response(QrCode(code).data)


class History(OwnView):
    @extend_schema(
        operation_id="punch_history",
        summary="List own punches",
        description="Newest first.",
        parameters=[HistoryQuery],
        responses={200: PunchRecord(many=True), **errors(401, 422, e400="invalid_datetime")},
        examples=[example("A punch", PUNCH)],
    )
    def get(self, request: Request) -> Response:
        asked = inputs.query(HistoryQuery, request)
        when = period(asked.get("from"), asked.get("to"))
        found = Punch.objects.of(caller_of(request)).between(when.start, when.end).newest_first()
        start = asked["offset"]
        return Response(PunchRecord(found[start : start + asked["limit"]], many=True).data)
