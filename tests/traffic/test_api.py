import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from rest_framework.test import APIClient

from config.errors import InvalidInput
from config.inputs import checked
from tests.factories import PASSWORD
from tests.traffic.conftest import FIREFOX, visit
from traffic import queries
from traffic.ingest import Ask, Ledger
from traffic.models import Site, Visit, VisitTotal
from traffic.serializers import StatsQuery

ONE = {"user_id": "u1", "page_url": "https://example.org/a"}
pytestmark = pytest.mark.django_db


def post(api: Any, body: Any, path: str = "/visit", **extra: Any) -> Any:
    return api.generic(
        "POST", path, json.dumps(body) if not isinstance(body, bytes) else body, "application/json", **extra
    )


def test_the_documented_calls_give_the_documented_answers(api: APIClient) -> None:
    for number in (1, 2, 3):
        answer = post(api, ONE)
        assert answer.status_code == 200
        assert answer.json() == {
            "success": True,
            "visit_count": number,
            "message": f"Visit logged successfully. Total visits: {number}",
        }
    stats = api.get("/stats")
    assert stats.status_code == 200
    answer = stats.json()
    assert list(answer) == [
        "uptime_seconds", "uptime_formatted", "total_visits", "current_time", "server_status", "recent_visits",
        "timeframe_hours",
    ]  # fmt: skip
    assert (answer["total_visits"], answer["recent_visits"], answer["timeframe_hours"]) == (3, 3, 1.0)
    assert answer["server_status"] == "running"
    assert answer["current_time"].endswith("Z")
    assert api.get("/stats/?timeframe_hours=24").json()["timeframe_hours"] == 24.0


@pytest.mark.parametrize("path", ["/visit", "/visit/"])
def test_agent_and_address_come_from_the_request_when_the_body_has_none(api: APIClient, path: str) -> None:
    post(
        api, ONE, path, HTTP_USER_AGENT=FIREFOX, REMOTE_ADDR="203.0.113.5", HTTP_X_FORWARDED_FOR="192.0.2.66"
    )
    row = Visit.objects.get()
    assert (row.user_agent, row.ip_address, row.referrer) == (FIREFOX, "203.0.113.5", None)


def test_behind_trusted_proxies_the_first_stranger_from_the_right_is_the_client(
    api: APIClient, settings: Any
) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    hops = "1.1.1.1, nonsense, 198.51.100.7, 10.1.1.1"
    post(api, ONE, REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=hops)
    assert Visit.objects.get().ip_address == "198.51.100.7"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"[]", b"1", b'"x"', b"{}", b'{"user_id":" ","page_url":7,"ip_address":"unknown"}'],
)
def test_wrong_input_is_named_and_nothing_is_stored(api: APIClient, body: bytes) -> None:
    answer = post(api, body)
    assert answer.status_code == 422
    assert all(error["loc"][0] == "body" and error["msg"] for error in answer.json()["detail"])
    assert not Visit.objects.exists()


@pytest.mark.parametrize("page", ["javascript:alert(1)", "/home", "not a url"])
def test_any_text_is_a_page(api: APIClient, page: str) -> None:
    assert post(api, {**ONE, "page_url": page}).status_code == 200
    assert Visit.objects.get().site.host == "(none)"


def test_size_type_and_verb_are_judged_in_words_of_the_dialect(api: APIClient) -> None:
    big = post(api, {**ONE, "referrer": "x" * 17_000})
    assert (big.status_code, big.json()) == (413, {"detail": "Request body too large"})
    form = api.generic("POST", "/visit", "a=b", "application/x-www-form-urlencoded")
    assert (form.status_code, form.json()) == (415, {"detail": "Unsupported Media Type"})
    verb = api.get("/visit")
    assert (verb.status_code, verb.json()) == (405, {"detail": "Method Not Allowed"})
    assert "POST" in verb["Allow"]


def test_any_origin_may_report_and_never_with_credentials(api: APIClient, settings: Any) -> None:
    settings.ALLOWED_ORIGINS = ["https://friend.example"]
    for origin in ("https://stranger.example", "https://friend.example"):
        asked = api.options("/visit", HTTP_ORIGIN=origin, HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST")
        assert (asked.status_code, asked["Access-Control-Allow-Headers"]) == (204, "content-type")
        assert asked["Access-Control-Max-Age"] == "86400"
        for answer in (asked, post(api, ONE, HTTP_ORIGIN=origin), post(api, {}, HTTP_ORIGIN=origin)):
            assert answer["Access-Control-Allow-Origin"] == "*"
            assert "Access-Control-Allow-Credentials" not in answer


def test_other_paths_are_closed_to_other_origins(api: APIClient) -> None:
    stranger = {"HTTP_ORIGIN": "https://stranger.example"}
    for answer in (api.get("/stats", **stranger), post(api, {"visits": [ONE]}, "/visits", **stranger)):
        assert answer.status_code == 200
        assert "Access-Control-Allow-Origin" not in answer


def test_no_answer_of_the_dialect_sets_a_cookie(alice: Any) -> None:
    browser = Client()
    browser.post("/accounts/login/", {"username": "alice", "password": PASSWORD})
    assert browser.cookies["sessionid"].value
    answers = [
        post(browser, ONE),
        browser.get("/stats"),
        browser.get("/health"),
        browser.get("/", HTTP_ACCEPT="application/json"),
        browser.get("/visit"),
    ]
    assert [a.status_code for a in answers] == [200, 200, 200, 200, 405]
    assert not any(a.cookies for a in answers)


# --- Many at once ---------------------------------------------------------------------------------------------
def test_many_visits_are_stored_together_with_consecutive_numbers(
    api: APIClient, django_assert_max_num_queries: Any
) -> None:
    post(api, ONE)
    with django_assert_max_num_queries(30):
        answer = post(api, {"visits": [{**ONE, "user_id": f"u{n}"} for n in range(1000)]}, "/visits")
    assert answer.json() == {
        "success": True,
        "accepted": 1000,
        "visit_count": 1001,
        "message": "1000 visits logged successfully. Total visits: 1001",
    }
    assert Visit.objects.count() == VisitTotal.objects.get().total == 1001


def test_one_wrong_entry_refuses_all_of_them(api: APIClient) -> None:
    answer = post(api, {"visits": [ONE] * 17 + [{"user_id": "x"}] + [ONE]}, "/visits")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "visits", 17, "page_url"]
    assert not Visit.objects.exists()


