"""`/admin/kiosks/{id}/…access…`: who may punch at a kiosk."""

from typing import Any, NoReturn

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from activity.callers import Caller
from config.errors import Forbidden
from config.schema import errors, example
from punch import services
from punch.api.base import ReaderView, body
from punch.models import KioskAccess
from punch.queries.kiosks import access_of
from punch.serializers import (
    AccessBlock,
    AccessChanged,
    AccessGrant,
    AccessModeChange,
    AccessModeChanged,
    AccessRevoked,
    KioskAccessList,
)

ADMIN_ONLY = "Admin role required"
BOTH = {"e403": ADMIN_ONLY, "e404": "Kiosk not found"}


class AccessView(ReaderView):
    """Says "Admin role required" to whoever may not."""

    def permission_denied(self, request: Request, *args: Any, **kwargs: Any) -> NoReturn:
        try:
            super().permission_denied(request, *args, **kwargs)
        except PermissionDenied as error:
            raise Forbidden(ADMIN_ONLY) from error


class AccessList(AccessView):
    @extend_schema(
        summary="Show who may use a kiosk",
        description="Granted and blocked people, by e-mail.",
        responses={200: KioskAccessList, **errors(401, **BOTH)},
        examples=[
            example(
                "A white list",
                {
                    "kiosk_id": 3,
                    "kiosk_name": "Warehouse",
                    "location": "Hall 2",
                    "access_mode": "whitelist",
                    "is_active": True,
                    "authorized_users": [
                        {
                            "user_id": 7,
                            "email": "uma@example.org",
                            "granted": True,
                            "granted_at": "2026-03-01T09:00:00Z",
                            "expires_at": None,
                            "granted_by_admin_id": 1,
                        }
                    ],
                },
            )
        ],
    )
    def get(self, request: Request, pk: int) -> Response:
        return Response(KioskAccessList(access_of(services.found_kiosk(pk))).data)


class AccessMode(AccessView):
    acts = {"PATCH": "kiosk_access_mode_changed"}

    @extend_schema(
        operation_id="admin_kiosks_access_mode",
        summary="Choose who may use a kiosk",
        request=AccessModeChange,
        responses={
            200: AccessModeChanged,
            **errors(401, 422, e400=services.AccessModeInvalid.detail, **BOTH),
        },
        examples=[example("A white list", {"access_mode": "whitelist"}, request_only=True)],
    )
    def patch(self, request: Request, pk: int) -> Response:
        mode = body(AccessModeChange, request)["access_mode"]
        kiosk = services.change_access_mode(pk, mode, by=Caller.of(request))
        changed = {
            "success": True,
            "message": f"Access mode changed to {mode}",
            "kiosk": {"id": kiosk.pk, "kiosk_name": kiosk.kiosk_name, "access_mode": kiosk.access_mode},
        }
        return Response(changed)


def _changed(words: str, access: KioskAccess) -> dict[str, Any]:
    user, kiosk = access.user, access.kiosk
    row = {"user_id": user.pk, "kiosk_id": kiosk.pk, "granted": access.granted}
    return {
        "success": True,
        "message": words.format(email=user.email or user.username, name=kiosk.kiosk_name),
        "access": row,
    }


class GrantAccess(AccessView):
    acts = {"POST": "kiosk_access_granted"}

    @extend_schema(
        summary="Grant a person a kiosk",
        description="Counts at kiosks with a white list, until `expires_at` if given.",
        request=AccessGrant,
        responses={200: AccessChanged, **errors(401, 422, **BOTH)},
        examples=[example("For ever", {"user_id": 7}, request_only=True)],
    )
    def post(self, request: Request, pk: int) -> Response:
        asked = body(AccessGrant, request)
        access = services.grant_access(
            pk, asked["user_id"], until=asked.get("expires_at"), by=Caller.of(request)
        )
        answer = _changed("Access granted to {email} for kiosk {name}", access)
        answer["access"]["expires_at"] = access.expires_at
        return Response(AccessChanged(answer).data)


class BlockAccess(AccessView):
    acts = {"POST": "kiosk_access_blocked"}

    @extend_schema(
        summary="Block a person at a kiosk",
        description="Counts at kiosks with a black list.",
        request=AccessBlock,
        responses={200: AccessChanged, **errors(401, 422, **BOTH)},
        examples=[example("This person", {"user_id": 7}, request_only=True)],
    )
    def post(self, request: Request, pk: int) -> Response:
        access = services.block_access(pk, body(AccessBlock, request)["user_id"], by=Caller.of(request))
        return Response(_changed("Access blocked for {email} on kiosk {name}", access))


class RevokeAccess(AccessView):
    acts = {"DELETE": "kiosk_access_revoked"}

    @extend_schema(
        operation_id="admin_kiosks_revoke_access",
        summary="Take a granted or blocked row away",
        responses={200: AccessRevoked, **errors(401, **BOTH)},
        examples=[
            example(
                "Done",
                {"success": True, "message": "Access revoked for uma@example.org from kiosk Warehouse"},
            )
        ],
    )
    def delete(self, request: Request, pk: int, user_id: int) -> Response:
        kiosk, user, found = services.revoke_access(pk, user_id, by=Caller.of(request))
        name = user.email or user.username
        done = f"Access revoked for {name} from kiosk {kiosk.kiosk_name}"
        none = f"No access found for {name} on kiosk {kiosk.kiosk_name}"
        return Response({"success": found, "message": done if found else none})
