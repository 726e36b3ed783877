"""Fan-out of one row to 5,000 sockets: one follower a process, against one group entry a socket.

Both ways run in this process, with senders that cost nothing, alternated three times; the groups on the channel
layer of REDIS_URL. Prints the last delivery, what was lost and the memory a socket takes; ends non-zero when a must
fails.
Usage: python bench/feed.py [sockets]
"""

import asyncio
import gc
import os
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("DEBUG", "1")
os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:6379/8")

import django

django.setup()

from channels.generic.websocket import AsyncJsonWebsocketConsumer  # noqa: E402
from channels.layers import get_channel_layer  # noqa: E402

from activity.consumers import ActivityFeed  # noqa: E402
from activity.feed import Row, follower  # noqa: E402
from activity.queries import following  # noqa: E402
from activity.queries.search import EXTENDED_ROW  # noqa: E402

SOCKETS = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
ROUNDS = 3
TIMES, KIB = 10, 30  # the musts of PERFORMANCE.md
ROWS: list[dict[str, Any]] = []


class Admitted:
    """Somebody who may read; nothing else about them matters here."""

    person = credentials = None


class OpenDoor:
    """A keeper that lets everybody in without asking a database."""

    async def recognise(self, scope: Any, *, session: bool) -> Any:
        return self

    async def admit(self, credentials: Any, rules: Any, end: Any) -> Admitted:
        return Admitted()

    async def leave(self, admitted: Admitted) -> None:
        """Nothing was taken."""


class Wire:
    """The server's side of one connection: counts the rows that leave."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.incoming.put_nowait({"type": "websocket.connect"})
        self.greeted = asyncio.Event()
        self.rows = 0
        self.last = 0.0

    async def send(self, event: dict[str, Any]) -> None:
        if '"type":"row' in event.get("text", ""):
            self.rows += 1
            self.last = time.perf_counter()
        elif event["type"] != "websocket.accept":
            self.greeted.set()

    def scope(self) -> dict[str, Any]:
        return {"type": "websocket", "path": "/", "headers": [], "keeper": OpenDoor()}


class PerGroupEntry(AsyncJsonWebsocketConsumer):
    """The usual way: every socket is a member of the group, and encodes for itself."""

    async def connect(self) -> None:
        await self.accept()
        await self.channel_layer.group_add("feed", self.channel_name)
        await self.send_json({"type": "hello"})

    async def feed_row(self, event: dict[str, Any]) -> None:
        await self.send(text_data=f'{{"type":"row","row":{Row(event["row"]).text}}}')


def row(number: int) -> dict[str, Any]:
    return {**dict.fromkeys(EXTENDED_ROW), "sequence": number, "action": "access", "user_login": "uma"}


async def opened(application: Any) -> tuple[list[Wire], list[asyncio.Task[None]]]:
    wires = [Wire() for _ in range(SOCKETS)]
    tasks = [asyncio.create_task(application(w.scope(), w.incoming.get, w.send)) for w in wires]
    for wire in wires:
        await wire.greeted.wait()
    return wires, tasks


async def measured(application: Any, publish: Any) -> tuple[float, int]:
    """Seconds until the last socket had the row, and how many never did."""
    wires, tasks = await opened(application)
    started = time.perf_counter()
    await publish()
    deadline = started + 60
    while any(not wire.rows for wire in wires) and time.perf_counter() < deadline:
        await asyncio.sleep(0.02)
    seconds = max(wire.last for wire in wires) - started
    lost = sum(wire.rows != 1 for wire in wires)
    for wire in wires:
        wire.incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
    await asyncio.gather(*tasks)
    return seconds, lost


async def by_follower() -> None:
    ROWS.append(row(len(ROWS) + 1))
    follower().woken.set()


async def by_group() -> None:
    await get_channel_layer().group_send("feed", {"type": "feed.row", "row": row(1)})


async def memory() -> float:
    """KiB that one open socket takes."""
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wires, tasks = await opened(ActivityFeed.as_asgi())
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    for wire in wires:
        wire.incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
    await asyncio.gather(*tasks)
    return used / SOCKETS


def main() -> int:
    following.rows_after = lambda number, limit: [row for row in ROWS if row["sequence"] > number]  # type: ignore[assignment]
    following.recent_numbers = lambda count: [row["sequence"] for row in ROWS]  # type: ignore[assignment]
    kib = asyncio.run(memory())
    ratios, losses = [], 0
    for number in range(ROUNDS):
        ours, lost = asyncio.run(measured(ActivityFeed.as_asgi(), by_follower))
        theirs, dropped = asyncio.run(measured(PerGroupEntry.as_asgi(), by_group))
        ratios.append(theirs / ours)
        losses += lost
        print(
            f"round {number + 1}: follower {ours:.3f} s ({lost} lost), group {theirs:.3f} s ({dropped} lost)"
        )
    ratio = statistics.median(ratios)
    print(f"{SOCKETS} sockets: {ratio:.1f} times faster (must {TIMES}), {losses} lost")
    print(f"{kib:.1f} KiB a socket (must {KIB})")
    return int(ratio < TIMES or kib > KIB or losses > 0)


if __name__ == "__main__":
    sys.exit(main())
