"""The kiosk and the own code in a real browser: a camera that sees a code, a pasted one, no camera, no network."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import segno

from punch import services
from punch.models import Punch
from tests.factories import PASSWORD
from tests.punch.conftest import SYSTEM, booth, code, phone

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PATHS = (os.environ.get("CHROMIUM", ""), "/usr/bin/chromium", "/usr/bin/chromium-browser")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
WIDTH, HEIGHT = 640, 640


@pytest.fixture
def browser_with() -> Iterator[Callable[..., Any]]:
    """Starts Chromium with these switches; without one the tests are skipped aloud, and fail where CI=true."""
    path = next((path for path in PATHS if path and shutil.which(path)), None)
    if path is None:
        message = "no Chromium (set CHROMIUM): the kiosk was not tried in a browser"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright keeps an event loop in this thread
    with playwright_api.sync_playwright() as playwright:
        started = []

        def start(*switches: str) -> Any:
            started.append(playwright.chromium.launch(executable_path=path, args=[*QUIET, *switches]))
            return started[-1]

        yield start
        for browser in started:
            browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def film_of(text: str, path: Path) -> Path:
    """A film in which a camera sees this text as a QR code, somewhat grey and off the middle."""
    rows = list(segno.make_qr(text, error="l", boost_error=False).matrix_iter(scale=5, border=4))
    grey = bytearray([150]) * (WIDTH * HEIGHT)
    left, top = (WIDTH - len(rows[0])) // 2 + 8, (HEIGHT - len(rows)) // 2 - 6
    for y, row in enumerate(rows):
        start = (top + y) * WIDTH + left
        grey[start : start + len(row)] = bytes(40 if dark else 225 for dark in row)
    frame = b"FRAME\n" + bytes(grey) + b"\x80" * (WIDTH * HEIGHT // 2)
    path.write_bytes(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420\n".encode() + frame * 3)
    return path


@pytest.fixture
def long_life(settings) -> None:
    """Browsers start slowly where everything is tested at once."""
    settings.EPHEMERAL_TOKEN_EXPIRE_SECONDS = 300


class Screen:
    """One page and everything that went wrong or out in it."""

    def __init__(self, browser: Any, origin: str, **options: Any) -> None:
        self.context = browser.new_context(base_url=origin, reduced_motion="reduce", **options)
        self.context.set_default_timeout(30_000)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("request", lambda request: self._asked(request.url, origin))

    def _asked(self, url: str, origin: str) -> None:
        if not url.startswith((origin, "data:", "about:", "blob:")):
            self.foreign.append(url)

    def set_up(self, key: str) -> None:
        self.page.goto("/kiosk/")
        self.page.fill("#key", key)
        self.page.click("#setup-form button")
        self.page.wait_for_selector("#ready:not([hidden])")


def test_a_code_before_the_camera_makes_one_punch(
    browser_with, live_server, tmp_path, long_life, uma
) -> None:
    door = booth()
    film = film_of(code(phone(uma)), tmp_path / "code.y4m")
    browser = browser_with(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    )
    screen = Screen(browser, live_server.url)
    screen.set_up(door.key)
    screen.page.wait_for_selector("#result[data-kind=ok]:not([hidden])")
    assert "Uma N." in screen.page.inner_text("#result")
    screen.page.wait_for_selector("#result", state="hidden")
    screen.page.wait_for_timeout(1500)
    assert screen.page.inner_text("#result-name") == ""
    assert Punch.objects.count() == 1, "the same code before the camera is not sent again"
    assert screen.complaints == []
    assert screen.foreign == []


def test_the_set_up_code_before_the_camera_gives_the_kiosk_its_key(
    browser_with, live_server, tmp_path
) -> None:
    from punch import setup

    door = booth()
    film = film_of(setup.code_text(door.kiosk, door.key, live_server.url), tmp_path / "setup.y4m")
    browser = browser_with(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    )
    screen = Screen(browser, live_server.url)
    screen.page.goto("/kiosk/")
    screen.page.wait_for_selector("#ready:not([hidden])")
    assert screen.page.evaluate("localStorage.kioskApiKey") == door.key
    assert screen.page.evaluate("localStorage.kioskId") == str(door.kiosk.pk)


def test_without_a_camera_a_pasted_code_works_and_refusals_are_shown_as_sent(
    browser_with, live_server, long_life, uma
) -> None:
    door, text = booth(), code(phone(uma))
    screen = Screen(browser_with(), live_server.url)
    screen.set_up(door.key)
    page = screen.page
    page.wait_for_function(
        "() => document.getElementById('camera-words').textContent.includes('field below')"
    )
    page.click("#toggle button[value=clock_out]")
    page.fill("#text", text)
    page.press("#text", "Enter")
    page.wait_for_selector("#result[data-kind=ok]:not([hidden])")
    assert Punch.objects.get().punch_type == "clock_out"
    page.wait_for_selector("#result", state="hidden")
    page.fill("#text", text)
    page.press("#text", "Enter")
    page.wait_for_selector("#result[data-kind=bad]:not([hidden])")
    assert "Token has already been used (replay attack detected)" in page.inner_text("#result")
    assert page.evaluate("localStorage.punchType") == "clock_out"


def test_a_gate_in_mode_auto_has_no_switch(browser_with, live_server) -> None:
    screen = Screen(browser_with(), live_server.url)
    screen.set_up(booth("Gate", punch_mode="auto").key)
    assert screen.page.is_hidden("[data-testid=kiosk-mode-toggle]")


def test_without_a_network_the_kiosk_says_so_within_three_seconds_and_comes_back(
    browser_with, live_server
) -> None:
    screen = Screen(browser_with(), live_server.url)
    screen.set_up(booth().key)
    badge = "[data-testid=connection-status]"
    screen.page.wait_for_selector(f"{badge}[data-state=online]")
    screen.context.set_offline(True)
    screen.page.wait_for_selector(f"{badge}[data-state=offline]", timeout=3000)
    assert screen.page.inner_text(badge) == "Offline"
    assert screen.page.is_disabled("#text")
    screen.context.set_offline(False)
    screen.page.wait_for_selector(f"{badge}[data-state=online]", timeout=5000)


def test_no_answer_in_time_is_called_unknown_and_the_kiosk_goes_on(browser_with, live_server) -> None:
    screen = Screen(browser_with(), live_server.url)
    screen.set_up(booth().key)
    screen.page.route("**/punch/validate", lambda route: route.abort("timedout"))
    screen.page.fill("#text", "anything")
    screen.page.press("#text", "Enter")
    screen.page.wait_for_selector("#result[data-kind=unknown]:not([hidden])")
    assert "history" in screen.page.inner_text("#result")
    screen.page.wait_for_selector("#result", state="hidden")
    assert screen.page.is_enabled("#text")


def test_a_key_that_ended_leads_back_to_the_set_up_and_forgetting_asks_first(
    browser_with, live_server
) -> None:
    door = booth()
    screen = Screen(browser_with(), live_server.url)
    screen.set_up(door.key)
    screen.page.click("#forget")
    screen.page.click("#sure button[value=no]")
    assert screen.page.evaluate("localStorage.kioskApiKey") == door.key
    services.generate_key(door.kiosk.pk, by=SYSTEM)
    screen.page.reload()
    screen.page.wait_for_selector("#setup:not([hidden])")
    assert "Invalid API key" in screen.page.inner_text("#setup-problem")
    screen.page.fill("#key", "wrong")
    screen.page.click("#setup-form button")
    screen.page.wait_for_function(
        "() => document.getElementById('setup-problem').textContent.includes('not accepted')"
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_ones_own_code_is_shown_renewed_and_hidden_and_fits_a_small_phone(
    browser_with, live_server, settings, uma, theme
) -> None:
    settings.EPHEMERAL_TOKEN_EXPIRE_SECONDS = 5
    screen = Screen(
        browser_with(), live_server.url, color_scheme=theme, viewport={"width": 320, "height": 640}
    )
    page = screen.page
    page.goto("/accounts/login/?next=/me/punch")
    page.fill("[name=username]", "uma")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.click("text=Make this browser my device")
    page.wait_for_selector("#code svg")
    first = page.inner_html("#code")
    box = page.locator("#code svg").bounding_box()
    assert min(box["width"], box["height"]) >= 280
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    colour = page.evaluate("getComputedStyle(document.getElementById('code')).backgroundColor")
    assert colour == "rgb(255, 255, 255)"
    page.wait_for_function("html => document.getElementById('code').innerHTML !== html", arg=first)
    screen.context.set_offline(True)
    page.wait_for_function("() => !document.querySelector('#code svg')")
    assert re.search("No connection|One moment", page.inner_text("#code"))
    assert screen.foreign == []
