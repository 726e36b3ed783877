"""A closed loop over many connections: each sends its next visit when the last was answered."""

import asyncio
import json
import random
import sys
import time
from dataclasses import dataclass, field

import uvloop

AGENTS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
]
REFERRERS = [
    None,
    "https://example.com/search?q=waymark",
    "https://www.example.org/",
    "https://news.example.net/a",
]


def requests(number: int, seed: int) -> list[bytes]:
    """Requests of different people for different pages, ready to be sent."""
    rng = random.Random(seed)
    made = []
    for _ in range(number):
        visit = {
            "user_id": f"visitor-{rng.randrange(2000)}",
            "page_url": f"https://www.example.org/{rng.choice('abcde')}/{rng.randrange(25)}?ref={rng.random()}",
            "user_agent": rng.choice(AGENTS),
            "ip_address": f"192.0.2.{rng.randrange(1, 255)}",
            "referrer": rng.choice(REFERRERS),
        }
        body = json.dumps(visit).encode()
        head = (
            "POST /visit HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


@dataclass
class Tape:
    """What came back."""

    ends: float
    waits: list[float] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Connection(asyncio.Protocol):
    """One request at a time, until the time is up."""

    def __init__(self, sendable: list[bytes], tape: Tape) -> None:
        self.sendable, self.tape = sendable, tape
        self.position, self.buffer = 0, b""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.ask()

    def ask(self) -> None:
        self.sent = time.perf_counter()
        self.transport.write(self.sendable[self.position % len(self.sendable)])
        self.position += 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self.note(head, body)
        self.buffer = b""
        if time.perf_counter() < self.tape.ends:
            self.ask()
        else:
            self.transport.close()

    def note(self, head: bytes, body: bytes) -> None:
        self.tape.waits.append(time.perf_counter() - self.sent)
        if head.startswith(b"HTTP/1.1 200"):
            self.tape.numbers.append(int(body.partition(b'"visit_count":')[2].partition(b",")[0]))
        else:
            self.tape.failures.append((head[:40] + body[:80]).decode("latin1"))

    def connection_lost(self, problem: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(None)


async def drive(port: int, connections: int, seconds: float, seed: int = 1) -> Tape:
    """Load a server for this long."""
    loop = asyncio.get_running_loop()
    prepared = [requests(200, seed * 10_000 + n) for n in range(min(connections, 16))]
    tape = Tape(time.perf_counter() + seconds)
    opened = [
        loop.create_connection(lambda n=n: Connection(prepared[n % len(prepared)], tape), "127.0.0.1", port)
        for n in range(connections)
    ]
    pairs = await asyncio.gather(*opened)
    await asyncio.gather(*(protocol.over for _, protocol in pairs))
    return tape


def main() -> None:
    """`load.py PORT CONNECTIONS SECONDS`: prints what came back as JSON."""
    port, connections, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    began = time.perf_counter()
    tape = uvloop.run(drive(port, connections, seconds))
    took = max(seconds, time.perf_counter() - began - 0.05)
    answer = {"waits": tape.waits, "numbers": tape.numbers, "failures": tape.failures[:5], "seconds": took}
    json.dump({**answer, "failed": len(tape.failures)}, sys.stdout)


if __name__ == "__main__" and len(sys.argv) > 1:
    main()
