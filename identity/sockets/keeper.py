"""The ASGI middleware around all sockets, and what consumers ask of it (`config.sockets.Keeper`)."""

import asyncio
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from django.utils import timezone

from config.lanes import Lane
from config.sockets import Code, SignedInConsumer, SocketClosed
from identity.authentication import Credentials
from identity.sockets import credentials as recognised
from identity.sockets import leases, origins
from identity.sockets.watch import Admitted, Watch

HANDSHAKES = 2  # threads; the watch and the feeds have their own
lane = Lane("socket handshake", HANDSHAKES)


def _entered(credentials: Credentials, rules: SignedInConsumer, end: Callable[[int], None]) -> Admitted:
    user = credentials.sign_in.user
    if rules.permission is not None and not user.has_perm(rules.permission):
        raise SocketClosed(Code.FORBIDDEN)
    lease = leases.claim(user, rules.room, rules.sockets_per_person, timezone.now())
    return Admitted(credentials, rules.permission, lease, end)


class SocketKeeper:
    """Answers HTTP 403 to handshakes from foreign origins, and puts itself into the scope of all others."""

    def __init__(self, application: Callable[..., Any]) -> None:
        self.application = application
        self.watches: WeakKeyDictionary[asyncio.AbstractEventLoop, Watch] = WeakKeyDictionary()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if origins.allowed(scope["headers"]):
            await self.application({**scope, "keeper": self}, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": Code.FORBIDDEN})  # unaccepted: the server says 403

    @property
    def watch(self) -> Watch:
        """That of the running event loop; a process that serves has one."""
        loop = asyncio.get_running_loop()
        if loop not in self.watches:
            self.watches[loop] = Watch()
        return self.watches[loop]

    async def recognise(self, scope: dict[str, Any], *, session: bool) -> Credentials | None:
        """Who the handshake says it is; None if it says nothing that counts."""
        headers = scope["headers"]
        if recognised.token_in(headers) is None and not (session and recognised.session_key_in(headers)):
            return None
        return await lane.ask(lambda: recognised.of_handshake(headers, session=session))

    async def recognise_text(self, text: str) -> Credentials:
        """Whose token or ticket this is."""
        return await lane.ask(recognised.of_text, text)

    async def admit(
        self, credentials: Credentials, rules: SignedInConsumer, end: Callable[[int], None]
    ) -> Admitted:
        """Let this person's socket in, and call `end` with a code as soon as it may not go on."""
        admitted = await lane.ask(_entered, credentials, rules, end)
        self.watch.add(admitted)
        return admitted

    async def renew(self, admitted: Admitted, text: str) -> None:
        """Go on with another token or ticket of the same person; another person's is refused with 4403."""
        fresh = await self.recognise_text(text)
        if fresh.sign_in.user_id != admitted.credentials.sign_in.user_id:
            raise SocketClosed(Code.FORBIDDEN)
        admitted.credentials = fresh

    async def leave(self, admitted: Admitted) -> None:
        """This socket is closed."""
        await self.watch.remove(admitted)
