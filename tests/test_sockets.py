import asyncio
import json
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from config import sockets as ground
from config.sockets import Outbox, Rate, SignedInConsumer, SocketClosed
from identity.authentication import by_token
from identity.models import OpenSocket, User
from identity.services import open_sign_in
from identity.sockets import SocketKeeper, issue_ticket
from tests.sockets import Peer, bearer, played

pytestmark = pytest.mark.usefixtures("sockets")


class Parrot(SignedInConsumer):
    """Says back what it hears; a cookie session does not count, a first frame does."""

    room = "parrot"
    session_counts = False
    first_frame_within = 0.5
    largest_frame = 64_000
    too_large = ground.Code.TOO_MANY

    async def opened(self) -> None:
        self.post({"hello": self.person.username})

    async def received(self, message: dict[str, Any]) -> None:
        if "token" in message:
            await self.renew(message["token"])
        elif "raise" in message:
            raise {"database": OperationalError, "defect": ZeroDivisionError}[message["raise"]]("on purpose")
        else:
            self.post(message)


PARROT = SocketKeeper(Parrot.as_asgi())


async def parrot(*headers: tuple[str, str]) -> Peer:
    return await Peer("/", *headers, to=PARROT).open()


@pytest.fixture
def token(uma: User) -> str:
    return open_sign_in(uma).access


def answer_to(*frames: Any, headers: tuple[tuple[str, str], ...] = ()) -> dict[str, Any]:
    """The first thing the server does after these frames."""

    async def scene() -> dict[str, Any]:
        peer = await parrot(*headers)
        for frame in frames:
            await peer.send(frame)
        event = await peer.event()
        await peer.leave()
        return event

    event = played(scene)
    return json.loads(event["text"]) if "text" in event else event


def test_a_token_or_a_ticket_in_the_first_frame_opens_the_socket(token: str, uma: User) -> None:
    assert answer_to({"token": token}) == {"hello": "uma"}
    ticket = issue_ticket(by_token(token, timezone.now()))
    assert answer_to({"token": ticket}) == {"hello": "uma"}
    assert answer_to({"token": ticket})["code"] == 4401


def test_refresh_tokens_do_not_open_a_socket_by_the_first_frame(uma: User) -> None:
    assert answer_to({"token": open_sign_in(uma).refresh})["code"] == 4401


@pytest.mark.parametrize("frame", ["{}", "[]", "x", '{"token":1}', '{"token":"a","more":1}'])
def test_any_other_first_frame_is_a_bad_one(frame: str) -> None:
    assert answer_to(frame)["code"] == 4400


def test_silence_at_the_door_is_closed() -> None:
    assert answer_to()["code"] == 4401


def test_a_frame_over_the_limit_gets_the_code_of_its_room(token: str) -> None:
    async def scene() -> int:
        peer = await parrot(bearer(token))
        await peer.hears()
        await peer.send(json.dumps({"x": "y" * 64_000}))
        return await peer.ends()

    assert played(scene) == 4429


def test_another_token_of_the_same_person_goes_on_and_another_persons_does_not(
    token: str, uma: User, oscar: User
) -> None:
    again, foreign = open_sign_in(uma).access, open_sign_in(oscar).access

    async def scene() -> tuple[dict[str, Any], int]:
        peer = await parrot(bearer(token))
        await peer.hears()
        await peer.send({"token": again})
        await peer.send({"still": "here"})
        heard = await peer.hears()
        await peer.send({"token": foreign})
        return heard, await peer.ends()

    assert played(scene) == ({"still": "here"}, 4403)


@pytest.mark.parametrize(("what", "code"), [("database", 1013), ("defect", 1011)])
def test_an_error_of_ours_closes_the_socket_and_is_logged(
    token: str, what: str, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> int:
        peer = await parrot(bearer(token))
        await peer.hears()
        await peer.send({"raise": what})
        return await peer.ends()

    assert played(scene) == code
    assert "on purpose" in caplog.text


class Stuck:
    """A connection whose reader takes `taken` events and then nothing any more."""

    def __init__(self, token: str, taken: int) -> None:
        self.left = taken
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        name, value = bearer(token)
        headers = [(name.lower().encode(), value.encode())]
        self.scope = {"type": "websocket", "path": "/", "headers": headers}

    async def send(self, event: dict[str, Any]) -> None:
        if not self.left:
            await asyncio.Event().wait()
        self.left -= 1
        self.sent.append(event)


def test_a_reader_who_takes_nothing_is_given_up_and_its_lease_given_back(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ground, "PATIENCE", 0.2)
    monkeypatch.setattr(Parrot, "frames_per_second", 1000)

    async def scene() -> list[str]:
        wire = Stuck(token, taken=2)
        wire.incoming.put_nowait({"type": "websocket.connect"})
        for number in range(300):
            wire.incoming.put_nowait({"type": "websocket.receive", "text": json.dumps({"n": number})})
        await PARROT(wire.scope, wire.incoming.get, wire.send)
        return [event["type"] for event in wire.sent]

    assert played(scene) == ["websocket.accept", "websocket.send"]
    assert not OpenSocket.objects.exists()


def test_an_outbox_that_is_full_says_try_later() -> None:
    outbox = Outbox(2)
    outbox.put("a")
    outbox.put("b")
    with pytest.raises(SocketClosed) as closed:
        outbox.put("c")
    assert closed.value.code == 1013
    assert [outbox.take(), outbox.take(), outbox.take()] == ["a", "b", None]


def test_a_rate_counts_any_second_not_the_clocks() -> None:
    rate = Rate(3)
    assert [rate.exceeded(moment) for moment in (0.0, 0.9, 0.95, 1.0, 1.5, 2.1)] == [
        False,
        False,
        False,
        False,
        True,
        False,
    ]
