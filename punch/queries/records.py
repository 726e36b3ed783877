"""Punches, audit log and dashboard as lists and numbers."""

from datetime import datetime
from typing import Any, TypedDict

from django.db.models import Count, QuerySet

from activity.models import Entry
from identity.models import Device, User
from punch.audit import event_data
from punch.models import AuditEntry, Kiosk, Punch
from punch.periods import Period, today
from punch.queries.people import SEES_ALL, seen_by

RECENT = 10
AUDIT_COLUMNS = {"event_type": "event_type", "user_id": "user", "device_id": "device", "kiosk_id": "kiosk"}


def punches_seen_by(viewer: User, user_id: int | None, period: Period) -> QuerySet[Punch]:
    """The punches in a period that somebody may see; of one person if asked for."""
    found = Punch.objects.between(period.start, period.end)
    if not viewer.has_perm(SEES_ALL):
        found = found.filter(user__in=seen_by(viewer))
    return found if user_id is None else found.filter(user_id=user_id)


def audit_log(asked: dict[str, Any], period: Period) -> list[dict[str, Any]]:
    """One page of the audit log, newest first; what happened is read from the trail."""
    rows = AuditEntry.objects.filter(
        **{column: asked[name] for name, column in AUDIT_COLUMNS.items() if asked.get(name) is not None}
    )
    if period.start:
        rows = rows.filter(created_at__gte=period.start)
    if period.end:
        rows = rows.filter(created_at__lt=period.end)
    start = asked["offset"]
    page = list(rows.order_by("-created_at", "-sequence")[start : start + asked["limit"]])
    entries = Entry.objects.in_bulk([row.sequence for row in page])
    return [_logged(row, entries.get(row.sequence)) for row in page]


def _logged(row: AuditEntry, entry: Entry | None) -> dict[str, Any]:
    return {
        "id": row.sequence,
        "event_type": row.event_type,
        "user_id": row.user,
        "device_id": row.device,
        "kiosk_id": row.kiosk,
        "event_data": event_data(row, entry),
        "ip_address": entry.source_ip if entry else None,
        "user_agent": row.user_agent,
        "created_at": row.created_at,
    }


class Dashboard(TypedDict):
    total_users: int
    total_devices: int
    total_kiosks: int
    active_kiosks: int
    today_punches: int
    today_users: int
    recent_punches: list[Punch]


def dashboard(now: datetime) -> Dashboard:
    """The numbers of the back office's first page; deleted users and kiosks do not count."""
    kiosks = Kiosk.objects.living()
    of_today = Punch.objects.between(*today(now)).aggregate(
        punches=Count("id"), users=Count("user", distinct=True)
    )
    return {
        "total_users": User.objects.living().count(),
        "total_devices": Device.objects.filter(user__deleted_at__isnull=True).count(),
        "total_kiosks": kiosks.count(),
        "active_kiosks": kiosks.filter(is_active=True).count(),
        "today_punches": of_today["punches"],
        "today_users": of_today["users"],
        "recent_punches": list(Punch.objects.newest_first()[:RECENT]),
    }
