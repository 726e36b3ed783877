"""The log book: every filter in its address, rows that open, and a search field that understands."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from activity.models import Entry
from identity.models import User
from tests.activity.visits import about, rows_found, text_of
from tests.factories import EntryFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("column", "value", "other"),
    [
        ("domain", "punch", "pools"),
        ("category", "management", "autorisation"),
        ("action", "access", "logout"),
        ("result", "success", "fail"),
        ("reason", "timeout", "locked"),
        ("trace_id", "a" * 32, "b" * 32),
        ("user_id", "0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679-7425-40de-944b-e07fc1f90ae7"),
        ("user_login", "Ada", "ada"),
        ("source_admin", "alice", "oscar"),
        ("source_ip", "10.1.2.3", "10.9.2.3"),
        ("provider_id", 7, 8),
        ("provider_type", "idp", "sp"),
        ("provider_name", "Desk, front", "Desk"),
        ("provider_protocol", "SAML", "OIDC"),
        ("object_type", "device", "kiosk"),
        ("object_id", "41", "42"),
    ],
)
def test_each_filter_of_the_search_works_in_the_address(
    browser: Client, column: str, value: Any, other: Any
) -> None:
    wanted, _unwanted = EntryFactory(**{column: value}), EntryFactory(**{column: other})
    response = browser.get(reverse("activity:log"), {column: value})
    assert [row["sequence"] for row in response.context["entries"]] == [wanted.pk]
    assert [(chip.value, chip.without) for chip in response.context["chips"]] == [(str(value), "?")]


def test_values_of_one_field_are_joined_by_or_and_each_is_removable(browser: Client) -> None:
    for login in ("ada", "bob", "eve"):
        EntryFactory(user_login=login)
    response = browser.get("/manage/activity/log/?user_login=ada&user_login=bob&page=1&result=success")
    assert {row["user_login"] for row in response.context["entries"]} == {"ada", "bob"}
    removed = {chip.value: chip.without for chip in response.context["chips"]}
    assert removed["ada"] == "?user_login=bob&result=success"
    kept = next(field for field in response.context["bar"]["first"] if field.name == "user_login")
    assert (kept.value, kept.kept) == ("", ("ada", "bob"))


def test_blank_fields_of_the_form_restrict_nothing(browser: Client) -> None:
    EntryFactory()
    assert rows_found(browser.get("/manage/activity/log/?user_login=&result=&start=&end=")) == 1


def test_the_period_is_relative_or_given_by_its_ends(browser: Client) -> None:
    now = timezone.now()
    for hours in (0, 5, 100, 500, 5000):
        EntryFactory(timestamp=now - timedelta(hours=hours, minutes=1))
    log = reverse("activity:log")
    found = {key: rows_found(browser.get(log, {"range": key})) for key in ("1h", "24h", "7d", "30d", "all")}
    assert found == {"1h": 1, "24h": 2, "7d": 3, "30d": 4, "all": 5}
    ends = {"start": f"{now - timedelta(hours=101):%Y-%m-%dT%H:%M}", "end": f"{now:%Y-%m-%d}"}
    between = browser.get(log, {**ends, "range": "1h"})
    assert rows_found(between) >= 1
    assert [str(chip.label) for chip in between.context["chips"]] == ["From (UTC)", "To (UTC)"]


def test_both_ends_of_a_period_are_included(browser: Client) -> None:
    moment = datetime(2025, 5, 1, 12, 0, 0, 1, tzinfo=UTC)
    EntryFactory(timestamp=moment)
    exact = {"start": "2025-05-01T12:00:00.000001Z", "end": "2025-05-01T14:00:00.000001+02:00"}
    assert rows_found(browser.get(reverse("activity:log"), exact)) == 1


def test_a_period_given_by_its_ends_stays_in_the_form(browser: Client) -> None:
    page = browser.get(reverse("activity:log"), {"start": "2025-05-01T12:00:00.000001Z"}).content.decode()
    assert 'value="2025-05-01T12:00:00.000001Z"' in page
    assert 'type="hidden" name="range"' not in page


@pytest.mark.parametrize(
    "bad",
    [
        {"start": "yesterday"},
        {"start": "2025-02-30"},
        {"end": "3000-01-01"},
        {"start": "1969-12-31"},
        {"source_ip": "10.0.0.0/33"},
        {"provider_id": "x"},
        {"user_login": "u" * 256},
        {"user_login": "nul\x00"},
        {"object_id": [str(n) for n in range(201)]},
        {"page": "0"},
        {"page": "many"},
        {"per_page": "7"},
        {"range": "1y"},
        {"columns": "password"},
    ],
)
def test_what_cannot_be_read_is_named_and_shows_nothing(browser: Client, bad: dict[str, Any]) -> None:
    EntryFactory()
    response = browser.get(reverse("activity:log"), bad)
    assert response.status_code == 200
    assert "This filter cannot be read" in text_of(response)
    assert next(iter(bad)) in response.context["query"].errors
    assert not response.context["entries"]


def test_pages_are_of_ten_twenty_fifty_or_a_hundred_rows_and_none_is_shown_twice(browser: Client) -> None:
    now = timezone.now()
    EntryFactory.create_batch(25, timestamp=now)
    seen = []
    for page in (1, 2, 3):
        response = browser.get(reverse("activity:log"), {"per_page": 10, "page": page})
        seen += [row["sequence"] for row in response.context["entries"]]
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 25
    assert "21 to 25 of 25" in text_of(response)


def test_a_page_past_the_end_offers_the_way_back(browser: Client) -> None:
    EntryFactory()
    response = browser.get(reverse("activity:log"), {"page": 9, "result": "success"})
    assert "There are fewer pages than that" in text_of(response)
    assert 'href="?result=success"' in response.content.decode()


def test_columns_are_chosen_in_the_address(browser: Client) -> None:
    EntryFactory(info="Unknown in SP", reason="unknown_user")
    page = browser.get("/manage/activity/log/?columns=time&columns=info").content.decode()
    assert "Unknown in SP" in page
    assert "unknown_user</td>" not in page


def test_an_empty_list_says_whether_filters_are_to_blame(browser: Client) -> None:
    Entry.objects.exists()
    assert "Nothing happened in this period" in text_of(browser.get(reverse("activity:log")))
    filtered = browser.get(reverse("activity:log"), {"user_login": "nobody"})
    assert "No row matches these filters" in text_of(filtered)


def test_known_people_only_leaves_monitoring_out(browser: Client, uma: User) -> None:
    about(uma)
    EntryFactory(user_login="monitoring", details={"synthetic": True})
    everybody = browser.get(reverse("activity:log"))
    assert "synthetic" in text_of(everybody)
    assert (rows_found(everybody), rows_found(browser.get("/manage/activity/log/?known=1"))) == (2, 1)


@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ("UMA", "user_login=uma"),
        ("uma@example.org", "user_login=uma"),
        ("nobody here", "user_login=nobody+here"),
        (" 10.1.2.3 ", "source_ip=10.1.2.3"),
        ("2001:db8::/32", "source_ip=2001%3Adb8%3A%3A%2F32"),
        ("A" * 32, f"trace_id={'a' * 32}"),
        ("0F8FAD5B-D9CB-469F-A165-70867728950E", "user_id=0f8fad5b-d9cb-469f-a165-70867728950e"),
    ],
)
def test_the_search_field_knows_what_was_meant(browser: Client, uma: User, typed: str, becomes: str) -> None:
    response = browser.get(reverse("activity:log"), {"find": typed})
    assert response.status_code == 302
    assert response["Location"] == f"/manage/activity/log/?{becomes}&range=all"


def test_what_strangers_wrote_is_shown_as_text(browser: Client) -> None:
    EntryFactory(user_login="<script>alert(1)</script>", reason="<b>x</b>")
    page = browser.get(reverse("activity:log"), {"user_login": "<script>alert(1)</script>"}).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_row_opens_with_its_details_session_and_history_of_its_object(browser: Client, uma: User) -> None:
    before = EntryFactory(action="register_device", object_type="device", object_id="5")
    sign_in = about(uma, action="authentication", trace_id="c" * 32)
    row = about(
        uma,
        action="revoke_device",
        trace_id="c" * 32,
        object_type="device",
        object_id="5",
        details={"why": "lost"},
    )
    EntryFactory(object_type="device", object_id="6")
    response = browser.get(reverse("activity:entry", args=[row.pk]))
    assert [entry.pk for entry in response.context["session"]] == [sign_in.pk, row.pk]
    assert [entry.pk for entry in response.context["history"]] == [row.pk, before.pk]
    assert '"why": "lost"' in text_of(response)


@pytest.mark.parametrize("sequence", [0, 404, 2**63, 10**30])
def test_a_row_that_never_was_is_not_found(browser: Client, sequence: int) -> None:
    response = browser.get(f"/manage/activity/log/{sequence}/")
    assert response.status_code == 404
