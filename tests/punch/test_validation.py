"""The thirteen checks of a scan, in their order, with their strings and their rows in the trail."""

import json
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from activity.models import Entry
from identity import keys
from identity.devices import revoke_own_device
from punch import qr, services
from punch.models import AuditEntry, Punch, QrToken
from tests.punch.conftest import SYSTEM, booth, code, phone

pytestmark = pytest.mark.django_db


def last_row() -> Entry:
    return Entry.objects.order_by("-sequence")[0]


def detail(answer):
    return answer.status_code, answer.json()["detail"]


def signed(**changes) -> str:
    import jwt

    now = int(timezone.now().timestamp())
    payload = {
        "sub": "1",
        "device_id": 1,
        "nonce": "n",
        "jti": "j",
        "iat": now,
        "exp": now + 30,
        "typ": qr.KIND,
        "type": qr.KIND,
    }
    payload |= changes
    ring = keys.ring()
    return jwt.encode(payload, ring.current, algorithm="RS256", headers={"kid": ring.current_id})


def test_a_scan_makes_one_punch_and_answers_with_all_its_keys(door, umas_phone, uma):
    answer = door.scan(code(umas_phone), kiosk_id=door.kiosk.pk)
    assert answer.status_code == 200, answer.content
    punch = Punch.objects.get()
    assert answer.json() == {
        "success": True,
        "message": "Punch clock_in recorded successfully",
        "punch_id": punch.pk,
        "punched_at": punch.punched_at.isoformat().replace("+00:00", "Z"),
        "user_id": uma.pk,
        "device_id": umas_phone.pk,
        "punch_type": "clock_in",
        "unusual": False,
        "display_name": "Uma N.",
    }
    assert answer["Cache-Control"] == "no-store"
    row = last_row()
    assert (row.domain, row.category, row.action, row.result) == (
        "punch",
        "punch",
        "punch_validated",
        "success",
    )
    assert (row.user_id, row.source_admin) == (str(uma.uuid), f"kiosk {door.kiosk.pk}")
    index = AuditEntry.objects.get(sequence=row.sequence)
    assert (index.user, index.device, index.kiosk) == (uma.pk, umas_phone.pk, door.kiosk.pk)


def test_without_a_key_nothing_is_read_and_nothing_is_trailed(api, door, umas_phone):
    rows = Entry.objects.count()
    answer = api.post("/punch/validate", "{broken", content_type="application/json")
    assert detail(answer) == (401, "Missing API key (X-Kiosk-API-Key header required)")
    assert Entry.objects.count() == rows


@pytest.mark.parametrize("spoil", ["x" * 56, "short", "é.ü", ""])
def test_a_wrong_key_is_refused_whatever_address_it_comes_from(api, door, spoil, settings):
    door.kiosk.ip_address = "203.0.113.9"
    door.kiosk.save()
    key = spoil or door.key[:-1]
    answer = api.post(
        "/punch/validate",
        {},
        HTTP_X_KIOSK_API_KEY=key,
        HTTP_X_FORWARDED_FOR="203.0.113.9",
        REMOTE_ADDR="203.0.113.9",
    )
    assert detail(answer) == (401, "Invalid API key")
    row = last_row()
    assert (row.action, row.result, row.details["reason"]) == ("kiosk_auth_failed", "fail", "Invalid API key")
    known = AuditEntry.objects.get(sequence=row.sequence).kiosk
    assert known == (door.kiosk.pk if not spoil else None)


def test_an_ended_key_is_refused_and_the_new_one_works(door, umas_phone):
    _kiosk, fresh = services.generate_key(door.kiosk.pk, by=SYSTEM)
    assert detail(door.scan(code(umas_phone))) == (401, "Invalid API key")
    door.key = fresh.text
    assert door.scan(code(umas_phone)).status_code == 200


def test_a_stopped_kiosk_is_told_so(door, umas_phone):
    services.change_kiosk(door.kiosk.pk, {"is_active": False}, by=SYSTEM)
    assert detail(door.scan(code(umas_phone))) == (403, "Kiosk is not active")
    assert last_row().action == "kiosk_auth_failed"


