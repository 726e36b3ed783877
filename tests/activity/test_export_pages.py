"""The export buttons of the log book: exactly what is listed, or no button."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from identity.models import User
from tests.activity.visits import about, text_of
from tests.factories import EntryFactory

pytestmark = pytest.mark.django_db


def links(response: Any) -> list[str]:
    found = re.findall(r'<a class="button" href="([^"]+)" download>', response.content.decode())
    return [unescape(link) for link in found]


def exported(browser: Client, link: str) -> list[str]:
    answer = browser.get(link, headers={"accept": "*/*"})
    assert answer.status_code == 200
    assert answer["Content-Disposition"].startswith('attachment; filename="waymark-trail-')
    return b"".join(answer.streaming_content).decode().splitlines()


@pytest.mark.parametrize(
    "asked",
    [
        {"user_login": ["uma"]},
        {"user_login": ["uma", "ghost"], "result": "fail"},
        {"source_ip": "203.0.113.0/24", "range": "all"},
        {"start": "2020-01-01", "end": "2999-01-01", "reason": "a+b & c=d"},
    ],
)
def test_an_export_holds_exactly_the_rows_that_are_listed(
    browser: Client, uma: User, asked: dict[str, Any]
) -> None:
    about(uma)
    about(uma, result="fail", reason="a+b & c=d")
    EntryFactory(user_login="ghost", result="fail")
    EntryFactory(source_ip="198.51.100.1")
    shown = browser.get(reverse("activity:log"), asked)
    numbers = {str(row["sequence"]) for row in shown.context["entries"]}
    assert numbers
    as_csv, as_json = links(shown)
    header, *rows = exported(browser, as_csv)
    at = header.split(",").index("sequence")
    assert {row.split(",")[at] for row in rows} == numbers
    assert len(exported(browser, as_json)) == len(numbers)


def test_a_list_of_known_people_only_offers_no_export_that_would_hold_more(
    browser: Client, uma: User
) -> None:
    about(uma)
    shown = browser.get(reverse("activity:log"), {"known": "1"})
    assert not links(shown)
    assert "take the filter of known people away" in text_of(shown)


def test_an_empty_list_offers_no_export(browser: Client) -> None:
    assert not links(browser.get(reverse("activity:log"), {"user_login": "nobody-at-all"}))
