"""QR tokens: issued to a person's device, forgotten a day after they expired."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from config import throttles
from config.errors import Refusal
from identity import keys
from identity.devices import DeviceNotOwned
from identity.models import Device, User
from punch import qr
from punch.models import QrToken

KEPT_AFTER_EXPIRY = timedelta(hours=24)
PURGED_AT_ONCE = 500


class DeviceRevoked(Refusal):
    status, detail = 403, "Device has been revoked"


@dataclass(frozen=True)
class IssuedToken:
    """A QR token; `expires_in` in seconds."""

    text: str
    expires_in: int
    expires_at: datetime


def issue_token(owner: User, device_id: int) -> IssuedToken:
    """A fresh token for a device of this person, which counts as seen now. No row in the trail: telemetry."""
    throttles.hit("qr", str(owner.pk), settings.PUNCH_THROTTLES["QR"])
    device = Device.objects.of(owner).filter(pk=device_id).first()
    if device is None:
        raise DeviceNotOwned
    now = timezone.now()
    ring = keys.ring()
    claims = qr.Claims.fresh(owner.pk, device.pk, now, settings.EPHEMERAL_TOKEN_EXPIRE_SECONDS)
    text = qr.signed(claims, ring.current, ring.current_id)
    with transaction.atomic():
        if not Device.objects.active().filter(pk=device.pk).update(last_seen_at=now):
            raise DeviceRevoked
        QrToken.objects.create(
            jti=claims.jti,
            nonce=claims.nonce,
            user=owner,
            device=device,
            issued_at=claims.issued_at,
            expires_at=claims.expires_at,
        )
    return IssuedToken(text, claims.life, claims.expires_at)


def purge_tokens(now: datetime) -> int:
    """Delete tokens 24 hours after they expired, 500 per transaction; how many."""
    expired = QrToken.objects.filter(expires_at__lt=now - KEPT_AFTER_EXPIRY)
    total = 0
    while batch := list(expired.values_list("pk", flat=True)[:PURGED_AT_ONCE]):
        total += QrToken.objects.filter(pk__in=batch).delete()[0]
    return total
