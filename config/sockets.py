"""The ground under every consumer: who may open a socket, what they may send, and when it is closed.

Whose socket it is, and whether that person's sign-in still lives, is answered by the keeper in the scope
(`identity.sockets`), so that no app needs to know another to be signed in to.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable
from enum import IntEnum
from typing import Any, ClassVar, Protocol

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError

log = logging.getLogger("waymark.sockets")
PATIENCE = 5  # seconds for the closing frame to leave


class Code(IntEnum):
    """Why a socket was closed."""

    DEFECT = 1011
    TRY_LATER = 1013
    BAD_FRAME = 4400
    NOT_SIGNED_IN = 4401
    FORBIDDEN = 4403
    SILENT = 4408
    TOO_MANY = 4429


class SocketClosed(Exception):
    """This socket is to be closed, with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Pass(Protocol):
    """What an admitted socket holds; `person` is whose it is."""

    person: Any
    credentials: Any


class Keeper(Protocol):
    """Who answers for the people behind sockets. Everything may raise SocketClosed."""

    async def recognise(self, scope: Any, *, session: bool) -> Any: ...

    async def recognise_text(self, text: str) -> Any: ...

    async def admit(self, credentials: Any, rules: Any, end: Callable[[int], None]) -> Pass: ...

    async def renew(self, admitted: Pass, text: str) -> None: ...

    async def leave(self, admitted: Pass) -> None: ...


class Outbox:
    """Frames on their way to one reader; more than `limit` waiting ones mean that the reader is too slow."""

    def __init__(self, limit: int = 256) -> None:
        self.limit = limit
        self.frames: deque[str] = deque()
        self.filled = asyncio.Event()

    def put(self, frame: str) -> None:
        if len(self.frames) >= self.limit:
            raise SocketClosed(Code.TRY_LATER)
        self.frames.append(frame)
        self.filled.set()

    def take(self) -> str | None:
        """The next frame, None when nothing waits."""
        return self.frames.popleft() if self.frames else None

    async def next(self) -> str:
        """The next frame, as soon as there is one."""
        while (frame := self.take()) is None:
            self.filled.clear()
            await self.filled.wait()
        return frame


class Rate:
    """At most `allowed` events in any second."""

    def __init__(self, allowed: int) -> None:
        self.times: deque[float] = deque(maxlen=allowed)

    def exceeded(self, now: float) -> bool:
        """Count one event; whether it is one too many."""
        full = len(self.times) == self.times.maxlen and now - self.times[0] < 1
        self.times.append(now)
        return full


