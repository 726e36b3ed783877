"""Live lists as the server sends them: a plain list with a link to reload, and where the feed is to go on."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from activity.models import Entry
from identity.models import User
from tests.activity.visits import about, text_of
from tests.factories import EntryFactory

pytestmark = pytest.mark.django_db


def section(response: Any) -> str:
    found = re.search(r"<section[^>]*data-live=.*?</section>", response.content.decode(), re.DOTALL)
    assert found
    return found[0]


def newest() -> int:
    number: int = Entry.objects.order_by("-pk").values_list("pk", flat=True)[0]
    return number


@pytest.mark.parametrize("name", ["home", "activity:overview"])
def test_the_feed_goes_on_from_the_newest_row_in_the_trail(browser: Client, uma: User, name: str) -> None:
    about(uma)
    EntryFactory(user_login="monitoring", details={"synthetic": True})
    response = browser.get(reverse(name))
    assert f'data-after="{newest()}"' in section(response)
    assert 'data-live="/ws/activity/"' in section(response)


@pytest.mark.parametrize("name", ["home", "activity:overview"])
def test_without_script_the_rows_are_there_with_a_link_to_load_them_again(
    browser: Client, uma: User, name: str
) -> None:
    row = about(uma, provider_name="Papers")
    shown = section(browser.get(reverse(name), {"range": "7d"}))
    assert f'href="{reverse("activity:entry", args=[row.pk])}"' in shown
    assert f'<a class="without-script" href="{reverse(name)}?range=7d">Reload</a>' in shown
    assert shown.count("needs-script") == 3


def test_the_tail_shows_the_rows_written_last_whatever_time_they_name(browser: Client, uma: User) -> None:
    EntryFactory.create_batch(12)
    late = about(uma, timestamp=timezone.now() - timedelta(days=3))
    monitoring = EntryFactory(user_login="monitoring", details={"synthetic": True})
    tail = browser.get(reverse("activity:overview")).context["tail"]
    assert [row.pk for row in tail[:2]] == [monitoring.pk, late.pk]
    assert len(tail) == 10


def test_home_leaves_monitoring_out_before_and_after_it_goes_live(browser: Client, uma: User) -> None:
    EntryFactory(user_login="monitoring", details={"synthetic": True})
    about(uma)
    shown = section(browser.get("/"))
    assert "data-known-only" in shown
    assert "monitoring" not in shown
    assert "data-known-only" not in section(browser.get(reverse("activity:overview")))


def test_a_name_from_the_trail_is_text_not_markup(browser: Client) -> None:
    EntryFactory(user_login="<b>bold</b>", provider_name="<script>x</script>")
    shown = section(browser.get(reverse("activity:overview")))
    assert "<b>" not in shown
    assert "<script>" not in shown


def test_an_empty_trail_says_what_would_appear(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activity.queries.pages.newest_rows", lambda: [])
    response = browser.get(reverse("activity:overview"))
    assert 'class="live-empty">' in section(response)
    assert 'data-after="0"' in section(response)
    assert "manage.py seed" in text_of(response)
