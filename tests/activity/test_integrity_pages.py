"""The integrity page: how far the trail is sealed, a check of it, and the files that outsiders need."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from activity import sealing
from activity.append_only import unlocked
from activity.models import Entry, Segment
from activity.queries import seals, verifying
from activity.services import seal
from activity.services import sealing as sealing_service
from activity.views import seals as page
from identity.models import User
from tests.activity.visits import text_of
from tests.factories import EntryFactory

Visitor = Callable[[User], Client]
PAGE = "/manage/activity/integrity/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ten rows in three segments; their numbers."""
    monkeypatch.setattr(sealing_service, "ROWS_A_SEGMENT", 4)
    EntryFactory.create_batch(10)
    assert seal() == 3
    return list(Entry.objects.order_by("pk").values_list("pk", flat=True))


def tamper(**changes: Any) -> None:
    number = changes.pop("number")
    with transaction.atomic(), unlocked():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        rows = Entry.objects.filter(pk=number)
        rows.update(**changes) if changes else rows.delete()


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}key/", f"{PAGE}checkpoints/1/"])
def test_only_readers_see_the_proof(
    client: Client, visitor: Visitor, uma: User, sealed: list[int], path: str
) -> None:
    stranger = client.get(path, headers={"accept": "text/html"})
    assert stranger.status_code == 302
    assert visitor(uma).get(path).status_code == 403
    assert visitor(uma).post(PAGE).status_code == 403


def test_before_the_first_seal_the_page_says_how_one_comes_about(browser: Client) -> None:
    shown = text_of(browser.get(PAGE))
    assert "Nothing is sealed yet" in shown
    assert "manage.py tick" in shown
    assert "Download checkpoint" not in shown


def test_the_page_says_how_far_the_trail_is_sealed_and_what_waits(browser: Client, sealed: list[int]) -> None:
    EntryFactory.create_batch(2)
    response = browser.get(PAGE)
    last = Segment.objects.latest("number")
    standing = response.context["standing"]
    assert (standing.last, standing.segments) == (last, 3)
    assert standing.unsealed_rows == Entry.objects.filter(pk__gt=last.last_sequence).count() >= 2
    shown = text_of(response)
    assert f"Sealed up to row {last.last_sequence:,}" in shown
    assert last.head in shown
    assert "What this does not prove" in shown


def test_segments_have_pages(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing_service, "ROWS_A_SEGMENT", 1)
    EntryFactory.create_batch(12)
    seal()
    second = browser.get(PAGE, {"page": 2}).context["segments"]
    assert [segment.number for segment in second] == sorted((s.number for s in second), reverse=True)
    assert second[0].number == Segment.objects.count() - 10
    assert "fewer pages" in text_of(browser.get(PAGE, {"page": 99}))


def test_an_intact_trail_is_said_to_be_so(browser: Client, sealed: list[int]) -> None:
    response = browser.post(PAGE)
    assert response.status_code == 200
    shown = text_of(response)
    assert "Every row checked is as it was sealed" in shown
    assert "10 sealed rows in 3 segments checked" in shown
    assert not Entry.objects.filter(action="verify_trail").exists()


def test_an_altered_row_is_named_by_number_and_kind_and_the_finding_is_trailed(
    browser: Client, sealed: list[int], audrey: User
) -> None:
    tamper(number=sealed[5], info="forged")
    response = browser.post(PAGE)
    (finding,) = response.context["findings"]
    assert (finding.problem.sequence, finding.problem.kind, finding.problem.segment) == (
        sealed[5],
        "altered",
        2,
    )
    shown = response.content.decode()
    assert "1 problem found" in text_of(response)
    assert reverse("activity:entry", args=[sealed[5]]) in shown
    found = Entry.objects.get(action="verify_trail")
    assert (found.user_login, found.result) == ("audrey", "fail")


def test_a_deleted_row_is_named_without_a_link_to_nowhere(browser: Client, sealed: list[int]) -> None:
    tamper(number=sealed[2])
    response = browser.post(PAGE)
    assert [(f.problem.sequence, f.kind) for f in response.context["findings"]] == [(sealed[2], "deleted")]
    assert reverse("activity:entry", args=[sealed[2]]) not in response.content.decode()


