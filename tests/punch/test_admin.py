"""The clock in Django's admin: its forms act through the services, and leave their rows."""

import pytest
from django.urls import reverse

from activity.models import Entry
from punch.models import Kiosk, KioskAccess, KioskKey, Team
from tests.punch.conftest import booth, code

pytestmark = pytest.mark.django_db


def change_url(kiosk):
    return reverse("admin:punch_kiosk_change", args=[kiosk.pk])


NONE = {"access_rows-TOTAL_FORMS": "0", "access_rows-INITIAL_FORMS": "0"}


def test_a_kiosk_is_made_and_changed_with_one_row_each(as_person, oscar):
    client = as_person(oscar)
    new = {"kiosk_name": "Door", "location": "Hall", "punch_mode": "client", **NONE}
    assert client.post(reverse("admin:punch_kiosk_add"), new).status_code == 302
    kiosk = Kiosk.objects.get()
    assert kiosk.device_fingerprint.startswith("kiosk-")
    changed = {**new, "location": "Gate", "access_mode": "whitelist", "is_active": "on"}
    assert client.post(change_url(kiosk), changed).status_code == 302
    kiosk.refresh_from_db()
    assert (kiosk.location, kiosk.access_mode, kiosk.is_active) == ("Gate", "whitelist", True)
    actions = list(Entry.objects.filter(domain="punch").order_by("sequence").values_list("action", flat=True))
    assert actions == ["kiosk_created", "kiosk_updated", "kiosk_access_mode_changed"]


def test_a_taken_name_is_said_and_changes_nothing(as_person, oscar):
    booth("A")
    other = booth("B").kiosk
    values = {"kiosk_name": "A", "location": "x", "punch_mode": "client", "access_mode": "public", **NONE}
    answer = as_person(oscar).post(change_url(other), values, follow=True)
    assert b"Kiosk with this name already exists" in answer.content
    other.refresh_from_db()
    assert other.kiosk_name == "B"


def test_a_new_key_is_asked_for_first_and_shown_once_with_its_code(as_person, oscar, door):
    client = as_person(oscar)
    url = reverse("admin:punch_kiosk_new_key", args=[door.kiosk.pk])
    before = KioskKey.objects.get(ended_at=None)
    assert b"ends at once" in client.get(url).content
    assert KioskKey.objects.get(ended_at=None) == before
    answer = client.post(url)
    now = KioskKey.objects.get(ended_at=None)
    assert now != before
    assert now.key_id in answer.content.decode()
    assert b"<svg" in answer.content
    assert "no-store" in answer["Cache-Control"]


def test_an_auditor_looks_and_changes_nothing(as_person, audrey, door):
    client = as_person(audrey)
    assert client.get(change_url(door.kiosk)).status_code == 200
    assert client.post(reverse("admin:punch_kiosk_new_key", args=[door.kiosk.pk])).status_code == 403
    assert client.post(reverse("admin:punch_kiosk_add"), {}).status_code == 403


def test_a_kiosk_is_deleted_and_its_history_stays(as_person, oscar, door, umas_phone):
    door.scan(code(umas_phone))
    url = reverse("admin:punch_kiosk_delete", args=[door.kiosk.pk])
    assert as_person(oscar).post(url, {"post": "yes"}).status_code == 302
    door.kiosk.refresh_from_db()
    assert door.kiosk.deleted_at is not None


def test_access_is_granted_and_revoked_through_the_services(as_person, oscar, uma, door):
    client = as_person(oscar)
    new = {"kiosk": door.kiosk.pk, "user": uma.pk, "granted": "on"}
    assert client.post(reverse("admin:punch_kioskaccess_add"), new).status_code == 302
    row = KioskAccess.objects.get()
    assert row.granted_by == oscar
    client.post(reverse("admin:punch_kioskaccess_delete", args=[row.pk]), {"post": "yes"})
    assert not KioskAccess.objects.exists()
    actions = Entry.objects.filter(action__startswith="kiosk_access").order_by("sequence")
    assert [entry.action for entry in actions] == ["kiosk_access_granted", "kiosk_access_revoked"]


def test_a_team_is_made_with_its_row(as_person, alice, uma, mona):
    values = {"name": "Day", "members": [uma.pk], "managers": [mona.pk]}
    assert as_person(alice).post(reverse("admin:punch_team_add"), values).status_code == 302
    assert list(Team.objects.get().members.all()) == [uma]
    assert Entry.objects.get(action="team_created").details["members"] == 1


def test_devices_are_found_by_person_and_revoked_by_action(as_person, oscar, umas_phone):
    client = as_person(oscar)
    url = reverse("admin:identity_device_changelist")
    assert b"Phone" in client.get(url, {"q": "uma"}).content
    assert b"Phone</a>" not in client.get(url, {"q": "zoe"}).content
    client.post(url, {"action": "revoke", "_selected_action": [umas_phone.pk]})
    umas_phone.refresh_from_db()
    assert umas_phone.is_revoked


@pytest.mark.parametrize("model", ["punch", "qrtoken", "auditentry"])
def test_facts_open_and_cannot_be_changed(as_person, alice, door, umas_phone, model):
    door.scan(code(umas_phone))
    client = as_person(alice)
    assert client.get(reverse(f"admin:punch_{model}_changelist")).status_code == 200
    assert client.get(reverse(f"admin:punch_{model}_add")).status_code == 403
