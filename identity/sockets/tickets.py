"""Tickets: single use, seconds long, for pages that open a socket and cannot send a header with it."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from identity.authentication import Credentials, Ended, insist_alive
from identity.models import RevokedToken, SocketTicket

LIFE = timedelta(seconds=30)
PREFIX = "wst_"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def issue_ticket(credentials: Credentials, now: datetime | None = None) -> str:
    """A ticket for one socket of this sign-in, good for 30 s."""
    moment = now or timezone.now()
    text = PREFIX + secrets.token_urlsafe(32)
    until = moment + timedelta(minutes=settings.ACCESS_TOKEN_EXPIRE_MINUTES)
    SocketTicket.objects.create(
        digest=_digest(text),
        sign_in=credentials.sign_in,
        jti=credentials.jti,
        socket_until=until,
        expires_at=moment + LIFE,
    )
    return text


def redeem(text: str, now: datetime) -> Credentials:
    """Whose ticket this is, and use it up; Ended if it opens nothing (any more).

    The socket ends with the sign-in, and at the latest when an access token of that moment would.
    """
    with transaction.atomic():
        ticket = SocketTicket.objects.select_related("sign_in__user").filter(pk=_digest(text)).first()
        if ticket is None or not SocketTicket.objects.filter(pk=ticket.pk).delete()[0]:
            raise Ended("invalid_token")  # of two at once, one deletes
    if ticket.expires_at <= now or RevokedToken.objects.filter(jti=ticket.jti).exists():
        raise Ended("invalid_token")
    return Credentials(insist_alive(ticket.sign_in, now), ticket.jti, ticket.socket_until)
