"""One look a second, for all open sockets of this process at once, whether the sign-ins behind them still live."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import DatabaseError
from django.utils import timezone

from config.lanes import Lane
from config.sockets import Code
from identity import roles
from identity.authentication import Credentials
from identity.models import RevokedToken, SignIn, User
from identity.sockets import leases

log = logging.getLogger("waymark.sockets")
SECONDS = 0.8  # between two looks; with the look itself and the close, well under the promised two
BLIND_FOR = 10  # seconds without an answer of the database after which nobody is vouched for
AT_ONCE = 10_000  # databases limit the parameters of a statement
lane = Lane("socket watch")


@dataclass(eq=False)
class Admitted:
    """A socket that was let in: whose, by what right, in which room, and how to end it."""

    credentials: Credentials
    permission: str | None
    lease: UUID
    end: Callable[[int], None]

    @property
    def person(self) -> User:
        return self.credentials.sign_in.user


@dataclass(frozen=True)
class Standing:
    """What one look found: the roles behind each living sign-in, and the tokens that were revoked."""

    roles: dict[UUID, set[str]]
    revoked: set[str]

    def verdict(self, socket: Admitted, now: datetime) -> Code | None:
        """Why this socket ends now; None if it goes on."""
        held = self.roles.get(socket.credentials.sign_in.pk)
        until = socket.credentials.expires_at
        if held is None or socket.credentials.jti in self.revoked or (until is not None and until <= now):
            return Code.NOT_SIGNED_IN
        if socket.permission is not None and not roles.allows(held, socket.permission):
            return Code.FORBIDDEN
        return None


def _batches(values: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(values)
    while batch := list(islice(rest, AT_ONCE)):
        yield batch


def look(sign_ins: set[UUID], jtis: set[str], now: datetime) -> Standing:
    """How these sign-ins and tokens stand."""
    found: dict[UUID, set[str]] = {}
    for batch in _batches(sign_ins):
        living = SignIn.objects.live(now).filter(
            pk__in=batch, user__is_active=True, user__deleted_at__isnull=True
        )
        for pk, superuser, role in living.values_list("pk", "user__is_superuser", "user__groups__name"):
            found.setdefault(pk, set()).update(filter(None, [role, roles.Role.ADMIN if superuser else None]))
    revoked: set[str] = set()
    for batch in _batches(jtis):
        revoked.update(RevokedToken.objects.filter(pk__in=batch).values_list("pk", flat=True))
    return Standing(found, revoked)


class Watch:
    """The open sockets of one event loop."""

    def __init__(self) -> None:
        self.sockets: set[Admitted] = set()
        self.closed: set[UUID] = set()
        self.giving_back = asyncio.Lock()
        self.task: asyncio.Task[None] | None = None
        self.renewed_at = self.seen_at = timezone.now()

    def add(self, socket: Admitted) -> None:
        self.sockets.add(socket)
        if self.task is None or self.task.done():
            self.renewed_at = self.seen_at = timezone.now()
            self.task = asyncio.create_task(self._go_on())

    async def remove(self, socket: Admitted) -> None:
        """Its lease is given back when this returns, together with all others that were closed meanwhile."""
        self.sockets.discard(socket)
        self.closed.add(socket.lease)
        async with self.giving_back:
            batch, self.closed = self.closed, set()
            if batch:
                await lane.ask(leases.give_back, batch)

    async def _go_on(self) -> None:
        while self.sockets:
            await asyncio.sleep(SECONDS)
            try:
                await self._look()
            except DatabaseError:
                log.exception("The sign-ins behind open sockets could not be looked at")
                self._end_if_blind()

    async def _look(self) -> None:
        now = timezone.now()
        watched = list(self.sockets)
        sign_ins = {socket.credentials.sign_in.pk for socket in watched}
        jtis = {socket.credentials.jti for socket in watched if socket.credentials.jti}
        standing = await lane.ask(look, sign_ins, jtis, now)
        self.seen_at = now
        for socket in watched:
            code = standing.verdict(socket, now)
            if code is not None:
                socket.end(code)
        if now - self.renewed_at >= leases.RENEWED_EVERY:
            self.renewed_at = now
            await lane.ask(leases.renew, now)

    def _end_if_blind(self) -> None:
        """Whoever cannot be vouched for any more is sent away."""
        if (timezone.now() - self.seen_at).total_seconds() > BLIND_FOR:
            for socket in list(self.sockets):
                socket.end(Code.TRY_LATER)
