"""`/visit` as a bare ASGI application: no middleware, no DRF, no thread of its own per request.

What every answer of the site carries (security headers, a request id) is here too. An accepted visit leaves no
line in the access log: the line would cost as much as the visit.
"""

import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

from activity.callers import address_behind
from config.errors import Refusal
from config.middleware import SANE_ID, SecurityHeaders, TooLarge
from traffic.arrivals import Arrival, Reporter, check_type, header_agent, known_address, read_visit, shown
from traffic.ingest.ledger import Ask
from traffic.ingest.quota import exempt
from traffic.ingest.writer import Writer

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

access_log = logging.getLogger("waymark.access")
log = logging.getLogger("waymark.traffic")
PATHS = frozenset({"/visit", "/visit/"})
MAX_BODY = 16_384
RECEIPT = b'{"success":true,"visit_count":%d,"message":"Visit logged successfully. Total visits: %d"}'
COMMON: Headers = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"access-control-allow-origin", b"*"),
    (b"content-security-policy", SecurityHeaders.base.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
]
PREFLIGHT: Headers = [
    (b"allow", b"POST, OPTIONS"),
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"content-type"),
    (b"access-control-max-age", b"86400"),
]


class WrongVerb(Refusal):
    status, detail = 405, "Method Not Allowed"

    def __init__(self) -> None:
        super().__init__(headers={"Allow": "POST, OPTIONS"})


class Gone(Exception):
    """The client left before its request was complete."""


class Door:
    """Answers `/visit`. One writer serves all requests of a process; it starts with the first of them."""

    def __init__(self) -> None:
        self.writer: Writer | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        extra: Headers = []
        try:
            status, body, extra = await self._answer(scope, headers, receive)
        except Refusal as refusal:
            status, body = refusal.status, shown(refusal)
            extra = [(k.lower().encode(), v.encode()) for k, v in refusal.headers.items()]
        except Gone:
            return
        except Exception:  # the last resort of a request, as Django's own is
            log.exception("A visit met a defect")
            status, body = 500, b'{"detail":"Internal Server Error"}'
        asked = headers.get(b"x-request-id", b"").decode("latin1")
        request_id = asked if asked and SANE_ID.match(asked) else os.urandom(16).hex()
        if status >= 400:
            access_log.info("%s %s %s [%s]", scope["method"], scope["path"], status, request_id)
        length = [(b"content-length", b"%d" % len(body))] if body else []
        own = [*length, (b"x-request-id", request_id.encode()), *extra]
        await send({"type": "http.response.start", "status": status, "headers": [*COMMON, *own]})
        await send({"type": "http.response.body", "body": body})

    async def _answer(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive
    ) -> tuple[int, bytes, Headers]:
        if scope["method"] == "OPTIONS":
            return 204, b"", PREFLIGHT
        if scope["method"] != "POST":
            raise WrongVerb
        if int(headers.get(b"content-length", b"0")) > MAX_BODY:
            raise TooLarge
        address = _client(scope, headers)
        arrival = await self._read(headers, receive, address)
        number = await self._stored(arrival, None if exempt(address) else address)
        return 200, RECEIPT % (number, number), []

    async def _read(self, headers: dict[bytes, bytes], receive: Receive, address: str | None) -> Arrival:
        check_type(headers.get(b"content-type", b"").decode("latin1"))
        body = await _body(receive)
        return read_visit(body, Reporter(header_agent(headers.get(b"user-agent")), address))

    async def _stored(self, arrival: Arrival, throttled: str | None) -> int:
        """The number of this visit, once it is durable."""
        if self.writer is None:
            self.writer = Writer()
        answer = await self.writer.put(Ask((arrival,), throttled))
        if isinstance(answer, Refusal):
            raise answer
        return answer


def _client(scope: Scope, headers: dict[bytes, bytes]) -> str | None:
    peer = (scope.get("client") or ("",))[0]
    if not settings.TRUSTED_PROXIES:
        return known_address(peer)
    hops = [value.decode("latin1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return address_behind(peer, ",".join(hops))


async def _body(receive: Receive) -> bytes:
    """The whole body; refused as soon as it passes the limit, whatever length was declared."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part = message.get("body", b"")
        parts.append(part)
        size += len(part)
        more = message.get("more_body", False)
        if size > MAX_BODY:
            raise TooLarge
    return b"".join(parts)
