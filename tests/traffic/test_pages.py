from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from activity.models import Entry
from tests.factories import PASSWORD
from tests.traffic.conftest import FIREFOX, GOOGLEBOT, visit
from traffic.models import Site, Visit

PAGES = ["/manage/traffic/", "/manage/traffic/latest/", "/manage/traffic/sites/"]
pytestmark = pytest.mark.django_db


def signed(person: Any) -> Client:
    client = Client()
    client.post("/accounts/login/", {"username": person.username, "password": PASSWORD})
    return client


@pytest.fixture
def some(log: Any) -> None:
    log(
        visit(referrer="https://news.example/"),
        visit("u2"),
        visit(page="https://shop.example.org/<b>"),
        visit(page="javascript:alert(1)"),
        visit(user_agent=GOOGLEBOT),
    )


@pytest.mark.parametrize("page", [*PAGES, "/manage/traffic/one/?kind=page&text=/a"])
def test_pages_are_for_readers(page: str, audrey: Any, uma: Any, some: None) -> None:
    assert Client().get(page).status_code == 302
    assert signed(uma).get(page).status_code == 403
    assert signed(audrey).get(page).status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_installation_says_how_the_first_visit_comes(page: str, audrey: Any) -> None:
    text = signed(audrey).get(page).content.decode()
    assert "curl http://testserver/visit" in text


@pytest.mark.parametrize("period", ["1h", "24h", "7d", "30d", "12m", "nonsense"])
def test_the_overview_shows_what_the_reports_say(period: str, audrey: Any, some: None) -> None:
    text = signed(audrey).get("/manage/traffic/", {"range": period}).content.decode()
    assert "4 visits" in text
    assert "and 1 by a bot" in text
    for shown in ("example.org", "/&lt;b&gt;", "news.example", "Firefox"):
        assert shown in text


def test_the_overview_of_one_site_leaves_the_others_out(audrey: Any, some: None) -> None:
    text = signed(audrey).get("/manage/traffic/", {"site": "shop.example.org", "bots": "1"}).content.decode()
    assert "1 visit" in text
    assert "news.example" not in text


def test_one_page_has_a_curve_of_its_own(audrey: Any, some: None) -> None:
    client = signed(audrey)
    for period in ("1h", "24h", "30d"):
        asked = {"kind": "page", "text": "/a", "site": "example.org", "range": period}
        assert "2 visits, 1 by bots besides" in client.get("/manage/traffic/one/", asked).content.decode()
    assert client.get("/manage/traffic/one/", {"kind": "total"}).status_code == 404
    assert client.get("/manage/traffic/one/", {"kind": "page", "text": "\x00"}).status_code == 200


def test_only_http_addresses_are_links_and_only_administrators_see_who(
    audrey: Any, alice: Any, some: None
) -> None:
    text = signed(audrey).get("/manage/traffic/latest/").content.decode()
    assert 'href="https://example.org/a" rel="noreferrer noopener"' in text
    assert 'href="javascript' not in text
    assert "203.0.113.9" not in text
    assert FIREFOX not in text
    assert "203.0.113.9" in signed(alice).get("/manage/traffic/latest/").content.decode()


@pytest.mark.parametrize("page", PAGES)
def test_the_number_of_queries_does_not_grow_with_the_visits(
    page: str, audrey: Any, log: Any, django_assert_max_num_queries: Any
) -> None:
    client = signed(audrey)
    log(*[visit(f"u{n}", f"https://s{n}.example/{n}") for n in range(40)])
    with django_assert_max_num_queries(25):
        assert client.get(page).status_code == 200


# --- Django admin ---------------------------------------------------------------------------------------------
def test_every_list_of_the_admin_opens_and_searches(alice: Any, audrey: Any, some: None) -> None:
    for name in ("site", "visit", "hourcount", "minutecount", "secondcount", "daycount", "visittotal"):
        assert signed(alice).get(f"/admin/traffic/{name}/").status_code == 200
    for term in ("example.org", "u2", "2026-01-31", "\x00", "9999-12-31"):
        assert signed(audrey).get("/admin/traffic/visit/", {"q": term}).status_code == 200
    one = Visit.objects.first()
    assert one is not None
    assert "203.0.113.9" in signed(alice).get(f"/admin/traffic/visit/{one.pk}/change/").content.decode()
    assert "203.0.113.9" not in signed(audrey).get(f"/admin/traffic/visit/{one.pk}/change/").content.decode()


def test_an_administrator_adds_names_and_removes_sites_and_the_trail_knows(alice: Any, audrey: Any) -> None:
    admin = signed(alice)
    added = admin.post("/admin/traffic/site/add/", {"host": "New.Example.org", "name": "New"})
    assert added.status_code == 302
    site = Site.objects.get()
    assert (site.host, site.name, site.first_seen) == ("new.example.org", "New", None)
    admin.post(f"/admin/traffic/site/{site.pk}/change/", {"name": "Newer", "host": "evil.org"})
    site.refresh_from_db()
    assert (site.host, site.name) == ("new.example.org", "Newer")
    assert signed(audrey).post(f"/admin/traffic/site/{site.pk}/change/", {"name": "x"}).status_code == 403
    admin.post(f"/admin/traffic/site/{site.pk}/delete/", {"post": "yes"})
    assert not Site.objects.exists()
    actions = (
        Entry.objects.filter(domain="traffic")
        .order_by("sequence")
        .values_list("action", "user_id", "source_admin")
    )
    assert list(actions) == [(a, None, "alice") for a in ("register_site", "rename_site", "delete_site")]


@pytest.mark.parametrize("host", ["", "a b", "https://x.org", "x.org/a", "999.1.1.1"])
def test_what_is_no_host_is_no_site(alice: Any, host: str) -> None:
    answer = signed(alice).post("/admin/traffic/site/add/", {"host": host, "name": ""})
    assert answer.status_code == 200
    assert not Site.objects.exists()


def test_a_visited_site_is_not_deleted(alice: Any, some: None) -> None:
    site = Site.objects.get(host="example.org")
    assert signed(alice).post(f"/admin/traffic/site/{site.pk}/delete/", {"post": "yes"}).status_code == 403


def test_sites_tell_when_old_visits_were_pruned(audrey: Any, some: None) -> None:
    from activity.callers import Caller
    from traffic import retention

    client = signed(audrey)
    assert "have not been pruned yet" in client.get("/manage/traffic/sites/").content.decode()
    now = timezone.now() + timedelta(days=31)
    retention.prune(now, by=Caller.of_system(), anonymise_after=30, delete_after=395)
    assert "made 5 visits anonymous and deleted 0" in client.get("/manage/traffic/sites/").content.decode()
