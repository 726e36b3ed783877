"""The index over the trail for this dialect's audit log: which rows it shows, and under which names."""

import json
from typing import Any

from activity.models import Domain, Entry
from identity.encryption import normalised
from identity.models import User
from punch.models import AuditEntry

EVENTS = {
    "device_registered",
    "device_revoked",
    "punch_validated",
    "kiosk_created",
    "kiosk_updated",
    "kiosk_deleted",
    "kiosk_key_generated",
    "kiosk_access_mode_changed",
    "kiosk_access_granted",
    "kiosk_access_blocked",
    "kiosk_access_revoked",
    "kiosk_online",
    "kiosk_offline",
    "report_exported",
}
REFUSALS = {"punch_replay_attempt", "punch_access_denied", "punch_refused", "kiosk_auth_failed"}
RENAMED: dict[tuple[str, str], str] = {
    ("sign_in", Entry.Result.SUCCESS): "login_success",
    ("sign_in", Entry.Result.FAIL): "login_failed",
    ("sign_out", Entry.Result.SUCCESS): "logout",
    ("create_user", Entry.Result.SUCCESS): "user_created",
    ("change_roles", Entry.Result.SUCCESS): "user_role_changed",
    ("delete_user", Entry.Result.SUCCESS): "user_deleted",
}
IN_COLUMNS = {"user_agent", "device_id", "kiosk_id"}


def event_type(domain: str, action: str, result: str | None) -> str | None:
    """The name under which the audit log shows a row of the trail; None for a row it does not show."""
    if domain == Domain.IDENTITY:
        return RENAMED.get((action, result or ""))
    failed = result == Entry.Result.FAIL
    known = domain == Domain.PUNCH and action in (REFUSALS if failed else EVENTS)
    return action if known else None


def _id(entry: Entry, kind: str) -> int | None:
    """The device or kiosk of a row: its object, or named in its details."""
    if entry.object_type == kind and entry.object_id:
        return int(entry.object_id)
    return (entry.details or {}).get(f"{kind}_id")


def _user_id(**named: Any) -> int | None:
    return User.objects.filter(**named).values_list("pk", flat=True).first()


def index(entry: Entry) -> None:
    """Called with each new row of the trail inside its transaction (TRAIL_INDEXES)."""
    event = event_type(entry.domain, entry.action, entry.result)
    if event is None:
        return
    person = _user_id(uuid=entry.user_id) if entry.user_id else None
    actor = _user_id(username_key=normalised(entry.source_admin)) if entry.source_admin else None
    indexed(entry, event, person, actor).save(force_insert=True)


def indexed(entry: Entry, event: str, person: int | None, actor: int | None) -> AuditEntry:
    """The index row of one event; unsaved."""
    return AuditEntry(
        sequence=entry.sequence,
        event_type=event,
        user=person or actor,
        actor=actor if person and actor != person else None,
        device=_id(entry, "device"),
        kiosk=_id(entry, "kiosk"),
        user_agent=(entry.details or {}).get("user_agent"),
        created_at=entry.timestamp,
    )


def event_data(row: AuditEntry, entry: Entry | None) -> str | None:
    """What the trail says of an event, as JSON text; what has a column of its own is left out."""
    if entry is None:
        return None
    told = {key: value for key, value in (entry.details or {}).items() if key not in IN_COLUMNS}
    if row.event_type == "login_failed":
        told["reason"] = entry.reason
    if row.actor is not None:
        told["actor_user_id"] = row.actor
    return json.dumps(told, ensure_ascii=False) if told else None
