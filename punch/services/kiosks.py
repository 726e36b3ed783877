"""Kiosks: set up, changed, deleted, given a key."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from activity.callers import Caller
from activity.models import Domain
from activity.services import NOBODY, Line, recorded
from config.errors import Refusal
from punch.kiosk_keys import NewKey, new_key
from punch.models import Kiosk, KioskKey, fits


class KioskNotFound(Refusal):
    status, detail = 404, "Kiosk not found"


class KioskConflict(Refusal):
    """Another living kiosk already has this name, fingerprint or address."""

    status, detail = 409, "Kiosk with this name already exists"


ON_CREATE = {
    "kiosk_name": "Kiosk with this name already exists",
    "device_fingerprint": "Kiosk with this fingerprint already exists",
    "ip_address": "Kiosk with this IP address already exists",
}
ON_CHANGE = ON_CREATE | {"ip_address": "Another kiosk already has this IP address"}


def _violated(error: IntegrityError) -> str:
    """The constraint or columns that the database complains about, without the values."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return str(diagnosis.constraint_name if diagnosis is not None else error)


@contextmanager
def _unique(wordings: dict[str, str]) -> Iterator[None]:
    """The database decides who was first; the other hears what was taken."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        violated = _violated(error)
        for column, wording in wordings.items():
            if column in violated:
                raise KioskConflict(wording) from error
        raise


def found_kiosk(kiosk_id: int, *, locked: bool = False) -> Kiosk:
    """The living kiosk with this id, kept for this transaction if `locked`; KioskNotFound."""
    kiosks = Kiosk.objects.living()
    rows = kiosks.select_for_update(no_key=True) if locked else kiosks
    kiosk = rows.filter(pk=kiosk_id).first() if fits(kiosk_id) else None
    if kiosk is None:
        raise KioskNotFound
    return kiosk


@contextmanager
def kiosk_act(action: str, kiosk_id: int, by: Caller) -> Iterator[tuple[Line, Kiosk]]:
    """One recorded act on one kiosk, whose row is held until it ends."""
    with recorded(action, domain=Domain.PUNCH, by=by, person=NOBODY, target=("kiosk", kiosk_id)) as line:
        yield line, found_kiosk(kiosk_id, locked=True)


def create_kiosk(values: dict[str, Any], *, by: Caller) -> Kiosk:
    """A kiosk, active and without a key yet; KioskConflict."""
    given = {field: value for field, value in values.items() if value not in (None, "")}
    given.setdefault("device_fingerprint", f"kiosk-{uuid.uuid4()}")
    kiosk = Kiosk(created_at=timezone.now(), **given)
    with recorded("kiosk_created", domain=Domain.PUNCH, by=by, person=NOBODY) as line:
        with _unique(ON_CREATE):
            kiosk.save(force_insert=True)
        line.target = ("kiosk", kiosk.pk)
    return kiosk


def change_kiosk(kiosk_id: int, changes: dict[str, Any], *, by: Caller) -> Kiosk:
    """Change what is given; null leaves a field as it is, an empty address clears it. No change is no act."""
    with kiosk_act("kiosk_updated", kiosk_id, by) as (line, kiosk):
        wanted = {field: value for field, value in changes.items() if value is not None}
        for emptied in ("ip_address", "time_zone"):
            if wanted.get(emptied) == "":
                wanted[emptied] = None
        changed = [field for field, value in wanted.items() if getattr(kiosk, field) != value]
        for field in changed:
            setattr(kiosk, field, wanted[field])
        with _unique(ON_CHANGE):
            kiosk.save(update_fields=changed)
        line.kept = bool(changed)
        line.details["fields"] = sorted(changed)
    return kiosk


def delete_kiosk(kiosk_id: int, *, by: Caller) -> None:
    """The kiosk leaves every list and its key ends; name, fingerprint and address are free, punches keep its id."""
    now = timezone.now()
    with kiosk_act("kiosk_deleted", kiosk_id, by) as (_line, kiosk):
        KioskKey.objects.filter(kiosk=kiosk, ended_at__isnull=True).update(ended_at=now)
        kiosk.is_active, kiosk.deleted_at = False, now
        kiosk.save(update_fields=["is_active", "deleted_at"])


def generate_key(kiosk_id: int, *, by: Caller) -> tuple[Kiosk, NewKey]:
    """A new key, shown this once; the old one ends at once."""
    fresh = new_key()
    now = timezone.now()
    with kiosk_act("kiosk_key_generated", kiosk_id, by) as (line, kiosk):
        KioskKey.objects.filter(kiosk=kiosk, ended_at__isnull=True).update(ended_at=now)
        KioskKey.objects.create(
            key_id=fresh.key_id, kiosk=kiosk, digest=fresh.digest, created_at=now, created_by=by.user
        )
        line.details["key_id"] = fresh.key_id
    return kiosk, fresh
