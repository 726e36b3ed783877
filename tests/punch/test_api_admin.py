"""The back office: who gets in, kiosks, access, devices, people, audit log, report."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from activity.models import Entry
from identity.models import User
from punch import services
from punch.models import Kiosk, Punch, Team
from tests.factories import PASSWORD, PersonFactory
from tests.punch.conftest import SYSTEM, booth, code, phone

pytestmark = pytest.mark.django_db

READERS = {"alice", "oscar", "audrey"}
STAFF = {"alice", "oscar"}
NAMES = ["alice", "oscar", "audrey", "mona", "uma", "nobody", "kiosk"]
GETS = {
    "/admin/ping": {"alice"},
    "/admin/users": READERS,
    "/admin/users/{alice}": READERS,
    "/admin/devices": READERS,
    "/admin/kiosks": READERS,
    "/admin/kiosks/{kiosk}/access": READERS,
    "/admin/hr-codes": READERS,
    "/admin/audit-logs": READERS,
    "/admin/dashboard/stats": READERS,
    "/admin/punches": READERS | {"mona"},
    "/admin/reports/attendance?from=2026-01-01&to=2026-01-02": READERS | {"mona"},
    "/kiosk/all-status": READERS | {"mona"},
    "/kiosk/status": {"kiosk"},
    "/devices/me": set(NAMES) - {"nobody", "kiosk"},
    "/punch/history": set(NAMES) - {"nobody", "kiosk"},
    "/info/ip": set(NAMES),
}
WRITES = [
    ("post", "/admin/users", {"email": "n@example.org", "password": "Passw0rd!", "role": "user"}, {"alice"}),
    ("patch", "/admin/users/{uma}/role", {"role": "user"}, {"alice"}),
    ("post", "/admin/users/{uma}/role", {"role": "user"}, {"alice"}),
    ("delete", "/admin/users/{spare}", None, {"alice"}),
    ("post", "/admin/devices/{device}/revoke", None, STAFF),
    ("post", "/admin/kiosks", {"kiosk_name": "New", "location": "x"}, STAFF),
    ("patch", "/admin/kiosks/{kiosk}", {"location": "y"}, STAFF),
    ("post", "/admin/kiosks/{kiosk}/generate-api-key", None, STAFF),
    ("patch", "/admin/kiosks/{kiosk}/access-mode", {"access_mode": "blacklist"}, STAFF),
    ("post", "/admin/kiosks/{kiosk}/grant-access", {"user_id": 1}, STAFF),
    ("post", "/admin/kiosks/{kiosk}/block-access", {"user_id": 1}, STAFF),
    ("delete", "/admin/kiosks/{kiosk}/revoke-access/{uma}", None, STAFF),
    ("delete", "/admin/kiosks/{kiosk}", None, STAFF),
]


@pytest.fixture
def cast(alice, oscar, audrey, mona, uma):
    return {user.username: user for user in (alice, oscar, audrey, mona, uma)}


@pytest.fixture
def client_of(cast, signed_in, api, door):
    def client(name):
        if name == "kiosk":
            return door.client
        return api if name == "nobody" else signed_in(cast[name])

    return client


@pytest.mark.parametrize("name", NAMES)
def test_each_reading_route_opens_only_for_those_named(client_of, cast, door, name):
    client = client_of(name)
    for prefix in ("", "/api"):
        for route, allowed in GETS.items():
            url = prefix + route.format(alice=cast["alice"].pk, kiosk=door.kiosk.pk)
            status = client.get(url).status_code
            stranger = 401 if name in ("nobody", "kiosk") or route == "/kiosk/status" else 403
            assert status == (200 if name in allowed else stranger), (name, url, status)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("verb", "route", "body", "allowed"), WRITES)
def test_each_writing_route_opens_only_for_those_named(
    client_of, cast, door, name, verb, route, body, allowed
):
    ids = {
        "device": phone(cast["uma"]).pk,
        "kiosk": door.kiosk.pk,
        "spare": PersonFactory().pk,
        "uma": cast["uma"].pk,
    }
    body = body and {key: cast["uma"].pk if key == "user_id" else value for key, value in body.items()}
    answer = getattr(client_of(name), verb)(route.format(**ids), body)
    if name in allowed:
        assert answer.status_code in (200, 201, 204), answer.content
    else:
        assert answer.status_code == (401 if name in ("nobody", "kiosk") else 403)
        assert Kiosk.objects.living().filter(location="Hall").exists()


def test_access_routes_name_the_role_they_want(signed_in, uma, door):
    answer = signed_in(uma).patch(f"/admin/kiosks/{door.kiosk.pk}/access-mode", {"access_mode": "public"})
    assert (answer.status_code, answer.json()) == (403, {"detail": "Admin role required"})


@pytest.mark.parametrize(
    "path", ["/admin/kiosks/x", "/admin/users/1/x", "/admin/ping/pong", "/admin/reports", "/admin/dashboard/"]
)
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_unknown_paths_under_these_roots_are_json_404(api, path, accept):
    for prefix in ("", "/api"):
        answer = api.get(prefix + path, HTTP_ACCEPT=accept)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


def test_both_spellings_answer_and_the_django_admin_keeps_the_rest(api, signed_in, alice):
    client = signed_in(alice)
    for path in (
        "/admin/kiosks",
        "/admin/kiosks/",
        "/admin/users/",
        "/admin/dashboard/stats/",
        "/api/admin/ping/",
    ):
        assert client.get(path).status_code == 200, path
    assert client.post("/admin/kiosks/", {"kiosk_name": "K", "location": "x"}).status_code == 201
    page = api.get("/admin/login/", HTTP_ACCEPT="text/html")
    assert page.status_code in (200, 302)
    assert "html" in page["Content-Type"]
    assert api.get("/admin/users", HTTP_ACCEPT="application/json").json() == {"detail": "Not authenticated"}
    assert client.put("/admin/kiosks", {}).json() == {"detail": "Method Not Allowed"}


# --- Kiosks ---
def test_a_kiosk_is_set_up_changed_and_deleted(signed_in, oscar):
    client = signed_in(oscar)
    made = client.post(
        "/admin/kiosks",
        {"kiosk_name": "Door", "location": "Hall", "ip_address": "2001:DB8::1", "public_key": "any"},
    )
    assert made.status_code == 201
    kiosk = made.json()
    assert set(kiosk) == {
        "id",
        "kiosk_name",
        "location",
        "device_fingerprint",
        "ip_address",
        "public_key",
        "is_active",
        "created_at",
        "last_heartbeat_at",
    }
    assert kiosk["device_fingerprint"].startswith("kiosk-")
    assert kiosk["ip_address"] == "2001:db8::1"
    url = f"/admin/kiosks/{kiosk['id']}"
    assert client.patch(url, {"location": None, "is_active": False}).json()["location"] == "Hall"
    assert client.patch(url, {"ip_address": ""}).json()["ip_address"] is None
    assert client.get("/admin/kiosks", {"is_active": "true"}).json() == []
    assert client.delete(url).status_code == 204
    assert client.patch(url, {}).json()["detail"] == "Kiosk not found"
    assert client.get("/admin/kiosks").json() == []
    assert client.post("/admin/kiosks", {"kiosk_name": "Door", "location": "Hall"}).status_code == 201


@pytest.mark.parametrize(
    ("values", "detail"),
    [
        ({"kiosk_name": "Door"}, "Kiosk with this name already exists"),
        ({"device_fingerprint": "f"}, "Kiosk with this fingerprint already exists"),
        ({"ip_address": "::ffff:192.0.2.1"}, "Kiosk with this IP address already exists"),
    ],
)
def test_a_second_kiosk_with_the_same_mark_conflicts(signed_in, alice, values, detail):
    client = signed_in(alice)
    first = {"kiosk_name": "Door", "location": "x", "device_fingerprint": "f", "ip_address": "192.0.2.1"}
    client.post("/admin/kiosks", first)
    answer = client.post("/admin/kiosks", {"kiosk_name": "Other", "location": "x", **values})
    assert (answer.status_code, answer.json()["detail"]) == (409, detail)


def test_changing_a_kiosk_into_another_conflicts(signed_in, alice):
    client = signed_in(alice)
    booth("A", ip_address="192.0.2.1")
    other = booth("B").kiosk.pk
    answers = [
        client.patch(f"/admin/kiosks/{other}", v) for v in ({"ip_address": "192.0.2.1"}, {"kiosk_name": "A"})
    ]
    assert [a.json()["detail"] for a in answers] == [
        "Another kiosk already has this IP address",
        "Kiosk with this name already exists",
    ]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"ip_address": "1.2.3"}, "ip_address"),
        ({"ip_address": "localhost"}, "ip_address"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../etc"}, "time_zone"),
        ({"punch_mode": "both"}, "punch_mode"),
        ({"location": ""}, "location"),
        ({"kiosk_name": "a\x00"}, "kiosk_name"),
    ],
)
def test_wrong_fields_of_a_kiosk_are_named(signed_in, alice, values, field):
    answer = signed_in(alice).post("/admin/kiosks", {"kiosk_name": "K", "location": "x", **values})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", field]


def test_a_key_is_shown_once_and_never_again(signed_in, alice, door, settings):
    settings.API_URL = ""
    answer = signed_in(alice).post(f"/admin/kiosks/{door.kiosk.pk}/generate-api-key", "ignored")
    setup = answer.json()
    assert set(setup) == {"kiosk_id", "kiosk_name", "location", "api_url", "api_key", "device_fingerprint"}
    assert setup["api_url"] == "http://testserver"
    assert answer["Cache-Control"] == "no-store"
    secret = setup["api_key"].split(".")[1]
    assert not Entry.objects.filter(details__icontains=secret).exists()
    row = Entry.objects.get(action="kiosk_key_generated", user_id=None, source_admin="alice")
    assert row.details["key_id"] == setup["api_key"].split(".")[0]


def test_by_address_answers_readers_the_kiosk_and_its_own_address_only(api, signed_in, alice, uma):
    door = booth("Door", ip_address="192.0.2.7")
    other = booth("Other")
    url = "/admin/kiosks/by-ip/192.0.2.7"
    assert signed_in(alice).get(url).json()["kiosk_name"] == "Door"
    assert door.client.get(url).status_code == 200
    assert api.get(url, REMOTE_ADDR="192.0.2.7").status_code == 200
    for client in (api, signed_in(uma), other.client):
        answer = client.get(url)
        assert (answer.status_code, answer.json()["detail"]) == (
            404,
            "No kiosk found for IP address: 192.0.2.7",
        )
    assert api.get(url, HTTP_X_FORWARDED_FOR="192.0.2.7").status_code == 404
    assert (
        api.get("/admin/kiosks/by-ip/nonsense").json()["detail"] == "No kiosk found for IP address: nonsense"
    )
    services.change_kiosk(door.kiosk.pk, {"is_active": False}, by=SYSTEM)
    assert signed_in(alice).get(url).json()["detail"] == "Kiosk is not active"


def test_a_beat_makes_a_kiosk_online_for_300_seconds(door, signed_in, mona):
    now = timezone.now()
    assert door.client.get("/kiosk/status").json()["offline_duration_seconds"] is None
    with time_machine.travel(now, tick=False):
        beat = door.client.post("/kiosk/heartbeat", {"app_version": "1.0", "device_info": "tablet"}).json()
        assert beat["message"] == "Heartbeat recorded successfully"
        assert door.client.get("/kiosk/status").json()["is_online"] is True
        door.client.post("/kiosk/heartbeat", {"app_version": "1.1"})
    with time_machine.travel(now + timedelta(seconds=300), tick=False):
        (status,) = signed_in(mona).get("/kiosk/all-status").json()
        assert (status["is_online"], status["offline_duration_seconds"]) == (False, 300)
        assert (status["app_version"], status["device_info"]) == ("1.1", "tablet")
        assert services.notice_silent_kiosks(timezone.now()) == 1
        assert services.notice_silent_kiosks(timezone.now()) == 0
        door.client.post("/kiosk/heartbeat", {"app_version": "1.1"})
    actions = Entry.objects.filter(action__startswith="kiosk_o").order_by("sequence")
    assert [row.action for row in actions] == ["kiosk_online", "kiosk_offline", "kiosk_online"]


# --- Access ---
def test_access_is_changed_granted_blocked_listed_and_revoked(signed_in, oscar, uma, door):
    client, url = signed_in(oscar), f"/admin/kiosks/{door.kiosk.pk}"
    mode = client.patch(f"{url}/access-mode", {"access_mode": "whitelist"}).json()
    assert mode == {
        "success": True,
        "message": "Access mode changed to whitelist",
        "kiosk": {"id": door.kiosk.pk, "kiosk_name": "Door", "access_mode": "whitelist"},
    }
    bad = client.patch(f"{url}/access-mode", {"access_mode": "open"})
    assert (bad.status_code, bad.json()["detail"]) == (
        400,
        "Invalid access mode. Must be one of: ['public', 'whitelist', 'blacklist']",
    )
    granted = client.post(
        f"{url}/grant-access", {"user_id": uma.pk, "expires_at": "2030-01-01T00:00:00Z"}
    ).json()
    assert granted == {
        "success": True,
        "message": "Access granted to uma@example.org for kiosk Door",
        "access": {
            "user_id": uma.pk,
            "kiosk_id": door.kiosk.pk,
            "granted": True,
            "expires_at": "2030-01-01T00:00:00Z",
        },
    }
    blocked = client.post(f"{url}/block-access", {"user_id": uma.pk}).json()
    assert blocked == {
        "success": True,
        "message": "Access blocked for uma@example.org on kiosk Door",
        "access": {"user_id": uma.pk, "kiosk_id": door.kiosk.pk, "granted": False},
    }
    (row,) = client.get(f"{url}/access").json()["authorized_users"]
    assert (row["email"], row["granted"], row["granted_by_admin_id"]) == ("uma@example.org", False, oscar.pk)
    gone = [client.delete(f"{url}/revoke-access/{uma.pk}").json() for _ in range(2)]
    assert gone == [
        {"success": True, "message": "Access revoked for uma@example.org from kiosk Door"},
        {"success": False, "message": "No access found for uma@example.org on kiosk Door"},
    ]
    for answer in (
        client.post(f"{url}/grant-access", {"user_id": 999999}),
        client.delete(f"{url}/revoke-access/{2**31}"),
    ):
        assert (answer.status_code, answer.json()["detail"]) == (404, "User not found")


# --- People ---
def test_an_account_is_made_given_a_role_and_deleted(signed_in, alice, api):
    client = signed_in(alice)
    made = client.post(
        "/admin/users", {"email": "New@EXAMPLE.org", "password": "Passw0rd!", "role": " Manager "}
    )
    assert made.status_code == 201
    account = made.json()
    assert (account["email"], account["role"]) == ("New@example.org", "manager")
    assert client.get(f"/admin/users/{account['id']}").json() == account
    again = client.post("/admin/users", {"email": "new@example.org", "password": "Passw0rd!", "role": "user"})
    assert (again.status_code, again.json()["detail"]) == (400, "email_already_registered")
    device = phone(User.objects.get(pk=account["id"]))
    assert client.patch(f"/admin/users/{account['id']}/role", {"role": "ADMIN"}).json()["role"] == "admin"
    assert client.delete(f"/admin/users/{account['id']}").status_code == 204
    assert client.get(f"/admin/users/{account['id']}").json()["detail"] == "user_not_found"
    device.refresh_from_db()
    assert device.is_revoked


def test_roles_that_do_not_exist_and_acts_against_oneself_are_refused(signed_in, alice, uma):
    client = signed_in(alice)
    answers = [
        client.patch(f"/admin/users/{uma.pk}/role", {"role": "operator"}),
        client.delete(f"/admin/users/{alice.pk}"),
        client.patch(f"/admin/users/{alice.pk}/role", {"role": "user"}),
        client.patch("/admin/users/0/role", {"role": "user"}),
        client.post("/admin/users", {"email": "x@example.org", "password": "pass1234", "role": "user"}),
    ]
    assert [a.status_code for a in answers] == [400, 403, 403, 404, 422]
    assert [a.json()["detail"] for a in answers[:4]] == [
        "invalid_role",
        "Cannot delete your own account",
        "Cannot remove the last administrator",
        "user_not_found",
    ]
    assert answers[4].json()["detail"][0]["loc"] == ["body", "password"]


def test_other_groups_stay_when_a_role_is_given(signed_in, alice):
    person = PersonFactory(roles=["user", "engineer"])
    signed_in(alice).post(f"/admin/users/{person.pk}/role", {"role": "manager"})
    assert User.objects.get(pk=person.pk).roles == ["manager", "engineer"]


def test_lists_need_as_many_queries_for_many_rows_as_for_few(
    signed_in, alice, door, umas_phone, django_assert_max_num_queries
):
    client = signed_in(alice)
    for n in range(12):
        services.grant_access(door.kiosk.pk, phone(PersonFactory(), f"x{n}").user.pk, by=SYSTEM)
        door.scan(code(umas_phone))
    for route in ("users", "devices", "kiosks", "audit-logs", "punches", f"kiosks/{door.kiosk.pk}/access"):
        with django_assert_max_num_queries(7):
            assert client.get(f"/admin/{route}").status_code == 200
    with django_assert_max_num_queries(10):
        client.get("/admin/dashboard/stats")


# --- Records ---
def test_the_audit_log_also_shows_identity_in_its_own_words(signed_in, api, alice, uma):
    client = signed_in(alice)
    api.post("/auth/token", {"username": "uma", "password": PASSWORD}, format="multipart")
    api.post("/auth/token", {"username": "uma", "password": "wrong"}, format="multipart")
    client.patch(f"/admin/users/{uma.pk}/role", {"role": "manager"})
    made = client.post(
        "/admin/users", {"email": "n@example.org", "password": "Passw0rd!", "role": "user"}
    ).json()
    client.delete(f"/admin/users/{made['id']}")
    client.post("/auth/logout")
    events = signed_in(alice).get("/admin/audit-logs").json()
    kinds = [event["event_type"] for event in events]
    assert kinds == [
        "logout",
        "user_deleted",
        "user_created",
        "user_role_changed",
        "login_failed",
        "login_success",
    ]
    changed = next(event for event in events if event["event_type"] == "user_role_changed")
    told = json.loads(changed["event_data"])
    assert (changed["user_id"], told["actor_user_id"]) == (uma.pk, alice.pk)
    assert "reason" in json.loads(events[4]["event_data"])
    assert events[1]["user_id"] == made["id"]
    only = signed_in(alice).get("/admin/audit-logs", {"event_type": "login_failed", "user_id": uma.pk}).json()
    assert len(only) == 1


def test_no_row_speaks_of_a_key_or_a_code(door, umas_phone):
    text = code(umas_phone)
    door.scan(text)
    door.scan(text)
    for row in Entry.objects.all():
        assert text not in json.dumps(row.details)
        assert door.key not in json.dumps(row.details)


def test_a_manager_sees_the_punches_of_the_own_people_only(signed_in, mona, uma, umas_phone, door):
    stranger = phone(PersonFactory())
    team = Team.objects.create(name="Day")
    team.members.add(uma)
    team.managers.add(mona)
    door.scan(code(umas_phone))
    door.scan(code(stranger))
    client = signed_in(mona)
    today = f"{timezone.now():%Y-%m-%d}"
    report = f"/admin/reports/attendance?from={today}&to={today}"
    assert [row["user_id"] for row in client.get("/admin/punches").json()] == [uma.pk]
    assert client.get("/admin/punches", {"user_id": stranger.user_id}).json() == []
    assert [row["user_id"] for row in client.get(report).json()] == [uma.pk]
    lines = b"".join(client.get(f"{report}&format=csv").streaming_content).decode().splitlines()
    assert len(lines) == 2


@pytest.fixture
def punches(uma, umas_phone, door):
    start = datetime(2026, 3, 1, 8, tzinfo=UTC)
    for n in range(3):
        with time_machine.travel(start + timedelta(days=n), tick=False):
            door.scan(code(umas_phone), "clock_in" if n % 2 == 0 else "clock_out")


def test_the_report_comes_as_json_csv_and_pdf(signed_in, audrey, punches, uma):
    client = signed_in(audrey)
    url = "/admin/reports/attendance?from=2026-03-01&to=2026-03-02"
    rows = client.get(url).json()
    assert [row["punched_at"] for row in rows] == ["2026-03-01T08:00:00Z", "2026-03-02T08:00:00Z"]
    answer = client.get(f"{url}&format=CSV")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == "attachment; filename=attendance_2026-03-01_2026-03-02.csv"
    lines = b"".join(answer.streaming_content).decode().split("\r\n")
    assert lines[0] == "id,user_id,device_id,kiosk_id,punch_type,punched_at,jwt_jti,created_at"
    assert lines[1].split(",")[4:6] == ["clock_in", "2026-03-01T08:00:00Z"]
    pdf = client.get(f"{url}&format=pdf&user_id={uma.pk}")
    assert pdf["Content-Type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF")
    exports = Entry.objects.filter(action="report_exported").order_by("sequence")
    assert [row.details["format"] for row in exports] == ["csv", "pdf"]
    assert exports[0].user_id is None
    assert exports[0].source_admin == "audrey"


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ("from=2026-03-02&to=2026-03-01", 400, "invalid_range"),
        ("from=2025-01-01&to=2026-01-02", 400, "invalid_range"),
        ("from=x&to=2026-03-01", 400, "invalid_datetime"),
        ("from=2026-03-01&to=2026-03-01&format=xls", 400, "invalid_format"),
        ("to=2026-03-01", 422, None),
        ("from=2025-01-01&to=2026-01-01", 200, None),
    ],
)
def test_reports_that_cannot_be_are_refused(signed_in, alice, query, status, detail):
    answer = signed_in(alice).get(f"/admin/reports/attendance?{query}")
    assert answer.status_code == status
    if detail:
        assert answer.json()["detail"] == detail
    elif status == 422:
        assert answer.json()["detail"][0] == {
            "type": "missing",
            "loc": ["query", "from"],
            "msg": "Field required",
        }


def test_a_pdf_of_more_rows_than_anybody_reads_is_refused(signed_in, alice, punches, monkeypatch):
    monkeypatch.setattr("punch.attendance.MOST_PDF_ROWS", 2)
    answer = signed_in(alice).get("/admin/reports/attendance?from=2026-03-01&to=2026-03-03&format=pdf")
    assert (answer.status_code, answer.json()["detail"]) == (400, "too_many_rows")
    assert not Entry.objects.filter(action="report_exported").exists()


def test_the_dashboard_counts_what_exists(signed_in, alice, umas_phone, door):
    door.scan(code(umas_phone))
    services.delete_kiosk(booth("Gone").kiosk.pk, by=SYSTEM)
    stats = signed_in(alice).get("/admin/dashboard/stats").json()
    assert stats.pop("recent_punches")[0]["id"] == Punch.objects.get().pk
    assert stats == {
        "total_users": 2,
        "total_devices": 1,
        "total_kiosks": 1,
        "active_kiosks": 1,
        "today_punches": 1,
        "today_users": 1,
    }


def test_own_address_follows_the_rule_of_trusted_proxies(api, settings):
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    assert api.get("/info/ip", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR="1.2.3.4").json() == {
        "ip": "192.0.2.1"
    }
    assert api.get("/api/info/ip", REMOTE_ADDR="10.1.1.1", HTTP_X_FORWARDED_FOR="1.2.3.4").json() == {
        "ip": "1.2.3.4"
    }


def test_bad_keys_are_throttled_but_a_valid_key_is_not(api, door, settings):
    settings.PUNCH_THROTTLES |= {"BAD_KEY": [(3, 60)]}
    statuses = [api.get("/kiosk/status", HTTP_X_KIOSK_API_KEY="bad").status_code for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    assert door.client.get("/kiosk/status").status_code == 200
