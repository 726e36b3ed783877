"""A real browser before a real server: Debian's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import timezone

from identity.models import User
from tests.factories import EntryFactory, ProviderFactory

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
PATHS = (os.environ.get("CHROMIUM", ""), "/usr/bin/chromium", "/usr/bin/chromium-browser")
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-default-apps", "--disable-sync", "--no-first-run", "--disable-dev-shm-usage"),
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser; without one these tests are skipped aloud, and fail where CI=true."""
    path = next((path for path in PATHS if path and shutil.which(path)), None)
    if path is None:
        message = "no Chromium at /usr/bin/chromium (set CHROMIUM): nothing was tried in a browser"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    # Playwright keeps an event loop in this thread, which Django takes for a reason to refuse the ORM.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class Visit:
    """One browser window and what went wrong or out in it."""

    def __init__(self, page: Any, origin: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self.weight = 0
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._asked(request.url, origin))
        page.on("requestfinished", lambda request: self._loaded(request))

    def _asked(self, url: str, origin: str) -> None:
        if not url.startswith((origin, "data:", "about:")):
            self.foreign.append(url)

    def _loaded(self, request: Any) -> None:
        self.weight += request.sizes()["responseBodySize"]


def _silent_feed(socket: Any) -> None:
    """The test server speaks no WebSocket: lists are told that the feed lives, and nothing more."""
    socket.send('{"type":"hello","sequence":0}')
    socket.on_message(lambda message: socket.send('{"type":"pong"}') if "ping" in message else None)


@pytest.fixture
def window(chromium: Any, live_server: Any) -> Iterator[Callable[..., Visit]]:
    """Opens windows: `window(theme="dark", width=320, scripts=True)`."""
    contexts = []

    def open_one(theme: str = "light", width: int = 1280, scripts: bool = True) -> Visit:
        context = chromium.new_context(
            base_url=live_server.url,
            color_scheme=theme,
            viewport={"width": width, "height": 800},
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        context.set_default_timeout(15_000)
        context.route_web_socket("**/ws/**", _silent_feed)
        contexts.append(context)
        return Visit(context.new_page(), live_server.url)

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture
def signed(window: Callable[..., Visit], audrey: User) -> Callable[..., Visit]:
    """Windows in which Audrey, an auditor, has signed in by the form."""

    def sign(**options: Any) -> Visit:
        visit = window(**options)
        visit.page.goto("/accounts/login/")
        visit.page.get_by_label("Login").fill("audrey")
        visit.page.get_by_label("Password").fill("correct horse battery")
        visit.page.get_by_role("button", name="Sign in").click()
        visit.page.wait_for_url("**/")
        return visit

    return sign


@pytest.fixture
def lively(db: None, uma: User) -> User:
    """Uma's morning: ten sign-ins and accesses at two providers, one of them refused, and a monitoring row."""
    desk = ProviderFactory(type="idp", name="Front Desk", protocol="SAML")
    papers = ProviderFactory(type="sp", name="Papers", protocol="OIDC")
    person = {"user_id": str(uma.uuid), "user_login": "uma"}
    for action, provider, number in (("authentication", desk, 3), ("access", papers, 6)):
        EntryFactory.create_batch(
            number,
            action=action,
            trace_id="e" * 32,
            provider_id=provider.pk,
            provider_name=provider.name,
            provider_type=provider.type,
            provider_protocol=provider.protocol,
            timestamp=timezone.now(),
            **person,
        )
    refused = {"result": "fail", "reason": "permission_denied", "info": "role_missing"}
    EntryFactory(provider_name="Papers", provider_id=papers.pk, **person, **refused)
    EntryFactory(user_login="monitoring", result="fail", reason="unknown_user", details={"synthetic": True})
    return uma
