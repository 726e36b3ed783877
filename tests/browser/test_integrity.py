"""The integrity page in a browser: a tampered row is shown, by keyboard, in both themes, and on a phone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction

from activity.append_only import unlocked
from activity.models import Entry
from activity.services import seal
from activity.signing import make_key
from identity.models import User

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
PAGE = "/manage/activity/integrity/"
Signed = Callable[..., Any]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def tampered(lively: User) -> int:
    """The number of a sealed row that was changed behind the application's back."""
    make_key(Path(settings.TRAIL_SIGNING_KEY_PATH))
    seal()
    row = Entry.objects.filter(user_login="uma", result="fail").latest("pk")
    with transaction.atomic(), unlocked():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        Entry.objects.filter(pk=row.pk).update(result="success", reason=None)
    return row.pk


def problems(page: Any) -> list[str]:
    page.evaluate(AXE)
    found = page.evaluate("axe.run()")["violations"]
    return [f"{each['id']}: {node['html'][:120]}" for each in found for node in each["nodes"]]


def test_a_tampered_row_is_named_and_leads_to_what_it_says_now(signed: Signed, tampered: int) -> None:
    visit = signed()
    page = visit.page
    page.get_by_role("link", name="Integrity").click()
    page.get_by_role("button", name="Verify now").focus()
    page.keyboard.press("Enter")
    heading = page.get_by_role("heading", level=1, name="1 problem found")
    heading.wait_for()
    row = page.get_by_role("group", name="Problems").get_by_role("row").last
    assert row.get_by_role("rowheader").inner_text() == str(tampered)
    assert row.get_by_role("cell").all_inner_texts()[1:] == ["altered", "This row is not as it was sealed."]
    row.get_by_role("link").click()
    page.wait_for_url(f"**/log/{tampered}/")
    assert not visit.complaints
    assert not visit.foreign


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_before_or_after_a_check(signed: Signed, tampered: int, theme: str) -> None:
    page = signed(theme=theme).page
    page.goto(PAGE)
    before = problems(page)
    page.get_by_role("button", name="Verify now").click()
    page.get_by_role("group", name="Problems").wait_for()
    assert before + problems(page) == []


def test_at_320_pixels_and_without_scripts_a_check_works(signed: Signed, tampered: int) -> None:
    page = signed(width=320, scripts=False).page
    page.goto(PAGE)
    page.get_by_role("button", name="Verify now").click()
    page.get_by_role("group", name="Problems").wait_for()


def test_at_320_pixels_the_page_is_not_wider_than_the_screen(signed: Signed, tampered: int) -> None:
    page = signed(width=320).page
    page.goto(PAGE)
    page.get_by_role("button", name="Verify now").click()
    page.get_by_role("group", name="Problems").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_the_checkpoint_is_downloaded_as_a_file(signed: Signed, tampered: int) -> None:
    page = signed().page
    page.goto(PAGE)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download checkpoint", exact=True).click()
    assert download.value.suggested_filename.startswith("waymark-checkpoint-")
