"""The pages of the trail: who sees them, that they print what the API prints, and that each number is a link."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from activity.models import Entry
from activity.queries import pages, statistics
from identity.models import User
from tests.activity.visits import about, at, rows_found, text_of
from tests.factories import EntryFactory, PersonFactory, ProviderFactory

LISTS = ["activity:overview", "activity:log", "activity:people", "activity:providers"]
DAY = timedelta(hours=24)
Visitor = Callable[[User], Client]

pytestmark = pytest.mark.django_db


# --- Who sees what -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LISTS)
def test_a_stranger_is_sent_to_sign_in_and_back_again(client: Client, name: str) -> None:
    response = client.get(reverse(name), headers={"accept": "text/html"})
    assert response.status_code == 302
    assert response["Location"] == f"/accounts/login/?next={reverse(name)}"


@pytest.mark.parametrize("name", LISTS)
def test_a_role_without_the_right_to_read_gets_a_page_that_says_so(
    visitor: Visitor, uma: User, name: str
) -> None:
    response = visitor(uma).get(reverse(name))
    assert response.status_code == 403
    assert "signed in as uma" in text_of(response)


@pytest.mark.parametrize("reader", ["alice", "oscar", "audrey"])
@pytest.mark.parametrize("name", LISTS)
def test_every_reader_sees_the_pages_also_when_nothing_ever_happened(
    visitor: Visitor, request: pytest.FixtureRequest, name: str, reader: str
) -> None:
    response = visitor(request.getfixturevalue(reader)).get(reverse(name))
    assert response.status_code == 200
    assert response["Cache-Control"].count("no-store") == 1


def test_pages_answer_without_the_trailing_slash_too(browser: Client) -> None:
    assert browser.get("/manage/activity/log").status_code == 200


def test_pages_only_read(browser: Client) -> None:
    assert browser.post(reverse("activity:log")).status_code == 405


def test_home_shows_an_ordinary_user_the_own_sign_ins_and_nothing_of_others(
    visitor: Visitor, uma: User, mona: User
) -> None:
    about(uma, domain="identity", action="sign_in", source_ip="198.51.100.4")
    about(mona, domain="identity", action="sign_in", source_ip="198.51.100.99")
    page = text_of(visitor(uma).get("/"))
    assert "198.51.100.4" in page
    assert "198.51.100.99" not in page


@pytest.mark.parametrize("name", [*LISTS, "home"])
def test_no_page_carries_an_inline_script_or_style(browser: Client, name: str) -> None:
    page = browser.get(reverse(name)).content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", page)


# --- Home ----------------------------------------------------------------------------------------------------


def failed_run(length: int, **values: Any) -> None:
    for _ in range(length):
        EntryFactory(domain="identity", action="sign_in", result="fail", user_login="mallory", **values)


def test_home_names_a_run_of_failed_sign_ins_with_a_link_to_its_rows(browser: Client) -> None:
    failed_run(5, source_ip="192.0.2.66")
    response = browser.get("/")
    assert "One thing needs attention" in text_of(response)
    assert "5 failed sign-ins of mallory from 192.0.2.66" in text_of(response)
    assert rows_found(browser.get(response.context["attention"][0]["link"])) == 5


def test_four_failures_or_five_from_two_addresses_are_no_run(browser: Client) -> None:
    failed_run(4, source_ip="192.0.2.66")
    failed_run(1, source_ip="192.0.2.67")
    assert "Nothing needs attention" in text_of(browser.get("/"))


def test_home_compares_with_the_day_before_in_words(browser: Client, uma: User) -> None:
    now = timezone.now()
    for hours in (1, 2, 3, 30, 31):
        about(uma, domain="identity", action="sign_in", timestamp=now - timedelta(hours=hours))
    assert "+50 % on the day before" in text_of(browser.get("/"))


def test_every_figure_of_home_opens_a_list_of_that_many_rows(browser: Client, uma: User) -> None:
    about(uma, action="authentication")
    about(uma, action="access", result="fail")
    about(uma, action="access")
    EntryFactory(user_login="monitoring", result="fail")
    activity = browser.get("/").context["panels"][1]
    for figure in activity["figures"][:3]:
        assert rows_found(browser.get(figure["link"])) == figure["value"]


# --- Overview ------------------------------------------------------------------------------------------------


@pytest.fixture
def busy(uma: User, mona: User) -> None:
    """Two people, three providers, a monitoring account, and rows outside the last day."""
    desk = ProviderFactory(type="idp", name="Desk", protocol="SAML")
    papers = ProviderFactory(type="sp", name="Papers", protocol="OIDC")
    ProviderFactory(type="sp", name="Idle", protocol="SAML")
    now = timezone.now()
    for hours in (0.1, 3, 5, 40):
        when = now - timedelta(hours=hours)
        about(uma, action="authentication", timestamp=when, **at(desk))
        about(uma, timestamp=when, **at(papers))
        about(mona, timestamp=when, result="fail", reason="timeout", **at(papers))
    EntryFactory(user_login="monitoring", result="fail", reason="unknown_user", **at(papers))


@pytest.mark.parametrize(("period", "hours"), [("1h", 1), ("24h", 24), ("7d", 168), ("30d", 720)])
def test_the_overview_prints_the_numbers_of_the_statistics(
    browser: Client, busy: None, period: str, hours: int
) -> None:
    shown = browser.get(reverse("activity:overview"), {"range": period}).context
    asked = (timezone.now(), timedelta(hours=hours))
    hourly, reasons = statistics.users_by_hour(*asked), statistics.failure_reasons(*asked)
    over_time = [sum(row.cells[n].value for row in shown["charts"]["users"].rows) for n in (0, 1)]
    assert over_time == [sum(hourly.authentications), sum(hourly.access)]
    assert [row.label for row in shown["charts"]["reasons"].rows] == reasons.reasons
    papers, idle = shown["charts"]["sp"].rows
    assert (papers.label, idle.label) == ("Papers", "Idle")
    assert [cell.value for cell in papers.cells] == [
        statistics.providers(*asked)["sp"].success[0],
        statistics.providers(*asked)["sp"].failure[0],
    ]
    assert shown["events"] == sum(line["events"] for line in statistics.users_summary(*asked))


@pytest.mark.parametrize("chart", ["users", "idp", "sp", "reasons"])
@pytest.mark.parametrize("period", ["24h", "30d"])
def test_a_number_of_a_chart_opens_a_list_of_that_many_rows(
    browser: Client, busy: None, chart: str, period: str
) -> None:
    rows = browser.get(reverse("activity:overview"), {"range": period}).context["charts"][chart].rows
    cells = [cell for row in rows for cell in row.cells if cell.value]
    assert cells
    for cell in cells:
        assert rows_found(browser.get(cell.link)) == cell.value


def test_a_failure_without_a_reason_counts_but_has_no_list(browser: Client, uma: User) -> None:
    about(uma, result="fail")
    (row,) = browser.get(reverse("activity:overview")).context["charts"]["reasons"].rows
    assert (row.label, row.cells[0].value, row.cells[0].link) == ("unspecified", 1, "")


def test_the_chart_is_a_table_that_needs_no_script(browser: Client, busy: None) -> None:
    page = browser.get(reverse("activity:overview")).content.decode()
    assert page.count("<figure") == 5
    assert 'data-series="series-1"' in page
    assert re.search(r'<td class="number" data-value="3"><a href="/manage/activity/log/\?', page)


# --- People and providers ------------------------------------------------------------------------------------


def test_people_are_listed_busiest_first_with_name_and_last_event(
    browser: Client, uma: User, mona: User
) -> None:
    about(mona)
    last = about(mona, result="fail")
    about(uma, timestamp=timezone.now() - timedelta(days=3))
    response = browser.get(reverse("activity:people"))
    first = response.context["people"][0]
    assert (first["login"], first["name"], first["events"], first["failure"]) == ("mona", "Mona Roux", 2, 1)
    assert first["last"] == last.timestamp
    assert "1 active of 3" in text_of(response)
    assert rows_found(browser.get(first["link"])) == 2


def test_the_list_of_people_has_pages(browser: Client) -> None:
    PersonFactory.create_batch(12)
    second = browser.get(reverse("activity:people"), {"per_page": 10, "page": 2})
    assert len(second.context["people"]) == 3
    assert not browser.get(reverse("activity:people"), {"page": 99}).context["people"]


@pytest.mark.parametrize(
    ("typed", "found"), [("MON", ["mona"]), ("mona roux", ["mona"]), ("Roux", []), ("zz", [])]
)
def test_people_are_found_by_a_part_of_the_login_or_the_whole_name(
    browser: Client, uma: User, mona: User, typed: str, found: list[str]
) -> None:
    response = browser.get(reverse("activity:people"), {"q": typed})
    assert [line["login"] for line in response.context["people"]] == found


def test_providers_show_successes_failures_and_their_last_event(browser: Client, busy: None) -> None:
    idps, sps = browser.get(reverse("activity:providers")).context["groups"]
    assert [(line["name"], line["success"], line["failure"]) for line in sps["providers"]] == [
        ("Papers", 3, 3),
        ("Idle", 0, 0),
    ]
    assert [line["name"] for line in idps["providers"]] == ["Desk"]
    assert sps["providers"][1]["last"] is None
    assert rows_found(browser.get(sps["providers"][0]["link"])) == 6


def test_the_card_shows_the_decrypted_name_and_what_the_person_did(browser: Client, uma: User) -> None:
    about(uma, action="authentication")
    about(uma, result="fail", domain="punch", category="punch", action="validate")
    response = browser.get(reverse("activity:person", args=[uma.uuid]))
    page = text_of(response)
    assert "Uma Noir" in page
    assert "uma@example.org" in page
    assert [figure["value"] for figure in response.context["figures"]] == [1, 0, 0, 1]
    assert len(response.context["entries"]) == 2
    assert "All of it in the log book" in page


def test_the_card_of_somebody_deleted_shows_the_last_copied_login_and_no_name(
    browser: Client, uma: User
) -> None:
    about(uma)
    get_user_model().objects.filter(pk=uma.pk).update(deleted_at=timezone.now())
    page = text_of(browser.get(reverse("activity:person", args=[uma.uuid])))
    assert "deleted" in page
    assert "uma" in page
    assert "Noir" not in page


def test_somebody_neither_accounts_nor_trail_know_is_not_found(browser: Client) -> None:
    assert browser.get(reverse("activity:person", args=[uuid4()])).status_code == 404


# --- Cost ----------------------------------------------------------------------------------------------------


def many(number: int) -> None:
    provider = ProviderFactory()
    for person in PersonFactory.create_batch(number):
        about(person, **at(provider))
        about(person, domain="identity", action="sign_in", result="fail")
        EntryFactory(user_login="monitoring", details={"synthetic": True}, trace_id="d" * 32)


@pytest.mark.parametrize("name", [*LISTS, "home"])
def test_the_number_of_queries_does_not_grow_with_the_rows(browser: Client, name: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert browser.get(reverse(name)).status_code == 200
        return len(captured)

    many(3)
    few = queries()
    many(12)
    assert queries() <= few
    assert few <= 22


def test_a_row_and_a_card_cost_a_fixed_number_of_queries(
    browser: Client, uma: User, django_assert_max_num_queries: Any
) -> None:
    many(10)
    row = Entry.objects.filter(trace_id="d" * 32).first()
    with django_assert_max_num_queries(8):
        browser.get(reverse("activity:entry", args=[row.pk]))
    with django_assert_max_num_queries(8):
        browser.get(reverse("activity:person", args=[uma.uuid]))


def test_latest_acts_leave_monitoring_out(uma: User) -> None:
    shown = about(uma)
    EntryFactory(user_login="monitoring")
    assert [entry.pk for entry in pages.latest_acts()] == [shown.pk]
