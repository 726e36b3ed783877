import asyncio
from typing import Any

import pytest
from django.db import connection, transaction
from rest_framework.test import APIClient

from activity import feed
from activity.feed import Reader, Row, RowOutbox
from activity.models import Entry
from activity.queries.search import EXTENDED_ROW
from identity.models import User
from identity.services import open_sign_in
from tests.factories import EntryFactory
from tests.sockets import FEED, Peer, aside, bearer, played, write

pytestmark = pytest.mark.usefixtures("sockets")


@pytest.fixture
def token(audrey: User) -> str:
    return open_sign_in(audrey).access


Scene = tuple[dict[str, Any], list[dict[str, Any]], float]


def following(token: str, act: Any, count: int, *, first: dict[str, Any] | None = None) -> Scene:
    """The hello, the rows that an act beside the socket brings, and after how long the last one came."""

    async def scene() -> Scene:
        peer = await Peer(FEED, bearer(token)).open()
        hello = await peer.hears()
        if first is not None:
            await peer.send(first)
            await asyncio.sleep(0.2)
        await aside(act)
        started = asyncio.get_running_loop().time()
        rows = await peer.rows(count)
        seconds = asyncio.get_running_loop().time() - started
        assert await peer.silent(0.3)
        await peer.leave()
        return hello, rows, seconds

    return played(scene)


def test_a_new_row_arrives_as_the_search_shows_it(token: str, audrey: User) -> None:
    hello, rows, seconds = following(
        token, lambda: write(person=audrey, info="été", target=("device", 7), details={"n": 1}), 1
    )
    assert hello["type"] == "hello"
    assert list(rows[0]) == list(EXTENDED_ROW)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    body = {"filter": {"time_range": {"start": "2020-01-01", "end": "2999-01-01"}}, "extended": True}
    assert client.post("/api/v1/audit/", body, format="json").json()["items"][0] == rows[0]
    assert rows[0]["sequence"] > hello["sequence"]
    assert seconds < 2


def test_rows_of_before_do_not_arrive_unless_they_are_asked_for(token: str) -> None:
    old = [write() for _ in range(3)]
    hello, rows, _ = following(token, write, 1)
    assert hello["sequence"] == old[-1]
    assert rows[0]["sequence"] > old[-1]
    _, rows, _ = following(token, write, 4, first={"type": "subscribe", "after": old[0]})
    assert [row["sequence"] for row in rows][:2] == old[1:]
    assert [row["sequence"] for row in rows] == sorted(row["sequence"] for row in rows)


def test_a_filter_applies_to_replayed_and_to_new_rows(token: str) -> None:
    write("access", target=("device", 1))
    kept = write("logout")

    def act() -> None:
        write("access")
        write("logout")

    asked = {"type": "subscribe", "after": 0, "filter": {"action": ["logout"], "domain": None}}
    _, rows, _ = following(token, act, 2, first=asked)
    assert [row["action"] for row in rows] == ["logout", "logout"]
    assert rows[0]["sequence"] == kept


def test_a_burst_comes_in_few_frames(token: str) -> None:
    async def scene() -> list[int]:
        peer = await Peer(FEED, bearer(token)).open()
        await peer.hears()
        await aside(EntryFactory.create_batch, 450)
        sizes = []
        while sum(sizes) < 450:
            frame = await peer.hears()
            sizes.append(len(frame.get("rows", [0])))
            numbers = [row["sequence"] for row in frame.get("rows", [])]
            assert numbers == sorted(numbers)
        await peer.leave()
        return sizes

    sizes = played(scene)
    assert sum(sizes) == 450
    assert max(sizes) <= 200


def test_at_most_twenty_frames_a_second_leave_the_server(token: str) -> None:
    async def scene() -> int:
        peer = await Peer(FEED, bearer(token)).open()
        await peer.hears()
        writing = asyncio.create_task(aside(lambda: [write() for _ in range(300)]))  # noqa: RUF006 - awaited below
        frames, until = 0, asyncio.get_running_loop().time() + 1
        while (rest := until - asyncio.get_running_loop().time()) > 0:
            if not await peer.silent(min(rest, 0.01)):
                await peer.hears()
                frames += 1
        await writing
        await peer.leave()
        return frames

    assert 1 <= played(scene) <= 21


def test_more_than_a_thousand_new_rows_are_named_by_a_gap(token: str) -> None:
    def burst() -> list[int]:
        with transaction.atomic():
            return [entry.pk for entry in EntryFactory.create_batch(1200)]

    async def scene() -> tuple[dict[str, Any], list[int], list[dict[str, Any]], int]:
        peer = await Peer(FEED, bearer(token)).open()
        await peer.hears()
        numbers = await aside(burst)
        gap = await peer.hears()
        after = await aside(write)
        rows = await peer.rows(1)
        await peer.leave()
        return gap, numbers, rows, after

    gap, numbers, rows, after = played(scene)
    assert gap == {"type": "gap", "from": numbers[0], "to": numbers[-1]}
    assert [row["sequence"] for row in rows] == [after]