@pytest.mark.parametrize(
    ("body", "loc", "kind"),
    [
        ({}, ["body", "qr_token"], "missing"),
        ({"qr_token": 5, "punch_type": "clock_in"}, ["body", "qr_token"], "string_type"),
        ({"qr_token": "", "punch_type": "clock_in"}, ["body", "qr_token"], "string_too_short"),
        ({"qr_token": "x" * 4097, "punch_type": "clock_in"}, ["body", "qr_token"], "string_too_long"),
        ({"qr_token": "x", "punch_type": "out"}, ["body", "punch_type"], "enum"),
        ({"qr_token": "x"}, ["body", "punch_type"], "missing"),
        ({"qr_token": "x", "punch_type": "clock_in", "kiosk_id": "a"}, ["body", "kiosk_id"], "int_parsing"),
        ({"qr_token": "x", "punch_type": "clock_in", "kiosk_id": True}, ["body", "kiosk_id"], "int_parsing"),
    ],
)
def test_wrong_fields_are_named_and_leave_no_row(door, body, loc, kind):
    rows = Entry.objects.count()
    answer = door.client.post("/punch/validate", body)
    assert answer.status_code == 422
    errors = {(tuple(e["loc"]), e["type"]): e for e in answer.json()["detail"]}
    assert (tuple(loc), kind) in errors
    assert "input" not in errors.get((("body", "qr_token"), kind), {})
    assert Entry.objects.count() == rows


def test_the_enum_says_what_it_takes(door):
    answer = door.client.post("/punch/validate", {"qr_token": "x", "punch_type": "out"})
    assert answer.json()["detail"][0]["msg"] == "Input should be 'clock_in' or 'clock_out'"


@pytest.mark.parametrize(
    ("data", "kind"),
    [("[]", "application/json"), ("a=b", "text/plain"), ("a=b", "application/x-www-form-urlencoded")],
)
def test_a_body_that_is_no_json_object_is_wrong_as_a_whole(door, data, kind):
    answer = door.client.post("/punch/validate", data, content_type=kind)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body"]


@pytest.mark.parametrize("data", [b"{", b'{"qr_token": "\xff"}'])
def test_broken_json_is_called_so(door, data):
    answer = door.client.post("/punch/validate", data, content_type="application/json")
    assert (answer.status_code, answer.json()["detail"][0]["type"]) == (422, "json_invalid")


def test_a_body_over_64_kib_is_too_large(door):
    answer = door.client.post("/punch/validate", {"qr_token": "x" * 66_000})
    assert answer.status_code == 413


REFUSALS = [
    (lambda: "nonsense", 400, "Invalid or malformed JWT token"),
    (lambda: "\x00", 400, "Invalid or malformed JWT token"),
    (lambda: signed(typ="access"), 400, "Invalid token type (not an ephemeral QR token)"),
    (lambda: signed(sub=None), 400, "Token missing required fields (sub, device_id, nonce, jti)"),
]


@pytest.mark.parametrize(("make", "status", "text"), REFUSALS)
def test_an_unproven_token_is_refused_with_one_row_that_believes_none_of_it(door, make, status, text):
    rows = Entry.objects.count()
    assert detail(door.scan(make())) == (status, text)
    row = last_row()
    assert Entry.objects.count() == rows + 1
    assert (row.action, row.result, row.user_id) == ("punch_refused", "fail", None)
    index = AuditEntry.objects.get(sequence=row.sequence)
    assert (index.user, index.device, index.kiosk) == (None, None, door.kiosk.pk)


def test_an_access_token_is_no_qr_code_and_a_qr_code_no_access_token(api, door, signed_in, uma, umas_phone):
    access = signed_in(uma)._credentials["HTTP_AUTHORIZATION"].split()[1]
    assert detail(door.scan(access)) == (400, "Invalid token type (not an ephemeral QR token)")
    answer = api.get("/auth/me", HTTP_AUTHORIZATION=f"Bearer {code(umas_phone)}")
    assert detail(answer) == (401, "invalid_token")


def test_the_wrong_kiosk_id_is_judged_before_the_token(door):
    answer = door.scan("nonsense", kiosk_id=door.kiosk.pk + 1)
    assert detail(answer) == (403, "kiosk_id does not match authenticated kiosk")
    assert last_row().action == "punch_refused"


def test_an_expired_token_is_refused_even_if_it_was_used(door, umas_phone, uma):
    text = code(umas_phone)
    assert door.scan(text).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        assert detail(door.scan(text)) == (400, "Token has expired")
    row = last_row()
    assert (row.action, row.user_id) == ("punch_refused", str(uma.uuid))


def test_a_signed_token_that_was_never_issued_is_not_tracked(door, umas_phone, uma):
    text = signed(sub=str(uma.pk), device_id=umas_phone.pk)
    assert detail(door.scan(text)) == (400, "Token not found in tracking database (may be forged)")


def test_a_second_scan_is_a_replay_that_says_who_was_first(door, gate, umas_phone):
    text = code(umas_phone)
    assert door.scan(text).status_code == 200
    assert detail(gate.scan(text)) == (400, "Token has already been used (replay attack detected)")
    row = last_row()
    token = QrToken.objects.get()
    assert row.action == "punch_replay_attempt"
    assert row.details["first_kiosk_id"] == door.kiosk.pk
    assert (row.details["jti"], row.details["nonce"]) == (token.jti, token.nonce)
    assert Punch.objects.count() == 1


