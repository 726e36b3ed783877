"""Guests: requests without credentials from networks that the operator named (`ACTIVITY_GUEST_NETWORKS`)."""

import ipaddress
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from activity.callers import client_address


class Guest(AnonymousUser):
    """Nobody in particular, with the rights of one role; its rows carry `source_admin` = `guest`."""

    username = "guest"  # type: ignore[assignment]
    is_active = True  # type: ignore[assignment]

    @property
    def is_authenticated(self) -> bool:  # type: ignore[override]
        return True

    @property
    def roles(self) -> list[str]:
        return [settings.ACTIVITY_GUEST_ROLE]


class GuestNetworks(BaseAuthentication):
    """The last way to be known, on the KitsuTrail routes only."""

    def authenticate(self, request: Request) -> tuple[Guest, None] | None:
        if "Authorization" in request.headers or settings.SESSION_COOKIE_NAME in request.COOKIES:
            return None
        address = client_address(request._request)
        if address is None:
            return None
        origin = ipaddress.ip_address(address)
        if any(
            origin in ipaddress.ip_network(text, strict=False) for text in settings.ACTIVITY_GUEST_NETWORKS
        ):
            return Guest(), None
        return None


class GuestScheme(OpenApiAuthenticationExtension):
    """Guests have nothing to send, so the description of the API says nothing about them."""

    target_class = GuestNetworks
    name: list[str] = []

    def get_security_requirement(self, auto_schema: Any) -> None:
        return None

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        return []
