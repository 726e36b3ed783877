"""Whether kiosks are alive: a beat is telemetry, only coming and going is trailed."""

from datetime import datetime

from django.utils import timezone

from activity.callers import Caller
from activity.models import Domain
from activity.services import NOBODY, recorded
from punch.models import Kiosk
from punch.services.kiosks import kiosk_act


def note_heartbeat(kiosk: Kiosk, app_version: str, device_info: str | None, *, by: Caller) -> Kiosk:
    """The kiosk is alive; its first beat, or one after 300 s of silence, is a row `kiosk_online`."""
    now = timezone.now()
    with kiosk_act("kiosk_online", kiosk.pk, by) as (line, row):
        line.kept = not row.online(now) or not row.reported_online
        row.last_heartbeat_at, row.app_version, row.reported_online = now, app_version, True
        row.device_info = device_info or row.device_info
        row.save(update_fields=["last_heartbeat_at", "app_version", "device_info", "reported_online"])
    return row


def notice_silent_kiosks(now: datetime) -> int:
    """One row `kiosk_offline` per silence of an active kiosk, whichever process notices it; how many."""
    return sum(_notice(kiosk, now) for kiosk in Kiosk.objects.silent(now))


def _notice(kiosk: Kiosk, now: datetime) -> bool:
    by = Caller.of_system()
    with recorded(
        "kiosk_offline", domain=Domain.PUNCH, by=by, person=NOBODY, target=("kiosk", kiosk.pk)
    ) as line:
        line.kept = bool(Kiosk.objects.silent(now).filter(pk=kiosk.pk).update(reported_online=False))
    return line.kept
