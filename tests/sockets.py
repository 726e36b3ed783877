"""Sockets for tests: Channels' communicator around the project's own ASGI application."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from channels.testing import WebsocketCommunicator
from django.db import connections

from activity.callers import Caller
from activity.models import Entry
from activity.services import recorded
from config.asgi import application

Answer = TypeVar("Answer")
HOST = (b"host", b"testserver")
FEED = "/ws/activity/"


class Refused(Exception):
    """The handshake was answered with HTTP 403."""


class Peer:
    """The client's end of one socket."""

    def __init__(self, path: str, *headers: tuple[str, str], to: Any = application) -> None:
        sent = [(name.lower().encode(), value.encode()) for name, value in headers]
        self.wire = WebsocketCommunicator(to, path, [HOST, *sent])

    async def open(self) -> "Peer":
        accepted, _ = await self.wire.connect(timeout=5)
        if not accepted:
            raise Refused
        return self

    async def send(self, message: Any) -> None:
        await self.wire.send_to(text_data=message if isinstance(message, str) else json.dumps(message))

    async def event(self, seconds: float = 5) -> dict[str, Any]:
        """What the server does next."""
        found: dict[str, Any] = await self.wire.receive_output(seconds)
        return found

    async def hears(self, seconds: float = 5) -> dict[str, Any]:
        """The next frame."""
        event = await self.event(seconds)
        assert event["type"] == "websocket.send", event
        found: dict[str, Any] = json.loads(event["text"])
        return found

    async def ends(self, seconds: float = 5) -> int:
        """The code of the close that comes next, frames before it passed over."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            event = await self.event(deadline - asyncio.get_running_loop().time())
            if event["type"] == "websocket.close":
                code: int = event["code"]
                await self.leave()
                return code

    async def silent(self, seconds: float) -> bool:
        """Whether nothing comes for so long."""
        return bool(await self.wire.receive_nothing(seconds))

    async def rows(self, count: int, seconds: float = 5) -> list[dict[str, Any]]:
        """The next so many rows, in whatever frames they come."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            frame = await self.hears(seconds)
            assert frame["type"] in {"row", "rows"}, frame
            found += frame["rows"] if frame["type"] == "rows" else [frame["row"]]
        return found

    async def leave(self) -> None:
        await self.wire.disconnect(timeout=5)


def bearer(token: str) -> tuple[str, str]:
    return "Authorization", f"Bearer {token}"


async def aside(ask: Callable[..., Answer], *args: Any, **options: Any) -> Answer:
    """A synchronous call beside the event loop, on a connection of its own that is closed afterwards."""

    def call() -> Answer:
        try:
            return ask(*args, **options)
        finally:
            connections.close_all()

    return await asyncio.to_thread(call)


def played(scene: Callable[[], Awaitable[Answer]]) -> Answer:
    """Run what a test does with sockets, and see that nothing it started goes on afterwards."""

    async def play() -> Answer:
        async with asyncio.timeout(60):
            return await scene()

    return asyncio.run(play())


def write(action: str = "access", **columns: Any) -> int:
    """One committed row; its sequence number."""
    before = columns.pop("person", None)
    with recorded(action, domain="activity", by=Caller.of_system(), person=before, **columns):
        pass
    return Entry.objects.latest("pk").pk
