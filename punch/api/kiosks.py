"""`/admin/kiosks…` and `/admin/devices…`: the back office's kiosks, keys, access rows and devices."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from activity.callers import Caller
from config import inputs
from config.schema import errors, example
from identity import devices
from identity.models import Device
from punch import services
from punch.api.base import ReaderView, body
from punch.api.kiosk import CARD
from punch.api.own import DEVICE
from punch.models import Kiosk, fits
from punch.serializers import (
    DeviceQuery,
    KioskCard,
    KioskChanges,
    KioskQuery,
    KioskSetup,
    NewKiosk,
    RegisteredDevice,
)
from punch.setup import api_url

SETUP = {
    "kiosk_id": 1,
    "kiosk_name": "Test-Kiosk-ClockIn",
    "location": "Office Entrance",
    "api_url": "http://127.0.0.1:8000",
    "api_key": "k3j9x0a7b2c1.…",
    "device_fingerprint": "test-kiosk-fingerprint-001",
}


class Kiosks(ReaderView):
    acts = {"POST": "kiosk_created"}

    @extend_schema(
        operation_id="admin_kiosks_list",
        summary="List kiosks",
        description="Newest first, without deleted ones.",
        parameters=[KioskQuery],
        responses={200: KioskCard(many=True), **errors(401, 403, 422)},
        examples=[example("A kiosk", CARD)],
    )
    def get(self, request: Request) -> Response:
        asked = inputs.query(KioskQuery, request)
        found = Kiosk.objects.living().order_by("-created_at", "-id")
        if asked["is_active"] is not None:
            found = found.filter(is_active=asked["is_active"])
        start = asked["offset"]
        return Response(KioskCard(found[start : start + asked["limit"]], many=True).data)

    @extend_schema(
        summary="Set up a kiosk",
        description="Active, without a key yet. The fingerprint is invented if none is given.",
        request=NewKiosk,
        responses={
            201: KioskCard,
            **errors(401, 403, 422, e409="Kiosk with this name already exists"),
        },
        examples=[
            example("A kiosk", {"kiosk_name": "Side-Door", "location": "Rear entrance"}, request_only=True),
            example("The kiosk", CARD, status_codes=[201]),
        ],
    )
    def post(self, request: Request) -> Response:
        kiosk = services.create_kiosk(body(NewKiosk, request), by=Caller.of(request))
        return Response(KioskCard(kiosk).data, status=201)


class OneKiosk(ReaderView):
    acts = {"PATCH": "kiosk_updated", "DELETE": "kiosk_deleted"}

    @extend_schema(
        operation_id="admin_kiosks_update",
        summary="Change a kiosk",
        description="Null leaves a field as it is; an empty `ip_address` clears it.",
        request=KioskChanges,
        responses={
            200: KioskCard,
            **errors(401, 403, 422, e404="Kiosk not found", e409="Another kiosk already has this IP address"),
        },
        examples=[example("The kiosk", CARD)],
    )
    def patch(self, request: Request, pk: int) -> Response:
        kiosk = services.change_kiosk(pk, body(KioskChanges, request), by=Caller.of(request))
        return Response(KioskCard(kiosk).data)

    @extend_schema(
        operation_id="admin_kiosks_destroy",
        summary="Delete a kiosk",
        description="Its key ends; name, fingerprint and address are free again; punches keep its id.",
        responses={204: None, **errors(401, 403, e404="Kiosk not found")},
    )
    def delete(self, request: Request, pk: int) -> Response:
        services.delete_kiosk(pk, by=Caller.of(request))
        return Response(status=204)


class GenerateKey(ReaderView):
    acts = {"POST": "kiosk_key_generated"}

    @extend_schema(
        summary="Give a kiosk a new key",
        description="Shown this once; the old key ends at once.",
        request=None,
        responses={200: KioskSetup, **errors(401, 403, e404="Kiosk not found")},
        examples=[example("What the kiosk needs", SETUP)],
    )
    def post(self, request: Request, pk: int) -> Response:
        kiosk, key = services.generate_key(pk, by=Caller.of(request))
        setup = {
            "kiosk_id": kiosk.pk,
            "kiosk_name": kiosk.kiosk_name,
            "location": kiosk.location,
            "api_url": api_url(request._request),
            "api_key": key.text,
            "device_fingerprint": kiosk.device_fingerprint,
        }
        return Response(KioskSetup(setup).data)


class Devices(ReaderView):
    @extend_schema(
        operation_id="admin_devices_list",
        summary="List devices",
        description="Newest first.",
        parameters=[DeviceQuery],
        responses={200: RegisteredDevice(many=True), **errors(401, 403, 422)},
        examples=[example("A device", DEVICE)],
    )
    def get(self, request: Request) -> Response:
        asked = inputs.query(DeviceQuery, request)
        wanted = {name: asked[name] for name in ("user_id", "is_revoked") if asked.get(name) is not None}
        start = asked["offset"]
        found = Device.objects.filter(**wanted).newest_first()[start : start + asked["limit"]]
        return Response(RegisteredDevice(found, many=True).data)


class RevokeDevice(ReaderView):
    acts = {"POST": "device_revoked"}
    write_permission = "punch.manage_devices"

    @extend_schema(
        summary="Revoke somebody's device",
        request=None,
        responses={
            200: RegisteredDevice,
            **errors(401, 403, e400="Device is already revoked", e404="Device not found"),
        },
        examples=[example("The device", DEVICE | {"is_revoked": True})],
    )
    def post(self, request: Request, pk: int) -> Response:
        device = devices.revoke_device(pk if fits(pk) else 0, by=Caller.of(request))
        return Response(RegisteredDevice(device).data)
