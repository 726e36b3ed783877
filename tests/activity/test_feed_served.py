"""The live feed over the wire: two processes of the real server on one database."""

import asyncio
import json
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.test_serve import Served, environment, machine, manage

PASSWORD = "a long enough password"
MAKE_PEOPLE = """
from activity.callers import Caller
from identity.services import create_user
for name, role in {"alice": "admin", "audrey": "auditor", "uma": "user"}.items():
    email = name + "@example.org"
    create_user(name, by=Caller.of_system(), email=email, roles=[role], password="a long enough password")
"""
REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9")


def redis_answers() -> bool:
    host, _, port = REDIS.removeprefix("redis://").partition("/")[0].partition(":")
    try:
        socket.create_connection((host, int(port or 6379)), timeout=0.5).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database in which the people are."""
    folder = machine(tmp_path_factory.mktemp("feed"))
    made = manage(folder, "shell", "--no-imports", "-c", MAKE_PEOPLE)
    assert made.returncode == 0, made.stderr
    return folder


def copied(folder: Path, to: Path) -> Path:
    for file in folder.iterdir():
        if file.is_file() and file.suffix != ".log":
            (to / file.name).write_bytes(file.read_bytes())
    return to


@pytest.fixture(scope="module", params=["alone", pytest.param("redis", marks=pytest.mark.redis)])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, prepared: Path
) -> Iterator[Served]:
    if request.param == "redis" and not redis_answers():
        pytest.skip("no Redis answers")
    folder = copied(prepared, tmp_path_factory.mktemp(request.param))
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "redis":
            patch.setattr("tests.test_serve.environment", with_redis)
        running = Served(folder, processes=2)
    yield running
    running.stop()


def with_redis(folder: Path, **changes: str) -> dict[str, str]:
    return {**environment(folder, **changes), "REDIS_URL": REDIS}


def token(server: Served, name: str) -> str:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = f"username={name}@example.org&password={PASSWORD.replace(' ', '+')}"
    answer, content = server.ask("POST", "/auth/token", body=body, headers=form)
    assert answer.status == 200, content
    found: str = json.loads(content)["access_token"]
    return found


def feed(server: Served, access: str) -> Any:
    headers = {"Authorization": f"Bearer {access}"}
    return connect(f"ws://127.0.0.1:{server.port}/ws/activity/", additional_headers=headers)


async def frame(peer: ClientConnection, seconds: float = 5) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await asyncio.wait_for(peer.recv(), seconds))
    return found


async def numbers(peer: ClientConnection, marks: set[str], seconds: float) -> list[str]:
    """The marks of the rows that arrive, until all have or the time is over."""
    found: list[str] = []
    deadline = time.monotonic() + seconds
    while set(found) < marks and time.monotonic() < deadline:
        try:
            got = await frame(peer, max(0.01, deadline - time.monotonic()))
        except TimeoutError:
            break
        assert got["type"] in {"row", "rows"}
        rows = got["rows"] if got["type"] == "rows" else [got["row"]]
        found += [row["provider_name"] for row in rows if row["provider_name"] in marks]
    return found


def write(server: Served, access: str, names: list[str]) -> None:
    """One row for each name, over one connection."""
    headers = {"Authorization": f"Bearer {access}", "Content-Type": "application/json"}
    with closing(server.connection()) as connection:
        for name in names:
            body = json.dumps({"type": "sp", "protocol": "SAML", "name": name})
            connection.request("POST", "/api/v1/providers/", body=body, headers=headers)
            response = connection.getresponse()
            content = response.read()
            assert response.status == 201, content


def test_five_hundred_rows_written_by_two_processes_arrive_once_each_within_two_seconds(
    server: Served,
) -> None:
    admin, reader = token(server, "alice"), token(server, "audrey")
    names = [f"burst {number}" for number in range(500)]

    async def scene() -> tuple[list[list[str]], float]:
        peers = [await feed(server, reader) for _ in range(4)]
        for peer in peers:
            assert (await frame(peer))["type"] == "hello"
        listening = [asyncio.ensure_future(numbers(peer, set(names), 60)) for peer in peers]
        with ThreadPoolExecutor(8) as pool:
            parts = [names[start::8] for start in range(8)]
            loop = asyncio.get_running_loop()
            await asyncio.gather(*[loop.run_in_executor(pool, write, server, admin, part) for part in parts])
        written = time.monotonic()
        found = await asyncio.gather(*listening)
        seconds = time.monotonic() - written
        for peer in peers:
            await peer.close()
        return found, seconds

    found, seconds = asyncio.run(scene())
    for each in found:
        assert sorted(each) == sorted(names)
    assert seconds < 2


def test_coming_back_with_after_misses_none(server: Served) -> None:
    admin, reader = token(server, "alice"), token(server, "audrey")

    async def scene() -> list[str]:
        peer = await feed(server, reader)
        last = (await frame(peer))["sequence"]
        found: list[str] = []
        for turn in range(5):
            names = [f"turn {turn}.{number}" for number in range(6)]
            await asyncio.to_thread(write, server, admin, names[:3])
            await peer.close()
            await asyncio.to_thread(write, server, admin, names[3:])
            peer = await feed(server, reader)
            assert (await frame(peer))["type"] == "hello"
            await peer.send(json.dumps({"type": "subscribe", "after": last}))
            while len(found) < (turn + 1) * 6:
                got = await frame(peer)
                for row in got.get("rows") or [got["row"]]:
                    last = max(last, row["sequence"])
                    found += [row["provider_name"]] if row["provider_name"] in names else []
        await peer.close()
        return found

    assert asyncio.run(scene()) == [f"turn {turn}.{number}" for turn in range(5) for number in range(6)]


async def closed_with(peer: ClientConnection) -> tuple[int, float]:
    started = time.monotonic()
    try:
        while True:
            await asyncio.wait_for(peer.recv(), 5)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006, time.monotonic() - started


def test_signing_out_at_one_process_closes_the_sockets_of_all_within_two_seconds(server: Served) -> None:
    reader = token(server, "audrey")

    async def scene() -> list[tuple[int, float]]:
        peers = [await feed(server, reader) for _ in range(5)]
        for peer in peers:
            await frame(peer)
        headers = {"Authorization": f"Bearer {reader}"}
        answer, _ = await asyncio.to_thread(server.ask, "POST", "/auth/logout", headers=headers)
        assert answer.status < 300
        return await asyncio.gather(*map(closed_with, peers))

    for code, seconds in asyncio.run(scene()):
        assert code == 4401
        assert seconds < 2


def test_an_ordinary_user_is_told_that_it_is_forbidden(server: Served) -> None:
    async def scene() -> int:
        return (await closed_with(await feed(server, token(server, "uma"))))[0]

    assert asyncio.run(scene()) == 4403


def test_a_sixth_socket_is_one_too_many_whatever_process_it_meets(server: Served) -> None:
    reader = token(server, "alice")

    async def scene() -> int:
        peers = [await feed(server, reader) for _ in range(5)]
        for peer in peers:
            await frame(peer)
        code, _ = await closed_with(await feed(server, reader))
        for peer in peers:
            await peer.close()
        return code

    assert asyncio.run(scene()) == 4429


def test_a_server_that_stops_says_so(tmp_path: Path, prepared: Path) -> None:
    own = Served(copied(prepared, tmp_path), processes=1)

    async def scene() -> int:
        peer = await feed(own, token(own, "audrey"))
        await frame(peer)
        stopping = asyncio.get_running_loop().run_in_executor(None, own.stop)
        code, _ = await closed_with(peer)
        await stopping
        return code

    assert asyncio.run(scene()) == 1012
