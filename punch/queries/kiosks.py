"""Kiosks and who may use them, as they are now."""

from datetime import datetime
from typing import Any

from django.db.models.functions import Lower

from punch.models import Kiosk, KioskAccess


def status_of(kiosk: Kiosk, now: datetime) -> dict[str, Any]:
    """Whether a kiosk is online, and how it is set up."""
    return {
        "kiosk_id": kiosk.pk,
        "kiosk_name": kiosk.kiosk_name,
        "location": kiosk.location,
        "is_active": kiosk.is_active,
        "last_heartbeat_at": kiosk.last_heartbeat_at,
        "app_version": kiosk.app_version,
        "device_info": kiosk.device_info,
        "is_online": kiosk.online(now),
        "offline_duration_seconds": kiosk.silent_seconds(now),
        "punch_mode": kiosk.punch_mode,
        "time_zone": kiosk.zone.key,
    }


def access_of(kiosk: Kiosk) -> dict[str, Any]:
    """The mode of a kiosk and everybody granted or blocked there, by e-mail."""
    rows = KioskAccess.objects.filter(kiosk=kiosk).select_related("user")
    return {
        "kiosk_id": kiosk.pk,
        "kiosk_name": kiosk.kiosk_name,
        "location": kiosk.location,
        "access_mode": kiosk.access_mode,
        "is_active": kiosk.is_active,
        "authorized_users": [_authorized(row) for row in rows.order_by(Lower("user__email"), "user_id")],
    }


def _authorized(row: KioskAccess) -> dict[str, Any]:
    return {
        "user_id": row.user_id,
        "email": row.user.email or "",
        "granted": row.granted,
        "granted_at": row.granted_at,
        "expires_at": row.expires_at,
        "granted_by_admin_id": row.granted_by_id,
    }