def test_a_replay_of_more_than_a_thousand_rows_ends_in_a_gap(token: str) -> None:
    with transaction.atomic():
        numbers = [entry.pk for entry in EntryFactory.create_batch(1010)]

    async def scene() -> tuple[list[dict[str, Any]], dict[str, Any]]:
        peer = await Peer(FEED, bearer(token)).open()
        await peer.hears()
        await peer.send({"type": "subscribe", "after": numbers[0] - 1})
        rows = await peer.rows(1000)
        gap = await peer.hears()
        await peer.leave()
        return rows, gap

    rows, gap = played(scene)
    assert [row["sequence"] for row in rows] == numbers[:1000]
    assert gap == {"type": "gap", "from": numbers[1000], "to": numbers[-1]}


def test_coming_back_with_after_misses_nothing(token: str) -> None:
    async def scene() -> list[int]:
        seen: list[int] = []
        peer = await Peer(FEED, bearer(token)).open()
        last = (await peer.hears())["sequence"]
        for _ in range(5):
            writing = asyncio.create_task(aside(lambda: [write() for _ in range(20)]))  # noqa: RUF006 - awaited below
            await peer.send({"type": "subscribe", "after": last})
            seen += [row["sequence"] for row in await peer.rows(7)]
            last = max(seen, default=last)
            await peer.leave()
            await writing
            peer = await Peer(FEED, bearer(token)).open()
            await peer.hears()
        await peer.send({"type": "subscribe", "after": last})
        while len(seen) < 100:
            seen += [row["sequence"] for row in await peer.rows(1)]
        assert await peer.silent(0.3)
        await peer.leave()
        return seen

    seen = played(scene)
    assert seen == list(Entry.objects.order_by("pk").values_list("pk", flat=True))[-100:]


@pytest.mark.postgresql
@pytest.mark.skipif(connection.vendor != "postgresql", reason="one writer at a time on SQLite")
@pytest.mark.parametrize("seconds", [0.3, 1.5])
def test_a_lower_number_that_commits_after_a_higher_one_is_not_lost(token: str, seconds: float) -> None:
    def slow(started: asyncio.Event, loop: asyncio.AbstractEventLoop, wait: asyncio.Event) -> int:
        with transaction.atomic():
            number: int = EntryFactory(info="slow").pk
            loop.call_soon_threadsafe(started.set)
            asyncio.run_coroutine_threadsafe(wait.wait(), loop).result(20)
        return number

    async def scene() -> tuple[list[int], int, int]:
        peer = await Peer(FEED, bearer(token)).open()
        await peer.hears()
        started, wait = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(aside(slow, started, asyncio.get_running_loop(), wait))
        await started.wait()
        high = await aside(write)
        await asyncio.sleep(seconds)
        wait.set()
        rows = await peer.rows(2)
        low = await task
        assert await peer.silent(1)
        await peer.leave()
        return [row["sequence"] for row in rows], low, high

    found, low, high = played(scene)
    assert low < high
    assert found == ([low, high] if seconds < 0.7 else [high, low])


def row(number: int, **values: Any) -> Row:
    return Row({**dict.fromkeys(EXTENDED_ROW), "sequence": number, **values})


def test_rows_that_find_no_room_are_named_by_one_gap_behind_those_that_did() -> None:
    outbox = RowOutbox()
    for number in range(1, feed.WAITING + 4):
        outbox.add(row(number))
    outbox.put("pong")
    assert outbox.take() == "pong"
    frames = [outbox.take() for _ in range(7)]
    assert frames[5] == f'{{"type":"gap","from":{feed.WAITING + 1},"to":{feed.WAITING + 3}}}'
    assert frames[6] is None
    outbox.add(row(2000))
    assert outbox.take() == f'{{"type":"row","row":{row(2000).text}}}'


def test_rows_in_one_frame_ascend_even_if_one_came_late() -> None:
    outbox = RowOutbox()
    for number in (3, 1):
        outbox.add(row(number))
    frame = outbox.take() or ""
    assert frame.index('"sequence":1') < frame.index('"sequence":3')


def test_another_filter_also_holds_for_what_waits() -> None:
    reader = Reader(RowOutbox())
    reader.hand([row(1, action="access"), row(2, action="logout")])
    reader.choose(feed.Filter(action=("logout",)))
    assert [waiting.sequence for waiting in reader.outbox.rows] == [2]


def test_the_follower_stops_with_its_last_reader_and_asks_nothing_any_more(token: str) -> None:
    async def scene() -> bool:
        peer = await Peer(FEED, bearer(token)).open()
        await peer.hears()
        task = feed.follower().task
        assert task is not None
        assert not task.done()
        await peer.leave()
        await asyncio.wait_for(task, 2)
        return task.done()

    assert played(scene)


def test_a_database_that_fails_for_a_moment_loses_no_row(
    token: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, failures = feed.following.rows_after, iter([True, True])

    def shaky(number: int, limit: int) -> list[dict[str, Any]]:
        if armed and next(failures, False):
            raise RuntimeError("the database is away")
        return real(number, limit)

    armed: list[bool] = []
    monkeypatch.setattr(feed.following, "rows_after", shaky)

    def act() -> None:
        armed.append(True)
        write()

    _, rows, _ = following(token, act, 1)
    assert len(rows) == 1
    assert "could not be followed" in caplog.text