def test_a_device_revoked_after_issue_is_refused_and_gets_no_further_code(door, umas_phone, uma, signed_in):
    text = code(umas_phone)
    revoke_own_device(umas_phone.pk, owner=uma, by=SYSTEM)
    assert detail(door.scan(text)) == (403, "Device has been revoked")
    answer = signed_in(uma).post("/punch/request-token", {"device_id": umas_phone.pk})
    assert detail(answer) == (403, "Device has been revoked")


def test_a_stopped_person_is_refused(door, umas_phone, uma):
    text = code(umas_phone)
    uma.is_active = False
    uma.save()
    assert detail(door.scan(text)) == (403, "User is not active")


def test_a_deleted_person_is_not_found(door, umas_phone, uma):
    text = code(umas_phone)
    uma.deleted_at = timezone.now()
    uma.save()
    assert detail(door.scan(text)) == (404, "User not found")


def test_a_white_list_lets_in_those_granted_until_they_expire(umas_phone, uma):
    warehouse = booth("Warehouse", access_mode="whitelist")
    text = code(umas_phone)
    assert detail(warehouse.scan(text)) == (403, "Accès refusé: Accès non autorisé pour ce kiosk")
    now = timezone.now()
    services.grant_access(warehouse.kiosk.pk, uma.pk, until=now - timedelta(seconds=1), by=SYSTEM)
    assert detail(warehouse.scan(text)) == (403, "Accès refusé: Accès expiré")
    services.block_access(warehouse.kiosk.pk, uma.pk, by=SYSTEM)
    assert detail(warehouse.scan(text)) == (403, "Accès refusé: Accès non autorisé pour ce kiosk")
    services.grant_access(warehouse.kiosk.pk, uma.pk, by=SYSTEM)
    assert warehouse.scan(text).status_code == 200, "a refusal consumes nothing"


def test_a_black_list_keeps_out_those_blocked(umas_phone, uma):
    hall = booth("Hall", access_mode="blacklist")
    services.block_access(hall.kiosk.pk, uma.pk, by=SYSTEM)
    text = code(umas_phone)
    assert detail(hall.scan(text)) == (403, "Accès refusé: Accès bloqué pour ce kiosk")
    row = last_row()
    assert (row.action, row.details["reason"]) == ("punch_access_denied", "Accès bloqué pour ce kiosk")
    services.revoke_access(hall.kiosk.pk, uma.pk, by=SYSTEM)
    assert hall.scan(text).status_code == 200


def test_in_out_out_is_unusual_only_at_the_third(gate, umas_phone):
    kinds = ["clock_in", "clock_out", "clock_out"]
    answers = [gate.scan(code(umas_phone), kind).json() for kind in kinds]
    assert [answer["unusual"] for answer in answers] == [False, False, True]


def test_auto_toggles_until_a_shift_is_too_old(gate, umas_phone):
    now = timezone.now()
    got = []
    for hours in (0, 1, 2, 18.1):
        with time_machine.travel(now + timedelta(hours=hours), tick=False):
            got.append(gate.scan(code(umas_phone), None).json()["punch_type"])
    assert got == ["clock_in", "clock_out", "clock_in", "clock_in"]


def test_a_sent_type_wins_over_auto(gate, umas_phone):
    assert gate.scan(code(umas_phone), "clock_out").json()["punch_type"] == "clock_out"


def test_time_never_runs_backwards_for_one_person(gate, umas_phone):
    now = timezone.now()
    with time_machine.travel(now + timedelta(seconds=5), tick=False):
        first = gate.scan(code(umas_phone)).json()["punched_at"]
    with time_machine.travel(now, tick=False):
        second = gate.scan(code(umas_phone)).json()["punched_at"]
    assert second >= first


def test_a_device_name_full_of_quotes_keeps_the_event_readable(uma, signed_in, alice):
    name = 'Uma"s\r\nphone 📱 ‮x'
    signed_in(uma).post("/devices/register", {"device_fingerprint": "f" * 40, "device_name": name})
    (event,) = signed_in(alice).get("/admin/audit-logs", {"event_type": "device_registered"}).json()
    assert json.loads(event["event_data"]) == {"device_name": name, "device_fingerprint": "f" * 16 + "..."}


def test_the_api_prefix_answers_identically(door, umas_phone):
    answer = door.client.post("/api/punch/validate", {"qr_token": code(umas_phone), "punch_type": "clock_in"})
    assert answer.status_code == 200
    assert phone(umas_phone.user, "second").pk