def test_every_kind_of_problem_that_verifying_names_has_words() -> None:
    code = "".join(Path(module.__file__ or "").read_text() for module in (sealing, verifying))
    calls = r"(?:Problem|_problem)\(\s*\"(\w+)\""
    named = set(re.findall(calls, code))
    assert named == page.KINDS.keys()


def test_a_long_trail_is_checked_in_parts(
    browser: Client, sealed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "ROWS_A_RUN", 4)
    monkeypatch.setattr(verifying, "AT_ONCE", 4)
    first = browser.post(PAGE)
    start = first.context["report"].next_from
    assert start == sealed[4]
    assert "Go on from row" in text_of(first)
    assert "Every row checked" not in text_of(first)
    second = browser.post(PAGE, {"from_sequence": start})
    assert second.context["report"].first_sequence == sealed[4]


@pytest.mark.parametrize("start", ["", "x", "-3", "0", "9" * 30, "²", "\x00"])
def test_a_start_that_is_no_row_never_breaks_the_page(browser: Client, sealed: list[int], start: str) -> None:
    assert browser.post(PAGE, {"from_sequence": start}).status_code == 200


def test_the_eleventh_check_within_a_minute_is_told_to_wait(
    browser: Client, sealed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing_service, "VERIFY_RUNS", [(1, 60)])
    assert browser.post(PAGE).status_code == 200
    second = browser.post(PAGE)
    assert second.status_code == 429
    assert "try again in" in text_of(second)


def test_without_a_key_the_page_says_that_nothing_was_checked(
    browser: Client, sealed: list[int], settings: Any, tmp_path: Path
) -> None:
    settings.DEBUG = False
    settings.TRAIL_SIGNING_KEY_PATH = tmp_path / "none.pem"
    response = browser.post(PAGE)
    assert response.status_code == 503
    assert "Nothing was checked" in text_of(response)
    assert browser.get(f"{PAGE}key/").status_code == 404


def test_the_two_files_are_what_the_command_takes(
    browser: Client, sealed: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = Segment.objects.latest("number")
    answer = browser.get(f"{PAGE}checkpoints/{last.number}/")
    assert answer["Content-Disposition"] == f'attachment; filename="waymark-checkpoint-{last.number}.json"'
    assert json.loads(answer.content) == {"payload": last.payload, "signature": last.signature}
    kept, public = tmp_path / "checkpoint.json", tmp_path / "key.txt"
    kept.write_bytes(answer.content)
    public.write_bytes(browser.get(f"{PAGE}key/").content)
    call_command("verify_trail", checkpoint=kept, public_key=public)
    assert "intact" in capsys.readouterr().out


@pytest.mark.parametrize("number", [0, 99, 10**30])
def test_a_segment_that_is_not_there_is_not_found(browser: Client, number: int) -> None:
    assert browser.get(f"{PAGE}checkpoints/{number}/").status_code == 404


def test_the_number_of_queries_does_not_grow_with_the_segments(
    browser: Client, sealed: list[int], django_assert_max_num_queries: Any
) -> None:
    EntryFactory.create_batch(40)
    seal(timezone.now())
    with django_assert_max_num_queries(8):
        browser.get(PAGE)


# --- Home ----------------------------------------------------------------------------------------------------


def test_home_says_that_a_check_found_problems(browser: Client, sealed: list[int]) -> None:
    assert "not as they were sealed" not in text_of(browser.get("/"))
    tamper(number=sealed[0], info="forged")
    browser.post(PAGE)
    assert "A check of the trail found rows that are not as they were sealed" in text_of(browser.get("/"))


def test_home_says_since_when_rows_wait_for_their_seal(browser: Client) -> None:
    words, now = "Rows of the trail wait for their seal", timezone.now()
    EntryFactory()
    assert words not in text_of(browser.get("/"))
    seal(now - timedelta(hours=2))
    EntryFactory(timestamp=now - timedelta(hours=1))
    assert seals.overdue_since(now) == now - timedelta(hours=1)
    assert words in text_of(browser.get("/"))
    seal(now)
    assert words not in text_of(browser.get("/"))