class SignedInConsumer(AsyncWebsocketConsumer):
    """A socket of a person who is signed in, as long as they are; subclasses say what they may ask.

    The handshake is accepted first, so that the client can read the code with which it is refused. Credentials:
    `Authorization`, a `Cookie: JWT …` part, the session cookie (`session_counts`), or, where
    `first_frame_within` gives seconds for it, the text that `credentials_in` finds in the first frame.
    """

    channel_layer_alias = (
        "none"  # sockets follow tables; a channel for each would cost a subscription for each
    )

    room: ClassVar[str]
    permission: ClassVar[str | None] = None
    sockets_per_person: ClassVar[int] = 5
    session_counts: ClassVar[bool] = True
    first_frame_within: ClassVar[float | None] = None
    largest_frame: ClassVar[int] = 4096
    too_large: ClassVar[Code] = Code.BAD_FRAME
    frames_per_second: ClassVar[int] = 10
    sent_per_second: ClassVar[int | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outbox = self.new_outbox()
        self.rate = Rate(self.frames_per_second)
        self.admitted: Pass | None = None
        self.writer: asyncio.Task[None] | None = None
        self.closer: asyncio.Task[None] | None = None
        self.silence: asyncio.TimerHandle | None = None

    # What subclasses say

    def new_outbox(self) -> Any:
        return Outbox()

    def credentials_in(self, message: dict[str, Any]) -> str | None:
        """The token or ticket in a first frame."""
        token = message.get("token")
        return token if isinstance(token, str) and len(message) == 1 else None

    async def opened(self) -> None:
        """The person was let in."""

    async def received(self, message: dict[str, Any]) -> None:
        """The person sent this."""
        raise SocketClosed(Code.BAD_FRAME)

    def left(self) -> None:
        """The socket is gone; called once, also when `opened` failed."""

    # What they may use

    @property
    def person(self) -> Any:
        assert self.admitted is not None
        return self.admitted.person

    def post(self, message: dict[str, Any]) -> None:
        """Send this as soon as the reader can take it."""
        self.outbox.put(json.dumps(message, separators=(",", ":"), ensure_ascii=False))

    def end(self, code: int) -> None:
        """Close with this code; what comes later changes nothing."""
        if self.closer is None:
            self.closer = asyncio.create_task(self._close(code))

    async def renew(self, text: str) -> None:
        """Go on with another token of the same person."""
        assert self.admitted is not None
        await self.keeper.renew(self.admitted, text)

    @property
    def keeper(self) -> Keeper:
        keeper: Keeper = self.scope["keeper"]
        return keeper

    # The life of a socket

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.task = asyncio.current_task()
        self.gave_up = False
        try:
            await super().__call__(scope, receive, send)
        except asyncio.CancelledError:
            if not self.gave_up:
                raise
        finally:
            await self._clean_up()

    async def _clean_up(self) -> None:
        if self.silence is not None:
            self.silence.cancel()
        for task in (self.writer, self.closer):
            if task is not None:
                task.cancel()
        self.left()
        if self.admitted is not None:
            await self.keeper.leave(self.admitted)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """One message of the server, and what to answer to whatever it led to."""
        try:
            await getattr(self, message["type"].replace(".", "_"))(message)
        except StopConsumer:
            raise
        except SocketClosed as closed:
            self.end(closed.code)
        except DatabaseError:
            log.exception("A socket in %s could not be served by the database", self.room)
            self.end(Code.TRY_LATER)
        except OSError:
            log.debug("A reader in %s left while it was answered", self.room)
        except Exception:
            log.exception("A frame in %s met a defect", self.room)
            self.end(Code.DEFECT)

    async def websocket_connect(self, message: dict[str, Any]) -> None:
        await self.accept()
        credentials = await self.keeper.recognise(self.scope, session=self.session_counts)
        if credentials is not None:
            await self._enter(credentials)
        elif self.first_frame_within is None:
            raise SocketClosed(Code.NOT_SIGNED_IN)
        else:
            loop = asyncio.get_running_loop()
            self.silence = loop.call_later(self.first_frame_within, self.end, Code.NOT_SIGNED_IN)

    async def _enter(self, credentials: Any) -> None:
        self.admitted = await self.keeper.admit(credentials, self, self.end)
        await self.opened()
        self.writer = asyncio.create_task(self._write())

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        if self.closer is not None:
            return
        content = self._content(message)
        if self.admitted is not None:
            await self.received(content)
        elif (text := self.credentials_in(content)) is None:
            raise SocketClosed(Code.BAD_FRAME)
        else:
            await self._introduced(text)

    async def _introduced(self, text: str) -> None:
        if self.silence is not None:
            self.silence.cancel()
        await self._enter(await self.keeper.recognise_text(text))

    def _content(self, message: dict[str, Any]) -> dict[str, Any]:
        """The JSON object in a frame that is neither too large nor one too many."""
        if self.rate.exceeded(asyncio.get_running_loop().time()):
            raise SocketClosed(Code.TOO_MANY)
        text = message.get("text")
        if text is None or len(text) > self.largest_frame or len(text.encode()) > self.largest_frame:
            raise SocketClosed(Code.BAD_FRAME if text is None else self.too_large)
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            raise SocketClosed(Code.BAD_FRAME) from None
        if not isinstance(content, dict):
            raise SocketClosed(Code.BAD_FRAME)
        return content

    async def _write(self) -> None:
        pause = 1 / self.sent_per_second if self.sent_per_second else 0
        try:
            while True:
                await self.send(text_data=await self.outbox.next())
                await asyncio.sleep(pause)
        except OSError:
            log.debug("A reader in %s left while it was written to", self.room)

    async def _close(self, code: int) -> None:
        """Say why, unless the reader takes nothing any more: then only end."""
        if self.writer is not None:
            self.writer.cancel()
        try:
            await asyncio.wait_for(self.close(code), PATIENCE)
        except OSError:  # a TimeoutError is one too
            self.gave_up = True
            if self.task is not None:
                self.task.cancel()

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        """Nothing is left to say; what the socket held is given back when its call ends."""
        raise StopConsumer
