"""Who asks: the only part of a request that services see."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.crypto import get_random_string

HEX = "0123456789abcdef"


@lru_cache(maxsize=8)
def _networks(trusted: tuple[str, ...]) -> Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(entry, strict=False) for entry in trusted]


def normal_address(text: str | None) -> str | None:
    """An address in its shortest form, IPv4 out of its IPv6 coat; None for what is no address."""
    try:
        address = ipaddress.ip_address((text or "").strip().split("%")[0])
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


def _trusted(address: str | None) -> bool:
    networks = _networks(tuple(settings.TRUSTED_PROXIES))
    return address is not None and any(ipaddress.ip_address(address) in network for network in networks)


def address_behind(peer: str | None, forwarded: str) -> str | None:
    """The peer's address; behind trusted proxies the last address it forwards that is not one of them."""
    address = normal_address(peer)
    for hop in reversed(forwarded.split(",")):
        if not _trusted(address):
            break
        address = normal_address(hop) or address
    return address


def client_address(request: HttpRequest) -> str | None:
    """Who asks, by the socket and what trusted proxies say in X-Forwarded-For."""
    return address_behind(request.META.get("REMOTE_ADDR"), request.headers.get("X-Forwarded-For", ""))


@dataclass(frozen=True, slots=True)
class Caller:
    """A person, or a part of the system named by `system`; where from; and the trace its acts belong to."""

    user: Any = None
    ip: str | None = None
    agent: str = ""
    trace_id: str = ""
    system: str | None = None

    @classmethod
    def of(cls, request: HttpRequest) -> "Caller":
        user = getattr(request, "user", None)
        nobody = user is None or isinstance(
            user, AnonymousUser
        )  # this look is what finds the session's trace
        trace = getattr(request, "sign_in_trace", None) or getattr(request, "id", "")
        return cls(
            user=None if nobody else user,
            ip=client_address(request),
            agent=request.headers.get("User-Agent", ""),
            trace_id=trace or get_random_string(32, HEX),
        )

    @classmethod
    def of_system(cls, name: str = "system") -> "Caller":
        return cls(ip="127.0.0.1", trace_id=get_random_string(32, HEX), system=name)

    @property
    def login(self) -> str:
        """Who did it, as a row's `source_admin` names them; `guest` for nobody in particular."""
        return self.system or (self.user.get_username() if self.user is not None else "guest")
