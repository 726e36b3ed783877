"""What people do with the pages, tried in a browser."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from activity.models import Entry
from identity.models import User

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
PAGES = {
    "home": "/",
    "overview": "/manage/activity/",
    "log": "/manage/activity/log/?result=fail",
    "people": "/manage/activity/people/",
    "providers": "/manage/activity/providers/",
    "integrity": "/manage/activity/integrity/",
    "login": "/accounts/login/",
    "missing row": "/manage/activity/log/0/",
}
WITH_CHARTS, WITHOUT = 500_000, 300_000

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Signed = Callable[..., Any]


def everything(person: User) -> dict[str, str]:
    row = Entry.objects.filter(result="fail").latest("sequence")
    return {
        **PAGES,
        "row": f"/manage/activity/log/{row.pk}/",
        "card": f"/manage/activity/people/{person.uuid}/",
    }


def test_an_auditor_signs_in_and_finds_the_refused_access_in_the_log_book(
    signed: Signed, lively: User
) -> None:
    page = signed().page
    page.get_by_role("link", name="Log book", exact=True).first.click()
    page.get_by_role("combobox", name="Person").fill("uma")
    page.get_by_role("combobox", name="Result").select_option("fail")
    page.get_by_role("button", name="Apply filters").click()
    assert page.get_by_role("heading", level=1).inner_text().endswith("1 row in the last 24 hours")
    assert page.url.endswith("/log/?range=24h&user_login=uma&result=fail")  # nothing empty, nothing usual
    page.get_by_role("link", name="Remove Result fail").click()
    assert "10 rows" in page.get_by_role("heading", level=1).inner_text()


def test_the_number_behind_a_bar_is_read_from_its_table_and_opens_the_list(
    signed: Signed, lively: User
) -> None:
    page = signed().page
    page.goto("/manage/activity/")
    figure = page.locator("figure", has_text="What people open")
    assert figure.locator("canvas").is_visible()
    figure.get_by_role("button", name="Table").click()
    row = figure.get_by_role("row", name="Papers")
    assert row.get_by_role("cell").all_inner_texts() == ["6", "1"]
    row.get_by_role("link", name="6").click()
    assert "6 rows" in page.get_by_role("heading", level=1).inner_text()


def test_a_chart_is_walked_by_keys_and_enter_opens_the_list(signed: Signed, lively: User) -> None:
    page = signed().page
    page.goto("/manage/activity/")
    figure = page.locator("figure", has_text="Why it failed")
    figure.locator("canvas").focus()
    page.keyboard.press("ArrowDown")
    assert figure.locator("output").inner_text() == "permission_denied: Failures 1"
    page.keyboard.press("Enter")
    page.wait_for_url("**/log/**")
    assert "1 row" in page.get_by_role("heading", level=1).inner_text()


def test_a_row_opens_beside_the_list_and_the_keys_go_on_to_the_next(signed: Signed, lively: User) -> None:
    page = signed().page
    page.goto("/manage/activity/log/?user_login=uma")
    first = page.locator("a[data-drawer]").first
    first.click()
    drawer = page.locator("dialog.drawer[open]")
    heading = drawer.locator("article dd .id span").last
    before = heading.inner_text()
    page.keyboard.press("j")
    page.wait_for_function(
        "before => document.querySelector('dialog.drawer')?.innerText.includes(before) === false", arg=before
    )
    page.keyboard.press("Escape")
    assert not drawer.is_visible()
    assert page.evaluate("document.activeElement.matches('a[data-drawer]')")


def test_slash_goes_to_the_search_field_and_question_mark_lists_the_keys(signed: Signed) -> None:
    page = signed().page
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.matches('[data-search]')")
    page.keyboard.type("no?body")
    page.locator("body").click(position={"x": 700, "y": 500})
    page.keyboard.press("?")
    assert page.get_by_role("heading", name="Keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("heading", name="Keys").is_visible()


def test_the_first_tab_stop_skips_to_the_content(signed: Signed) -> None:
    page = signed().page
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_the_chosen_theme_is_there_before_the_first_paint_of_the_next_page(signed: Signed) -> None:
    page = signed(theme="light").page
    switch = page.locator("[data-theme-switch]")
    switch.click()
    switch.click()
    assert switch.get_attribute("aria-label") == "Theme: dark"
    page.goto("/manage/activity/log/", wait_until="commit")
    page.wait_for_selector("body", state="attached")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_without_scripts_lists_filters_and_the_tables_of_charts_work(signed: Signed, lively: User) -> None:
    page = signed(scripts=False).page
    page.goto("/manage/activity/")
    assert page.locator("figure table").first.is_visible()
    assert not page.locator("button.toggle-table").first.is_visible()
    page.goto("/manage/activity/log/")
    page.get_by_role("combobox", name="Person").fill("uma")
    page.get_by_role("button", name="Apply filters").click()
    assert "10 rows" in page.get_by_role("heading", level=1).inner_text()
    page.locator("a[data-drawer]").first.click()
    assert page.get_by_role("heading", level=1).inner_text().startswith("Log book")


def test_on_a_phone_the_menu_opens_and_leads_on(signed: Signed) -> None:
    page = signed(width=390).page
    link = page.get_by_role("link", name="Providers", exact=True)
    assert not link.is_visible()
    page.get_by_role("button", name="Menu").click()
    link.click()
    assert page.url.endswith("/manage/activity/providers/")


def test_at_320_pixels_no_page_is_wider_than_the_screen(signed: Signed, lively: User) -> None:
    page = signed(width=320).page
    for name, path in everything(lively).items():
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, name


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(signed: Signed, lively: User, theme: str) -> None:
    page = signed(theme=theme).page
    found = {}
    for name, path in everything(lively).items():
        page.goto(path)
        page.evaluate(AXE)
        report = page.evaluate("axe.run()")
        found[name] = [
            f"{problem['id']}: {node['html'][:120]}"
            for problem in report["violations"]
            for node in problem["nodes"]
        ]
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_pages_are_silent_light_and_ask_no_other_origin(signed: Signed, lively: User) -> None:
    visit = signed()
    heavy = {}
    for name, path in everything(lively).items():
        if name == "missing row":  # the browser itself reports a 404
            continue
        visit.weight = 0
        visit.page.goto(path)
        visit.page.wait_for_load_state("networkidle")
        if visit.weight > (WITH_CHARTS if name == "overview" else WITHOUT):
            heavy[name] = visit.weight
    assert not heavy
    assert not visit.complaints
    assert not visit.foreign


def test_times_become_local_and_keep_utc_on_hover(signed: Signed, lively: User) -> None:
    page = signed().page
    page.goto("/manage/activity/log/")
    time = page.locator("td time").first
    assert re.fullmatch(r"\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC", time.get_attribute("title") or "")
    assert re.fullmatch(r"(\w{3} )?\d\d:\d\d:\d\d", time.inner_text())
