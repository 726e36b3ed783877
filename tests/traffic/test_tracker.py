import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from traffic.models import Visit
from traffic.tracker import SOURCE, script


def test_the_script_is_small_public_and_remembered_by_caches(client: Any) -> None:
    answer = client.get("/tracker.js")
    assert answer["Content-Type"].startswith("text/javascript")
    assert answer["Cache-Control"] == "public, max-age=86400"
    assert answer["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert len(gzip.compress(answer.content, 9)) < 1024
    assert client.get("/tracker.js", HTTP_IF_NONE_MATCH=answer["ETag"]).status_code == 304
    assert not answer.cookies


def test_the_script_is_its_source_without_comments() -> None:
    assert "//" in SOURCE.read_text()
    assert not any(line.startswith(("//", " ")) for line in script().splitlines())


class Site(BaseHTTPRequestHandler):
    """A web page of somebody else that includes the tracker."""

    tracker = ""
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        page = (
            f"<!doctype html><link rel=icon href=data:,><script defer src='{self.tracker}'></script><p>Hello"
        )
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        origin = self.tracker.removesuffix("/tracker.js")
        self.send_header(
            "Content-Security-Policy",
            f"default-src 'none'; script-src {origin}; connect-src {origin}; img-src data:",
        )
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def site(live_server: Any) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    Site.tracker = f"{live_server.url}/tracker.js"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def browse(chromium: Any, steps: Any, before: str = "") -> tuple[list[Any], list[str], Any]:
    """Visit pages in a fresh window: requests to the tracker's origin, console messages, what is stored."""
    context = chromium.new_context()
    page = context.new_page()
    if before:
        page.add_init_script(before)
    requests: list[Any] = []
    said: list[str] = []
    page.on("request", lambda request: requests.append(request))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    steps(page)
    page.wait_for_timeout(500)
    stored = page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]")
    kept = [context.cookies(), stored]
    context.close()
    return requests, said, kept


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_page_on_another_origin_reports_each_view_once_and_leaves_nothing_behind(
    chromium: Any, site: str
) -> None:
    def steps(page: Any) -> None:
        page.goto(f"{site}/first?a=1#part")
        page.evaluate("history.pushState(null, '', '/second#x')")
        page.evaluate("history.pushState(null, '', '/second#y')")
        page.evaluate("history.back()")
        page.wait_for_timeout(200)
        page.evaluate("history.back()")
        page.wait_for_timeout(300)

    requests, said, kept = browse(chromium, steps)
    sent = [r for r in requests if r.url.endswith("/visit")]
    assert {r.method for r in sent} == {"POST"}
    rows = list(Visit.objects.order_by("id").values_list("user_id", "page_url", "referrer"))
    assert rows == [
        ("anon", f"{site}/first?a=1", None),
        ("anon", f"{site}/second", f"{site}/first?a=1"),
        ("anon", f"{site}/first?a=1", f"{site}/second"),
    ]
    assert said == []
    assert kept == [[], ["", 0, 0]]


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("wish", ["navigator.globalPrivacyControl = true", "window.doNotTrack = '1'"])
def test_who_does_not_want_to_be_tracked_is_not(chromium: Any, site: str, wish: str) -> None:
    target, value = wish.split(" = ")
    owner, name = target.split(".")
    script = f"Object.defineProperty({owner}, '{name}', {{ value: {value} }})"
    if owner == "navigator":
        script += "; Object.defineProperty(navigator, 'doNotTrack', { value: null })"
    requests, said, _ = browse(chromium, lambda page: page.goto(f"{site}/"), script)
    assert not [r for r in requests if r.url.endswith("/visit")]
    assert said == []
    assert not Visit.objects.exists()
