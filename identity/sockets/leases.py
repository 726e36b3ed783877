"""How many sockets a person holds open, in all processes together.

A lease is renewed every few seconds by the process that serves the socket; those of a process that died count no
longer after `LIFE`.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import transaction

from config.sockets import Code, SocketClosed
from identity.models import OpenSocket, User

PROCESS = uuid4().hex
LIFE = timedelta(seconds=15)
RENEWED_EVERY = timedelta(seconds=5)


def claim(user: User, room: str, limit: int, now: datetime) -> UUID:
    """One more socket of this person in this room; SocketClosed with 4429 when that is one too many."""
    with transaction.atomic():
        # of two sockets opened at once, the second is counted after the first
        User.objects.select_for_update(no_key=True).filter(pk=user.pk).values_list("pk").first()
        held = OpenSocket.objects.filter(user=user, room=room, seen_at__gt=now - LIFE).count()
        if held >= limit:
            raise SocketClosed(Code.TOO_MANY)
        return OpenSocket.objects.create(user=user, room=room, process=PROCESS, seen_at=now).pk


def renew(now: datetime) -> None:
    """All sockets of this process are open still; those of processes that died are forgotten."""
    OpenSocket.objects.filter(process=PROCESS).update(seen_at=now)
    OpenSocket.objects.filter(seen_at__lt=now - 4 * LIFE).delete()


def give_back(leases: Iterable[UUID]) -> None:
    """These sockets are closed."""
    OpenSocket.objects.filter(pk__in=list(leases)).delete()
