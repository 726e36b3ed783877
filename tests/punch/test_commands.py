"""seed_kiosk, and the periodic duties of the clock."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from config.background import DUTIES
from identity.devices import register_device
from punch import services
from punch.models import Kiosk, QrToken
from tests.factories import PersonFactory
from tests.punch.conftest import SYSTEM

pytestmark = pytest.mark.django_db


def seed_kiosk(*options: str) -> dict[str, str]:
    out = StringIO()
    call_command("seed_kiosk", *options, stdout=out)
    return dict(line.split("=", 1) for line in out.getvalue().splitlines())


def test_seeding_twice_leaves_one_kiosk_and_one_working_key(api):
    first, second = seed_kiosk("--with-key"), seed_kiosk("--with-key")
    assert first["kiosk_id"] == second["kiosk_id"] == "1"
    assert Kiosk.objects.count() == 1
    statuses = [
        api.get("/kiosk/status", HTTP_X_KIOSK_API_KEY=told["api_key"]).status_code for told in (first, second)
    ]
    assert statuses == [401, 200]
    assert seed_kiosk() == {"kiosk_id": "1"}


def test_another_kiosk_with_id_1_keeps_it(door):
    Kiosk.objects.exclude(pk=1).delete() if door.kiosk.pk == 1 else Kiosk(
        id=1, kiosk_name="One", location="x", device_fingerprint="one", created_at=timezone.now()
    ).save(force_insert=True)
    assert seed_kiosk()["kiosk_id"] != "1"


def test_a_kiosk_made_after_the_first_gets_an_id_of_its_own():
    seed_kiosk()
    assert services.create_kiosk({"kiosk_name": "B", "location": "x"}, by=SYSTEM).pk != 1


def test_codes_are_forgotten_a_day_after_they_expired(monkeypatch):
    monkeypatch.setattr("punch.services.tokens.PURGED_AT_ONCE", 2)
    owner = PersonFactory()
    device = register_device(owner, "f", "Phone", by=SYSTEM)
    for _ in range(5):
        services.issue_token(owner, device.pk)
    now = timezone.now()
    assert services.purge_tokens(now + timedelta(hours=24)) == 0
    assert services.purge_tokens(now + timedelta(hours=24, seconds=31)) == 5
    assert not QrToken.objects.exists()


def test_both_duties_are_in_the_table():
    paths = {duty.path for duty in DUTIES}
    assert {"punch.services.notice_silent_kiosks", "punch.services.purge_tokens"} <= paths