def test_importers_with_a_token_are_not_throttled(
    signed_in: Any, oscar: Any, uma: Any, api: APIClient, settings: Any
) -> None:
    settings.VISIT_RATE = 2
    three, far = {"visits": [ONE] * 3}, {"REMOTE_ADDR": "203.0.113.5"}
    assert post(signed_in(oscar), three, "/visits", **far).status_code == 200
    for client in (signed_in(uma), api):
        answer = post(client, three, "/visits", **far)
        assert answer.status_code == 429
        assert int(answer["Retry-After"]) >= 1
    assert Visit.objects.count() == 3


def test_a_stranger_is_throttled_and_this_machine_is_not(api: APIClient, settings: Any) -> None:
    settings.VISIT_RATE = 2
    stranger = {"REMOTE_ADDR": "203.0.113.5"}
    assert [post(api, ONE, **stranger).status_code for _ in range(3)] == [200, 200, 429]
    assert [post(api, ONE, REMOTE_ADDR="127.0.0.9").status_code for _ in range(3)] == [200] * 3


# --- Statistics of the dialect --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "hours", ["0", "0.09", "168.01", "-1", "nan", "inf", "1e400", "a", "", "1_0", "0x1", "１"]
)
def test_a_timeframe_that_is_no_number_of_hours_is_refused(api: APIClient, hours: str) -> None:
    answer = api.get("/stats", {"timeframe_hours": hours})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "timeframe_hours"]


@pytest.mark.parametrize(("text", "hours"), [("0.1", 0.1), ("168", 168.0), ("1e1", 10.0), (".5", 0.5)])
def test_numbers_of_hours_may_be_written_as_numbers_are(text: str, hours: float) -> None:
    assert checked(StatsQuery, {"timeframe_hours": text}, "query") == {"timeframe_hours": hours}


def test_a_wrong_timeframe_is_wrong_input() -> None:
    with pytest.raises(InvalidInput):
        checked(StatsQuery, {"timeframe_hours": "nan"}, "query")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0s"),
        (45, "45s"),
        (125, "2m 5s"),
        (3600.5, "1h 0m 0s"),
        (86400, "1d 0h 0m 0s"),
        (3720, "1h 2m 0s"),
    ],
)
def test_uptime_leaves_out_leading_units_of_zero(seconds: float, words: str) -> None:
    assert queries.in_words(seconds) == words


START = datetime(2026, 3, 2, 23, 58, 57, tzinfo=UTC)


@pytest.mark.parametrize("hours", [0.1, 0.5, 1, 2.345, 24, 168])
@pytest.mark.parametrize("offset", [0, 0.5, 3, 61.25, 3599, 3661.7])
def test_recent_visits_agree_with_a_recount_from_the_same_full_second(hours: float, offset: float) -> None:
    ledger = Ledger()
    steps = [0.0]
    while steps[-1] < 8 * 86_400:
        steps.append(steps[-1] * 1.6 + 0.9)
    now = START + timedelta(seconds=offset)
    for step in reversed(steps):
        with time_machine.travel(now - timedelta(seconds=step), tick=False):
            ledger.write([Ask([visit()])])
    edge = (now - timedelta(hours=hours)).replace(microsecond=0)
    counted = queries.totals(now, timedelta(hours=hours))
    assert counted == (len(steps), Visit.objects.filter(received_at__gte=edge).count())


def test_bots_count_among_the_totals_of_the_dialect(api: APIClient) -> None:
    post(api, {**ONE, "user_agent": "Googlebot/2.1"})
    answer = api.get("/stats").json()
    assert (answer["total_visits"], answer["recent_visits"]) == (1, 1)


def test_before_the_first_visit_there_are_none(api: APIClient) -> None:
    answer = api.get("/stats").json()
    assert (answer["total_visits"], answer["recent_visits"]) == (0, 0)
    assert not Site.objects.exists()
