"""Telling the live feeds that the trail has a new row. A wake that is lost costs half a second, nothing else.

Only processes that serve send wakes: to themselves at once, to the others by the channel layer if there is a
shared one. What other commands write is found by the feeds' own looks at the table.
"""

import asyncio
import logging
from collections.abc import Callable

from channels.layers import get_channel_layer
from django.conf import settings

log = logging.getLogger("waymark.feed")
GROUP = "activity.feed"
SILENT_FOR = 5  # seconds without wakes after the channel layer failed


class Bell:
    """Rings in the event loop of this process whenever a row was committed, here or elsewhere."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.listeners: set[Callable[[], None]] = set()
        self.sending: asyncio.Task[None] | None = None
        self.unsent = False

    def ring(self) -> None:
        """From any thread."""
        self.loop.call_soon_threadsafe(self._rung)

    def _rung(self) -> None:
        self.heard()
        self.unsent = bool(settings.REDIS_URL)
        if self.unsent and (self.sending is None or self.sending.done()):
            self.sending = self.loop.create_task(self._send())

    def heard(self) -> None:
        for listener in self.listeners:
            listener()

    async def _send(self) -> None:
        """Wake the other processes; wakes that come while one is on its way become one."""
        while self.unsent:
            self.unsent = False
            try:
                await get_channel_layer().group_send(GROUP, {"type": "wake"})
            except Exception as error:  # whatever the layer met, a wake is a hint that may be lost
                log.warning("The channel layer takes no wakes: %s", error)
                await asyncio.sleep(SILENT_FOR)

    async def listen(self) -> None:
        """Hear the wakes of the other processes, as long as this is awaited."""
        while settings.REDIS_URL:
            try:
                layer = get_channel_layer()
                channel = await layer.new_channel()
                await layer.group_add(GROUP, channel)
                while True:
                    await layer.receive(channel)
                    self.heard()
            except Exception as error:  # the feeds look at the table by themselves until the layer is back
                log.warning("The channel layer gives no wakes: %s", error)
                await asyncio.sleep(SILENT_FOR)


_bell: Bell | None = None


def attach() -> Bell:
    """The bell of the running event loop; from now on `announce` rings it."""
    global _bell
    loop = asyncio.get_running_loop()
    if _bell is None or _bell.loop is not loop:
        _bell = Bell(loop)
    return _bell


def announce() -> None:
    """A row was committed."""
    if _bell is not None and not _bell.loop.is_closed():
        _bell.ring()
