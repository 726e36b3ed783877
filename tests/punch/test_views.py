"""The pages: own codes, who is in, time sheets; who may open them and what they let nobody see."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from activity.models import Entry
from identity.models import Device
from punch.hours import CLOCK_IN, CLOCK_OUT
from punch.models import Punch, PunchState, QrToken, Team
from tests.factories import PersonFactory
from tests.punch.conftest import booth, code, phone

pytestmark = pytest.mark.django_db
PAGES = ["/manage/presence", "/manage/timesheet"]
NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)  # a Wednesday


def punch(device, kiosk, kind, at, number=[0]):  # noqa: B006 # counts up over calls
    number[0] += 1
    made = Punch.objects.create(
        user=device.user,
        device=device,
        kiosk=kiosk,
        punch_type=kind,
        punched_at=at,
        jwt_jti=number[0],
        created_at=at,
    )
    values = {"last_punch": made, "last_type": kind, "last_punched_at": at, "last_kiosk": kiosk}
    PunchState.objects.update_or_create(user=device.user, defaults=values)
    return made


@pytest.mark.parametrize(
    "path", [*PAGES, "/me/punch", "/me/punch/", "/manage/presence/", "/manage/timesheet/export"]
)
def test_strangers_are_sent_to_sign_in(client, path):
    answer = client.get(path, headers={"Accept": "text/html"})
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/accounts/login/")


@pytest.mark.parametrize("path", PAGES)
def test_pages_about_others_open_for_readers_and_managers_only(
    as_person, alice, oscar, audrey, mona, uma, path
):
    statuses = {p.username: as_person(p).get(path).status_code for p in (alice, oscar, audrey, mona, uma)}
    assert statuses == {"alice": 200, "oscar": 200, "audrey": 200, "mona": 200, "uma": 403}


def test_pages_are_not_under_api(client):
    assert client.get("/api/me/punch").status_code == 404
    assert client.get("/api/kiosk/").status_code == 404


# --- Own codes ---
def test_opening_the_page_issues_nothing_and_registers_nothing(as_person, uma):
    answer = as_person(uma).get("/me/punch")
    assert answer.status_code == 200
    assert not Device.objects.exists()
    assert not QrToken.objects.exists()


def test_a_browser_becomes_a_device_by_a_click_and_gets_codes_a_kiosk_takes(as_person, uma, door):
    client = as_person(uma)
    answer = client.post("/me/punch/device", {"device_name": "My laptop"})
    assert answer.status_code == 302
    cookie = answer.cookies["punch_device"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    device = Device.objects.get()
    assert device.device_fingerprint.startswith("web-")
    client.post("/me/punch/device", {"device_name": "Again"})
    assert Device.objects.count() == 1
    told = client.post("/me/punch/qr", headers={"Accept": "application/json"})
    assert set(told.json()) == {"svg", "expires_in", "expires_at"}
    assert told.json()["svg"].startswith("<svg")
    assert "no-store" in told["Cache-Control"]
    page = client.post("/me/punch/qr")
    assert b"<svg" in page.content
    assert QrToken.objects.count() == 2


def test_the_cookie_works_for_its_owner_only(as_person, uma, oscar):
    client = as_person(uma)
    client.post("/me/punch/device", {"device_name": "Laptop"})
    stolen = as_person(oscar)
    stolen.cookies["punch_device"] = client.cookies["punch_device"].value
    answer = stolen.post("/me/punch/qr", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == (404, "Device not found or not owned by user")
    forged = as_person(uma)
    forged.cookies["punch_device"] = "[1, 1]:x:y"
    assert forged.post("/me/punch/qr", headers={"Accept": "application/json"}).status_code == 404


def test_browsers_are_no_devices_where_that_is_switched_off(as_person, uma, settings):
    settings.PUNCH_WEB_DEVICES = False
    client = as_person(uma)
    assert b"Make this browser" not in client.get("/me/punch").content
    assert client.post("/me/punch/device", {"device_name": "Laptop"}).status_code == 404


@pytest.mark.parametrize("name", ["", "x" * 101, "a\x00b"])
def test_a_device_name_that_cannot_be_is_said_on_the_page(as_person, uma, name):
    answer = as_person(uma).post("/me/punch/device", {"device_name": name})
    assert answer.status_code == 422
    assert b"at most 100 characters" in answer.content


def test_revoking_asks_on_a_page_of_its_own(as_person, uma, umas_phone, oscar):
    client, url = as_person(uma), f"/me/punch/device/{umas_phone.pk}/revoke"
    assert b"Phone" in client.get(url).content
    assert Device.objects.active().count() == 1
    assert as_person(oscar).post(url).status_code == 404
    assert client.post(url).status_code == 302
    assert Device.objects.active().count() == 0


def test_hours_of_the_week_and_last_punches_are_shown(as_person, uma, umas_phone, door):
    with time_machine.travel(NOON, tick=False):
        punch(umas_phone, door.kiosk, CLOCK_IN, NOON - timedelta(hours=5, minutes=7))
        punch(umas_phone, door.kiosk, CLOCK_OUT, NOON - timedelta(hours=1))
        page = as_person(uma).get("/me/punch").content.decode()
    assert "4:07" in page
    assert "Clock out" in page


# --- Kiosk ---
def test_the_kiosk_page_is_public_empty_and_alone_with_the_camera(client, uma, door):
    answer = client.get("/kiosk/")
    assert answer["Permissions-Policy"].startswith("camera=(self)")
    assert "Door" not in answer.content.decode()
    for test_id in (
        "app",
        "app-main",
        "mode-scan-qr",
        "mode-test-camera",
        "kiosk-mode-toggle",
        "kiosk-info",
        "connection-status",
    ):
        assert f'data-testid="{test_id}"' in answer.content.decode()
    assert client.get("/accounts/login/")["Permissions-Policy"].startswith("camera=()")


# --- Presence ---
@pytest.fixture
def crew(door):
    """Five people, one in each state, and one who left a month ago."""
    people = {}
    for name in ("inside", "missed", "gone", "unseen", "former"):
        people[name] = phone(PersonFactory(username=name, first_name=name.title(), last_name=""))
    punch(people["inside"], door.kiosk, CLOCK_IN, NOON - timedelta(hours=4))
    punch(people["missed"], door.kiosk, CLOCK_IN, NOON - timedelta(hours=17))
    punch(people["gone"], door.kiosk, CLOCK_IN, NOON - timedelta(hours=6))
    punch(people["gone"], door.kiosk, CLOCK_OUT, NOON - timedelta(hours=1))
    punch(people["former"], door.kiosk, CLOCK_OUT, NOON - timedelta(days=40))
    Device.objects.filter(user__username="former").update(is_revoked=True)
    return people


def groups(page: str) -> dict[str, str]:
    return dict(re.findall(r'<section class="section" aria-labelledby="(\w+)">(.*?)</section>', page, re.S))


def test_everybody_stands_in_one_group(as_person, oscar, crew):
    with time_machine.travel(NOON, tick=False):
        page = as_person(oscar).get("/manage/presence").content.decode()
    assert "1 of 4" in page
    shown = groups(page)
    assert "Inside" in shown["inside"]
    assert "4 h 00 min" in shown["inside"]
    assert "Missed" in shown["missed"]
    assert "Gone" in shown["out"]
    assert "Unseen" in shown["unseen"]
    assert "Former" not in page


def test_presence_is_narrowed_by_name_and_kiosk(as_person, oscar, crew, door):
    other = booth("Other").kiosk
    with time_machine.travel(NOON, tick=False):
        client = as_person(oscar)
        assert "0 of 1" in client.get("/manage/presence", {"q": "gone"}).content.decode()
        assert "1 of 3" in client.get("/manage/presence", {"kiosk": door.kiosk.pk}).content.decode()
        assert "Nobody matches" in client.get("/manage/presence", {"kiosk": other.pk}).content.decode()
        for odd in ("x", "-1", "9" * 40, "\x00"):
            assert client.get("/manage/presence", {"kiosk": odd, "q": odd}).status_code == 200


def test_a_manager_sees_no_foreign_person_in_any_place(as_person, mona, crew):
    team = Team.objects.create(name="Day")
    team.members.add(crew["inside"].user)
    team.managers.add(mona)
    with time_machine.travel(NOON, tick=False):
        client = as_person(mona)
        foreign = crew["gone"].user_id
        pages = [
            client.get("/manage/presence"),
            client.get("/manage/presence", {"q": "gone"}),
            client.get("/manage/timesheet"),
            client.get("/manage/timesheet", {"user_id": foreign}),
        ]
        files = [
            b"".join(client.get("/manage/timesheet/export", query).streaming_content)
            for query in ({"format": "csv"}, {"format": "csv", "user_id": foreign})
        ]
    assert "1 of 1" in pages[0].content.decode()
    assert all(b"Gone" not in page.content for page in pages)
    assert b"Inside" in pages[2].content
    assert all(b"Gone" not in file for file in files)
    assert files[1].count(b"\r\n") == 1


def test_presence_of_two_hundred_people_costs_at_most_twelve_queries(
    as_person, oscar, door, django_assert_max_num_queries
):
    for n in range(200):
        device = Device.objects.create(
            user=PersonFactory(), device_fingerprint=f"d{n}", device_name="x", registered_at=NOON
        )
        if n % 3:
            punch(device, door.kiosk, CLOCK_IN, timezone.now() - timedelta(hours=n % 30))
    client = as_person(oscar)
    with django_assert_max_num_queries(12):
        assert client.get("/manage/presence").status_code == 200
    with django_assert_max_num_queries(12):
        assert client.get("/manage/timesheet").status_code == 200


# --- Time sheets ---
def exported(client, **query):
    answer = client.get("/manage/timesheet/export", {"format": "csv", **query})
    assert answer.status_code == 200, answer.content
    text = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_the_file_has_a_row_for_each_interval_and_anomaly_in_local_time(
    as_person, audrey, umas_phone, settings
):
    settings.PUNCH_TIME_ZONE = "Europe/Paris"
    kiosk = booth("=1+1").kiosk
    umas_phone.user.first_name, umas_phone.user.full_name = "@SUM(1)", "@SUM(1)"
    umas_phone.user.save()
    start = datetime(2025, 10, 25, 20, tzinfo=UTC)
    punch(umas_phone, kiosk, CLOCK_IN, start)
    punch(umas_phone, kiosk, CLOCK_IN, start + timedelta(seconds=60))
    punch(umas_phone, kiosk, CLOCK_OUT, start + timedelta(hours=9))
    punch(umas_phone, kiosk, CLOCK_OUT, start + timedelta(hours=12))
    client = as_person(audrey)
    rows = exported(client, **{"from": "2025-10-25", "to": "2025-10-26"})
    assert [(r["date"], r["worked_seconds"], r["worked_hours"], r["flags"]) for r in rows] == [
        ("2025-10-25", "32400", "9.00", ""),
        ("2025-10-25", "0", "0.00", "duplicate"),
        ("2025-10-26", "0", "0.00", "missing_in"),
    ]
    assert rows[0]["clock_in"] == "2025-10-25T22:00:00+02:00"
    assert rows[0]["clock_out"] == "2025-10-26T06:00:00+01:00"
    assert (rows[0]["kiosk_in"], rows[0]["name"]) == ("'=1+1", "'@SUM(1)")
    assert rows[0]["time_zone"] == "Europe/Paris"
    flagged = exported(client, flagged="1", **{"from": "2025-10-25", "to": "2025-10-26"})
    assert [r["flags"] for r in flagged] == ["duplicate", "missing_in"]
    assert Entry.objects.filter(action="report_exported").count() == 2


def test_a_night_shift_shows_on_the_day_it_began_even_at_the_edge_of_the_days_asked_for(
    as_person, audrey, umas_phone
):
    kiosk = booth().kiosk
    punch(umas_phone, kiosk, CLOCK_IN, datetime(2026, 5, 5, 22, tzinfo=UTC))
    punch(umas_phone, kiosk, CLOCK_OUT, datetime(2026, 5, 6, 6, tzinfo=UTC))
    client = as_person(audrey)
    assert [r["worked_seconds"] for r in exported(client, **{"from": "2026-05-05", "to": "2026-05-05"})] == [
        "28800"
    ]
    assert exported(client, **{"from": "2026-05-06", "to": "2026-05-06"}) == []


def test_the_pdf_has_the_same_rows_and_totals(as_person, audrey, umas_phone, door):
    punch(umas_phone, door.kiosk, CLOCK_IN, timezone.now() - timedelta(minutes=5))
    answer = as_person(audrey).get("/manage/timesheet/export", {"format": "PDF"})
    assert answer.content.startswith(b"%PDF")


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ({"from": "x"}, "invalid_datetime"),
        ({"from": "2026-05-02", "to": "2026-05-01"}, "invalid_range"),
        ({"from": "2025-01-01", "to": "2026-01-02"}, "invalid_range"),
        ({"format": "xls"}, "invalid_format"),
    ],
)
def test_bad_values_are_a_string_in_the_file_and_words_on_the_page(as_person, audrey, query, detail):
    client = as_person(audrey)
    answer = client.get("/manage/timesheet/export", query)
    assert (answer.status_code, answer.json()) == (400, {"detail": detail})
    if "from" in query:
        page = client.get("/manage/timesheet", query)
        assert page.status_code == 400
        assert b'role="alert"' in page.content


def test_the_sheet_shows_sums_and_flags_in_words(as_person, audrey, umas_phone, door):
    with time_machine.travel(NOON, tick=False):
        punch(umas_phone, door.kiosk, CLOCK_IN, NOON - timedelta(hours=30))
        punch(umas_phone, door.kiosk, CLOCK_OUT, NOON - timedelta(hours=22))
        punch(umas_phone, door.kiosk, CLOCK_IN, NOON - timedelta(hours=2))
        page = as_person(audrey).get("/manage/timesheet").content.decode()
    assert "8:00 hours of 1 person" in page
    assert "in progress" in page


def test_what_a_kiosk_recorded_is_on_the_page_at_once(as_person, oscar, door, umas_phone):
    door.scan(code(umas_phone))
    assert "1 of 1" in as_person(oscar).get("/manage/presence").content.decode()
