"""What the doors of this dialect share: who is let in, how bodies are read, what an id may be."""

from typing import Any, ClassVar

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

from activity.api_base import TrailedView
from activity.models import Domain
from config import inputs, throttles
from config.errors import InvalidInput
from identity.models import User
from punch.authentication import HEADER, IsKiosk, KioskKeyAuthentication
from punch.models import Kiosk
from punch.queries.people import SEES_ALL, SEES_TEAM


class PunchView(TrailedView):
    dialect = "punch"
    domain = Domain.PUNCH


class OwnView(PunchView):
    """For everybody signed in, about their own things."""

    permission_classes = [IsAuthenticated]


class ReaderView(PunchView):
    """Read by admin, operator and auditor, written by admin and operator."""

    read_permission = SEES_ALL
    write_permission = "punch.manage_kiosks"


class ManagedView(PunchView):
    """Read by managers too, who get the rows of their own people."""

    read_permission = SEES_TEAM


class KioskView(PunchView):
    """For kiosks, known by their key; throttled before anything of the body is read."""

    authentication_classes = [KioskKeyAuthentication]
    permission_classes = [IsKiosk]
    throttle: ClassVar[str] = ""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.throttle:
            throttles.hit(
                self.throttle.lower(), str(request.auth.pk), settings.PUNCH_THROTTLES[self.throttle]
            )


class KioskKeyScheme(OpenApiAuthenticationExtension):
    """Swagger's Authorize for kiosks."""

    target_class = "punch.authentication.KioskKeyAuthentication"
    name = "kioskKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "header", "name": HEADER}


def body(kind: type[serializers.Serializer], request: Request) -> dict[str, Any]:
    """The JSON body, checked; another content type is a body of the wrong kind, not 415."""
    try:
        return inputs.body(kind, request)
    except UnsupportedMediaType as error:
        wrong = {"type": "dict_type", "loc": ["body"], "msg": "Input should be a valid dictionary"}
        raise InvalidInput([wrong]) from error


def kiosk_in(request: Request) -> Kiosk:
    """The kiosk whose key came with the request; the permission classes saw to it that there is one."""
    assert isinstance(request.auth, Kiosk)
    return request.auth


def caller_of(request: Request) -> User:
    """The signed-in person; the permission classes saw to it that there is one."""
    assert isinstance(request.user, User)
    return request.user
