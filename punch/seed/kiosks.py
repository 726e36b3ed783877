"""The five kiosks of the demo, and the one that tests of clients expect."""

from datetime import datetime, timedelta
from typing import Any

from django.core.management.color import no_style
from django.db import connection

from activity.callers import Caller
from punch.models import Kiosk
from punch.services.kiosks import create_kiosk

FIRST: dict[str, Any] = {
    "kiosk_name": "Test-Kiosk-ClockIn",
    "location": "Office Entrance",
    "device_fingerprint": "test-kiosk-fingerprint-001",
}
OTHERS: list[dict[str, Any]] = [
    {"kiosk_name": "Main-Gate-Auto", "location": "Main Gate", "punch_mode": "auto"},
    {"kiosk_name": "Warehouse", "location": "Hall 2", "access_mode": "whitelist"},
    {"kiosk_name": "Old-Terminal", "location": "Basement", "is_active": False},
    {"kiosk_name": "Side-Door", "location": "Rear Entrance"},
]
BEFORE_THE_FIRST_PUNCH = timedelta(days=60)
SILENT_SIDE_DOOR = timedelta(hours=2)


def first_kiosk(*, by: Caller) -> Kiosk:
    """The kiosk that tests of clients expect, made with id 1 unless that id is taken."""
    found = Kiosk.objects.living().filter(device_fingerprint=FIRST["device_fingerprint"]).first()
    if found is not None:
        return found
    free = not Kiosk.objects.filter(pk=1).exists()
    kiosk = create_kiosk(FIRST | ({"id": 1} if free else {}), by=by)
    if free:
        _ids_go_on_after_this_one()
    return kiosk


def _ids_go_on_after_this_one() -> None:
    """Ids given by hand do not move PostgreSQL's own counter."""
    for statement in connection.ops.sequence_reset_sql(no_style(), [Kiosk]):
        with connection.cursor() as cursor:
            cursor.execute(statement)


def _made(values: dict[str, Any], until: datetime) -> Kiosk:
    """The kiosk of this name as it is, or a new one, inside the open transaction."""
    fingerprint = f"demo-{values['kiosk_name'].lower()}"
    defaults = {"device_fingerprint": fingerprint, "created_at": until - BEFORE_THE_FIRST_PUNCH, **values}
    return Kiosk.objects.living().get_or_create(kiosk_name=values["kiosk_name"], defaults=defaults)[0]


def plant_kiosks(until: datetime) -> list[Kiosk]:
    """All five; three beat until now, the side door has been silent for two hours."""
    first = Kiosk.objects.living().filter(device_fingerprint=FIRST["device_fingerprint"]).first()
    if first is None:
        free = {} if Kiosk.objects.filter(pk=1).exists() else {"id": 1}
        first = Kiosk.objects.create(created_at=until - BEFORE_THE_FIRST_PUNCH, **FIRST, **free)
        _ids_go_on_after_this_one()
    kiosks = [first, *(_made(values, until) for values in OTHERS)]
    for kiosk, beat in zip(kiosks, (until, until, until, None, until - SILENT_SIDE_DOOR), strict=True):
        kiosk.last_heartbeat_at, kiosk.reported_online = beat, beat == until
        kiosk.app_version = "1.4.0" if beat else None
        kiosk.save()
    return kiosks
