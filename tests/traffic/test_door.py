"""The door without a server: requests as an ASGI server hands them over."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection

from config.middleware import SecurityHeaders
from traffic.ingest import Ask
from traffic.ingest import writer as writing
from traffic.ingest.door import MAX_BODY, PATHS, Door
from traffic.models import Visit, VisitTotal

ONE = json.dumps({"user_id": "u1", "page_url": "https://example.org/a"}).encode()
JSON = {"content-type": "application/json", "user-agent": "curl/8.5.0"}
pytestmark = pytest.mark.django_db(transaction=True)


class Answer:
    def __init__(self, messages: list[dict[str, Any]]) -> None:
        self.status = messages[0]["status"]
        self.headers = {k.decode(): v.decode() for k, v in messages[0]["headers"]}
        self.body = messages[1]["body"]

    @property
    def detail(self) -> Any:
        return json.loads(self.body)["detail"]


def request(
    door: Door, body: bytes | list[bytes] = ONE, method: str = "POST", peer: str = "127.0.0.1", **headers: str
) -> Awaitable[Answer | None]:
    """One request, its body in one or several parts; None when nothing was answered."""
    parts = [body] if isinstance(body, bytes) else list(body)
    named = {**JSON, **{k.replace("_", "-"): v for k, v in headers.items()}}
    scope = {
        "type": "http",
        "method": method,
        "path": "/visit",
        "client": (peer, 5000),
        "headers": [(k.encode(), v.encode("latin1")) for k, v in named.items()],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not parts:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def run() -> Answer | None:
        await door(scope, receive, send)
        return Answer(sent) if sent else None

    return run()


def at_the_door(story: Callable[[Door], Awaitable[Any]]) -> Any:
    """Run a story with a door of its own, and close the connection of its writer."""

    async def run() -> Any:
        door = Door()
        try:
            return await story(door)
        finally:
            if door.writer is not None:
                await asyncio.get_running_loop().run_in_executor(
                    door.writer.thread, lambda: connection.close()
                )
                door.writer.task.cancel()
                door.writer.thread.shutdown()

    return asyncio.run(run())


def one(*args: Any, **options: Any) -> Any:
    return at_the_door(lambda door: request(door, *args, **options))


def test_a_visit_is_stored_before_it_is_answered() -> None:
    answer = one()
    assert answer.status == 200
    message = "Visit logged successfully. Total visits: 1"
    assert json.loads(answer.body) == {"success": True, "visit_count": 1, "message": message}
    assert Visit.objects.get().user_agent == "curl/8.5.0"


def test_requests_that_come_together_share_transactions_and_no_number() -> None:
    async def story(door: Door) -> list[Any]:
        return await asyncio.gather(*(request(door) for _ in range(700)))

    answers = at_the_door(story)
    assert sorted(json.loads(a.body)["visit_count"] for a in answers) == list(range(1, 701))
    assert VisitTotal.objects.get().total == Visit.objects.count() == 700
    assert Visit.objects.values("received_at").distinct().count() < 20


def test_every_answer_carries_the_headers_of_the_site() -> None:
    for answer in (one(), one(b"{}"), one(method="GET"), one(b"", method="OPTIONS")):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["content-security-policy"] == SecurityHeaders.base
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert len(answer.headers["x-request-id"]) == 32
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(("asked", "kept"), [("abc-123", True), ("bad id", False), ("x" * 65, False)])
def test_a_sane_request_id_is_kept(asked: str, kept: bool) -> None:
    assert (one(x_request_id=asked).headers["x-request-id"] == asked) == kept


def test_a_preflight_is_allowed_to_everybody() -> None:
    answer = one(
        b"", method="OPTIONS", origin="https://stranger.example", access_control_request_method="POST"
    )
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert answer.headers["access-control-allow-headers"] == "content-type"
    assert "access-control-allow-credentials" not in answer.headers


def test_refusals_are_those_of_the_dialect() -> None:
    verb = one(method="GET")
    assert (verb.status, verb.detail, verb.headers["allow"]) == (405, "Method Not Allowed", "POST, OPTIONS")
    assert (one(content_type="text/html").status, one(b"{").status) == (415, 422)
    assert one(b"[]").detail[0]["loc"] == ["body"]
    assert not Visit.objects.exists()


def test_a_body_too_large_is_refused_by_its_declared_length_or_as_soon_as_it_shows() -> None:
    declared = one(ONE, content_length=str(MAX_BODY + 1))
    chunked = one([b" " * 10_000, b" " * 10_000, ONE])
    assert [(a.status, a.detail) for a in (declared, chunked)] == [(413, "Request body too large")] * 2


def test_a_body_in_pieces_is_put_together() -> None:
    assert one([ONE[:7], ONE[7:20], ONE[20:]]).status == 200


def test_who_leaves_before_the_end_is_not_answered() -> None:
    assert one([]) is None
    assert not Visit.objects.exists()


def test_forwarded_addresses_count_only_from_trusted_proxies(settings: Any) -> None:
    one(peer="203.0.113.9", x_forwarded_for="192.0.2.1")
    settings.TRUSTED_PROXIES = ["203.0.113.9"]
    one(peer="203.0.113.9", x_forwarded_for="192.0.2.1, 198.51.100.3")
    one(peer="203.0.113.9", x_forwarded_for="broken")
    addresses = list(Visit.objects.order_by("id").values_list("ip_address", flat=True))
    assert addresses == ["203.0.113.9", "198.51.100.3", "203.0.113.9"]


def test_odd_headers_are_cut_and_replaced() -> None:
    assert one(user_agent="caf\xe9 " + "x" * 3000).status == 200
    assert Visit.objects.get().user_agent == ("caf\ufffd " + "x" * 1019)


def test_a_throttled_address_is_told_when_to_come_back_and_then_not_even_asked_about(settings: Any) -> None:
    settings.VISIT_RATE = 2

    async def story(door: Door) -> list[Any]:
        return [await request(door, peer="198.51.100.9") for _ in range(5)]

    answers = at_the_door(story)
    assert [a.status for a in answers] == [200, 200, 429, 429, 429]
    assert all(1 <= int(a.headers["retry-after"]) <= 60 for a in answers[2:])
    assert Visit.objects.count() == 2


def test_when_too_many_wait_the_next_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MOST_WAITING", 3)

    async def story(door: Door) -> list[Any]:
        return await asyncio.gather(*(request(door) for _ in range(8)))

    answers = at_the_door(story)
    refused = [a for a in answers if a.status == 503]
    assert len(refused) == 5
    assert {(a.detail, a.headers["retry-after"]) for a in refused} == {
        ("Visits cannot be stored right now.", "1")
    }
    assert Visit.objects.count() == 3


def test_a_database_that_refuses_is_said_and_when_it_is_back_all_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(door: Door) -> list[Any]:
        first = await request(door)
        with monkeypatch.context() as broken:
            broken.setattr("traffic.ingest.ledger.quota.over", _refusing)
            second = await request(door)
        return [first, second, await request(door)]

    answers = at_the_door(story)
    assert [a.status for a in answers] == [200, 503, 200]
    assert answers[1].headers["retry-after"] == "1"
    assert Visit.objects.count() == VisitTotal.objects.get().total == 2


def _refusing(*_: Any) -> Any:
    raise DatabaseError("no")


def test_a_defect_is_a_500_that_leaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(*_: Any) -> Any:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("traffic.ingest.door.read_visit", defect)
    answer = one()
    assert (answer.status, answer.body) == (500, b'{"detail":"Internal Server Error"}')


def test_who_hangs_up_while_waiting_disturbs_nobody() -> None:
    async def story(door: Door) -> Any:
        leaving = asyncio.ensure_future(request(door))  # type: ignore[arg-type]
        staying = asyncio.ensure_future(request(door))  # type: ignore[arg-type]
        while door.writer is None or door.writer.visits < 2:
            await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert at_the_door(story).status == 200
    assert VisitTotal.objects.get().total == Visit.objects.count() == 2


def test_one_large_ask_is_a_batch_of_its_own() -> None:
    from tests.traffic.conftest import visit

    async def story(door: Door) -> Any:
        door.writer = writing.Writer()
        asks = [Ask([visit()] * 400), Ask([visit()] * 1000), Ask([visit()])]
        return await asyncio.gather(*(door.writer.put(ask) for ask in asks))

    assert at_the_door(story) == [400, 1400, 1401]


def test_both_spellings_lead_here() -> None:
    assert {"/visit", "/visit/"} == PATHS
