"""Lists that go on by themselves, before the real server: rows appear, wait while one reads, and none is lost."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.activity.test_feed_served import MAKE_PEOPLE, PASSWORD, token, write
from tests.test_serve import Served, machine, manage

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = machine(tmp_path_factory.mktemp("live"))
    made = manage(folder, "shell", "--no-imports", "-c", MAKE_PEOPLE)
    assert made.returncode == 0, made.stderr
    running = Served(folder, processes=1)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def admin(server: Served) -> str:
    return token(server, "alice")


class Reader:
    """Audrey's window before a live list, and what the browser complained about."""

    def __init__(self, context: Any, server: Served, path: str) -> None:
        self.complaints: list[str] = []
        self.context, self.page = context, context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.goto("/accounts/login/?next=" + path)
        self.page.get_by_label("Login").fill("audrey")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.state("Live")
        self.page.evaluate("window.stayed = true")
        self.page.mouse.move(2, 2)

    def state(self, words: str) -> None:
        self.page.locator(".live-state", has_text=words).wait_for()

    def shows(self, text: str, seconds: float = 5) -> None:
        self.page.locator(".live-list", has_text=text).wait_for(timeout=seconds * 1000)

    def texts(self) -> str:
        found: str = self.page.locator(".live-list").inner_text()
        return found

    def not_reloaded(self) -> bool:
        return bool(self.page.evaluate("window.stayed === true"))


@pytest.fixture
def reader(chromium: Any, server: Served) -> Iterator[Callable[..., Reader]]:
    contexts = []

    def open_one(path: str, wire: "Wire | None" = None) -> Reader:
        base = f"http://127.0.0.1:{server.port}"
        context = chromium.new_context(
            base_url=base, viewport={"width": 1280, "height": 1600}, reduced_motion="reduce"
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        if wire is not None:
            context.route_web_socket("**/ws/**", wire.opened)
        return Reader(context, server, path)

    yield open_one
    for context in contexts:
        context.close()


@pytest.mark.parametrize("path", ["/", "/manage/activity/"])
def test_two_rows_appear_on_top_without_a_reload(
    reader: Callable[..., Reader], server: Served, admin: str, path: str
) -> None:
    window = reader(path)
    mark = "home" if path == "/" else "tail"
    write(server, admin, [f"{mark} first"])
    window.shows(f"{mark} first")
    write(server, admin, [f"{mark} second"])
    window.shows(f"{mark} second")
    text = window.texts()
    assert text.index(f"{mark} second") < text.index(f"{mark} first")
    assert window.page.locator(".live-list [data-fresh]").count() >= 1
    assert window.not_reloaded()
    assert not window.complaints
    link = window.page.locator(".live-list a").first
    link.click()
    assert "create_provider" in window.page.locator("[data-entry]").inner_text()


def test_what_a_row_says_is_shown_as_text_never_as_markup(
    reader: Callable[..., Reader], server: Served, admin: str
) -> None:
    window = reader("/manage/activity/")
    write(server, admin, ["<img src=x onerror=alert(1)>"])
    window.shows("<img src=x onerror=alert(1)>")
    assert window.page.locator(".live-list img").count() == 0
    assert not window.complaints


def test_a_paused_list_counts_what_waits_and_shows_it_when_asked(
    reader: Callable[..., Reader], server: Served, admin: str
) -> None:
    window = reader("/manage/activity/")
    window.page.get_by_role("button", name="Pause").click()
    window.state("Paused")
    write(server, admin, ["waiting one", "waiting two"])
    button = window.page.get_by_role("button", name="2 new rows")
    button.wait_for()
    assert "waiting" not in window.texts()
    button.click()
    window.shows("waiting two")
    window.page.get_by_role("button", name="Resume").click()
    window.state("Live")
    write(server, admin, ["after the pause"])
    window.shows("after the pause")


def test_the_list_rests_under_the_pointer_and_goes_on_when_it_leaves(
    reader: Callable[..., Reader], server: Served, admin: str
) -> None:
    window = reader("/manage/activity/")
    window.page.locator(".live-list").hover()
    window.state("Paused while you read")
    write(server, admin, ["under the pointer"])
    window.page.get_by_role("button", name="1 new row").wait_for()
    assert "under the pointer" not in window.texts()
    window.page.mouse.move(2, 2)
    window.shows("under the pointer")
    window.state("Live")


class Wire:
    """The connection between page and server, which the test can cut."""

    def __init__(self) -> None:
        self.cut = False
        self.sockets: list[Any] = []

    def opened(self, socket: Any) -> None:
        if self.cut:
            socket.close(code=1012)
        else:
            socket.connect_to_server()
            self.sockets.append(socket)

    def tear(self) -> None:
        self.cut = True
        self.sockets[-1].close(code=1012)


def test_what_happened_while_the_window_was_cut_off_is_shown_once_when_it_is_back(
    reader: Callable[..., Reader], server: Served, admin: str
) -> None:
    wire = Wire()
    window = reader("/manage/activity/", wire)
    write(server, admin, ["before the cut"])
    window.shows("before the cut")
    wire.tear()
    window.page.locator(".live-state", has_text="Last update").wait_for()
    assert window.page.locator(".live-state").inner_text().endswith(", retrying")
    write(server, admin, ["while away"])
    wire.cut = False
    window.shows("while away", 15)
    window.state("Live")
    assert window.texts().count("while away") == window.texts().count("before the cut") == 1


def test_signing_out_in_another_tab_is_said_and_nothing_is_tried_again(
    reader: Callable[..., Reader], server: Served
) -> None:
    wire = Wire()
    window = reader("/manage/activity/", wire)
    tab = window.context.new_page()
    tab.goto("/manage/activity/providers/")
    tab.get_by_role("button", name="Sign out").click()
    window.state("You are signed out")
    window.page.wait_for_timeout(2_000)
    assert len(wire.sockets) == 1
