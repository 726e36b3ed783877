"""Own devices, codes and punches over the API."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from identity.models import Device
from punch.models import Punch
from tests.factories import PersonFactory
from tests.punch.conftest import code, phone

pytestmark = pytest.mark.django_db


def register(client, fingerprint="f1", **values):
    return client.post(
        "/devices/register", {"device_fingerprint": fingerprint, "device_name": "Phone", **values}
    )


def test_a_device_is_registered_listed_and_revoked(signed_in, uma):
    client = signed_in(uma)
    made = register(client, attestation_data="{}")
    assert made.status_code == 201
    device = made.json()
    assert set(device) == {
        "id",
        "user_id",
        "device_fingerprint",
        "device_name",
        "attestation_data",
        "registered_at",
        "last_seen_at",
        "is_revoked",
    }
    assert device["last_seen_at"] == device["registered_at"]
    assert device["registered_at"].endswith("Z")
    assert client.get("/devices/me").json() == [device]
    revoked = client.post(f"/devices/{device['id']}/revoke").json()
    assert revoked["is_revoked"] is True
    assert client.get("/devices/me").json() == []
    assert len(client.get("/devices/me", {"include_revoked": "true"}).json()) == 1


def test_a_fingerprint_stays_taken_for_everybody_even_when_revoked(signed_in, uma, oscar):
    client = signed_in(uma)
    device = register(client).json()
    client.post(f"/devices/{device['id']}/revoke")
    again, other = register(client), register(signed_in(oscar))
    assert (again.status_code, again.json()["detail"]) == (
        409,
        "Device with this fingerprint already registered for user",
    )
    assert (other.status_code, other.json()["detail"]) == (
        409,
        "Device with this fingerprint already registered",
    )


def test_five_active_devices_are_the_most(signed_in, uma):
    client = signed_in(uma)
    statuses = [register(client, f"f{n}").status_code for n in range(6)]
    assert statuses == [201] * 5 + [409]
    first = Device.objects.of(uma).order_by("id")[0]
    client.post(f"/devices/{first.pk}/revoke")
    assert register(client, "f9").status_code == 201


@pytest.mark.parametrize(
    ("values", "field", "kind"),
    [
        ({"device_name": "x" * 101}, "device_name", "string_too_long"),
        ({"device_name": ""}, "device_name", "string_too_short"),
        ({"device_name": "a\x07b"}, "device_name", "value_error"),
        ({"device_fingerprint": "f" * 256}, "device_fingerprint", "string_too_long"),
        ({"device_fingerprint": None}, "device_fingerprint", "string_type"),
        ({"attestation_data": "x" * 8193}, "attestation_data", "string_too_long"),
        ({"attestation_data": 5}, "attestation_data", "string_type"),
    ],
)
def test_wrong_fields_of_a_device_are_named(signed_in, uma, values, field, kind):
    answer = register(signed_in(uma), **values)
    assert answer.status_code == 422
    assert [(e["loc"], e["type"]) for e in answer.json()["detail"]] == [(["body", field], kind)]


@pytest.mark.parametrize("pk", ["0", "999999", "2147483648", "9" * 30])
def test_an_id_that_names_nothing_is_not_found_in_the_words_of_the_route(signed_in, uma, pk):
    answer = signed_in(uma).post(f"/devices/{pk}/revoke")
    assert (answer.status_code, answer.json()["detail"]) == (404, "Device not found or not owned by user")


@pytest.mark.parametrize("pk", ["x", "-1", "1.5", "%00"])
def test_an_id_that_is_no_number_is_an_unknown_path(signed_in, uma, pk):
    answer = signed_in(uma).post(f"/devices/{pk}/revoke")
    assert (answer.status_code, answer.json()["detail"]) == (404, "Not Found")


def test_somebody_elses_device_does_not_exist(signed_in, uma, oscar):
    other = phone(oscar)
    client = signed_in(uma)
    assert (
        client.post(f"/devices/{other.pk}/revoke").json()["detail"] == "Device not found or not owned by user"
    )
    answer = client.post("/punch/request-token", {"device_id": other.pk})
    assert (answer.status_code, answer.json()["detail"]) == (404, "Device not found or not owned by user")


def test_a_code_lives_as_long_as_it_says_and_the_device_was_seen(signed_in, uma, umas_phone, settings):
    answer = signed_in(uma).post("/punch/request-token", {"device_id": str(umas_phone.pk)})
    assert answer.status_code == 200
    assert set(answer.json()) == {"qr_token", "expires_in", "expires_at"}
    assert answer.json()["expires_in"] == settings.EPHEMERAL_TOKEN_EXPIRE_SECONDS
    assert len(answer.json()["qr_token"]) <= 800
    assert answer["Cache-Control"] == "no-store"
    seen = umas_phone.last_seen_at
    umas_phone.refresh_from_db()
    assert umas_phone.last_seen_at > seen


def test_ten_rapid_requests_meet_the_throttle(signed_in, uma, umas_phone, settings):
    settings.PUNCH_THROTTLES = {"QR": [(8, 10), (30, 60)]}
    client = signed_in(uma)
    answers = [client.post("/punch/request-token", {"device_id": umas_phone.pk}) for _ in range(10)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) == 2
    seconds = refused[0]["Retry-After"]
    assert refused[0].json()["detail"] == f"Rate limit exceeded: retry in {seconds} seconds"


@pytest.fixture
def three_days(door, umas_phone):
    for day in (1, 2, 3):
        with time_machine.travel(datetime(2026, 5, day, 21, 30, tzinfo=UTC), tick=False):
            door.scan(code(umas_phone))


def test_history_is_newest_first_and_knows_local_days(signed_in, uma, three_days, settings):
    settings.PUNCH_TIME_ZONE = "Asia/Tokyo"  # 21:30 UTC is the next day there
    client = signed_in(uma)
    days = [row["punched_at"][:10] for row in client.get("/punch/history").json()]
    assert days == ["2026-05-03", "2026-05-02", "2026-05-01"]
    local = client.get("/punch/history", {"from": "2026-05-03", "to": "2026-05-03"}).json()
    assert [row["punched_at"][:10] for row in local] == ["2026-05-02"]
    instant = client.get(
        "/punch/history", {"from": "2026-05-02T21:30:00", "to": "2026-05-02T21:30:00Z"}
    ).json()
    assert len(instant) == 1


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ({"from": "yesterday"}, "invalid_datetime"),
        ({"from": "20260501"}, "invalid_datetime"),
        ({"from": ""}, "invalid_datetime"),
        ({"to": "9999-12-31"}, "invalid_datetime"),
        ({"from": "2026-02-30"}, "invalid_datetime"),
        ({"from": "2026-05-02", "to": "2026-05-01"}, "invalid_range"),
    ],
)
def test_dates_that_make_no_sense_are_refused(signed_in, uma, query, detail):
    answer = signed_in(uma).get("/punch/history", query)
    assert (answer.status_code, answer.json()["detail"]) == (400, detail)


@pytest.mark.parametrize(
    ("query", "count"),
    [({}, 50), ({"limit": 1000}, 100), ({"limit": 7}, 7), ({"offset": 118, "limit": 9}, 2)],
)
def test_a_page_is_bounded(signed_in, uma, umas_phone, door, query, count):
    now = timezone.now()
    Punch.objects.bulk_create(
        Punch(
            user=uma,
            device=umas_phone,
            kiosk=door.kiosk,
            punch_type="clock_in",
            punched_at=now - timedelta(minutes=n),
            jwt_jti=str(n),
            created_at=now,
        )
        for n in range(120)
    )
    assert len(signed_in(uma).get("/punch/history", query).json()) == count


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": -1}, {"limit": "x"}, {"offset": -1}, {"offset": 1000001}]
)
def test_a_page_that_cannot_be_is_named(signed_in, uma, query):
    answer = signed_in(uma).get("/punch/history", query)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", next(iter(query))]


def test_history_is_ones_own(signed_in, three_days):
    assert signed_in(PersonFactory()).get("/punch/history").json() == []
