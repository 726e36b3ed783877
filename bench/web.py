"""An ordinary DRF view (`/health`: one query, all middleware) through `manage.py serve`, against the same view
under stock Django ASGI (uvicorn) and under a WSGI server with lasting threads (gunicorn gthread).

Alternating rounds, ratios formed inside each round. Ends with 1 when a "must" of PERFORMANCE.md fails.
Usage: python bench/web.py [--rounds 3] [--seconds 4] [--connections 64] [--threads 4]
"""

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import cast

import uvloop

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n"
MUST = {"stock ASGI": 2.5, "WSGI": 0.7}
AIM = {"stock ASGI": 3.0, "WSGI": 0.9}
# Django's documentation: persistent connections are to be switched off under ASGI (they pile up).
OWN_SETTINGS = {"stock ASGI": {"CONN_MAX_AGE": "0"}}


class Caller(asyncio.Protocol):
    """One connection that asks again as soon as it is answered, and notes how long each answer took."""

    def __init__(self, latencies: list[float], wrong: list[bytes]) -> None:
        self.latencies, self.wrong, self.buffer, self.asking = latencies, wrong, b"", True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.ask()

    def ask(self) -> None:
        self.began = time.perf_counter()
        self.transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found or not whole(head, body):
            return
        if not head.startswith(b"HTTP/1.1 200") or b'"db":"ok"' not in body:
            self.wrong.append(self.buffer)
        self.latencies.append(time.perf_counter() - self.began)
        self.buffer = b""
        if self.asking:
            self.ask()


def whole(head: bytes, body: bytes) -> bool:
    """Whether the answer has arrived; where the application gives no length, the server sends chunks."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line[15:])
    return body.endswith(b"0\r\n\r\n")


async def load(port: int, connections: int, seconds: float) -> tuple[float, float]:
    """Answers per second, and the 99th percentile of their times in milliseconds."""
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    wrong: list[bytes] = []
    pairs = [
        await loop.create_connection(lambda: Caller(latencies, wrong), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.sleep(1)
    latencies.clear()
    began = time.perf_counter()
    await asyncio.sleep(seconds)
    rate = len(latencies) / (time.perf_counter() - began)
    if wrong:
        raise SystemExit(f"{len(wrong)} wrong answers, the first: {wrong[0]!r}")
    p99 = statistics.quantiles(latencies, n=100)[98] * 1000
    for transport, caller in pairs:
        caller.asking = False
        transport.close()
    return rate, p99


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def commands(threads: int) -> dict[str, list[str]]:
    """How each contestant is started; `{port}` is filled in."""
    quiet = ["--no-access-log", "--log-level", "warning"]
    fast = ["--loop", "uvloop", "--http", "httptools"]
    wsgi = ["-k", "gthread", "--threads", str(threads), "--workers", "1", "--keep-alive", "30"]
    return {
        "ours": [str(BIN / "python"), "manage.py", "serve", "--port", "{port}"],
        "stock ASGI": [str(BIN / "uvicorn"), "bench.stock:application", "--port", "{port}", *fast, *quiet],
        "WSGI": [str(BIN / "gunicorn"), "config.wsgi:application", "-b", "127.0.0.1:{port}", *wsgi],
    }


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[int]:
    """The port on which a contestant answers."""
    port = free_port()
    process = subprocess.Popen(
        [part.format(port=port) for part in command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(15)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until the first answer: a socket that listens may still wait for its worker."""
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=60):
                return
        except OSError as error:
            if process.poll() is not None:
                raise SystemExit(f"{process.args!r} did not start") from error
            time.sleep(0.2)
    raise SystemExit(f"{process.args!r} does not answer")


def measure(options: argparse.Namespace, environment: dict[str, str]) -> dict[str, list[float]]:
    """The ratios ours : other, one per round."""
    ratios: dict[str, list[float]] = {name: [] for name in MUST}
    with ExitStack() as stack:
        ports = {
            name: stack.enter_context(running(command, environment | OWN_SETTINGS.get(name, {})))
            for name, command in commands(options.threads).items()
        }
        for number in range(1, options.rounds + 1):
            rates = {}
            for name, port in ports.items():
                rates[name], p99 = uvloop.run(load(port, options.connections, options.seconds))
                print(f"round {number}  {name:<11} {rates[name]:7.0f}/s  p99 {p99:6.1f} ms", flush=True)
            for name, found in ratios.items():
                found.append(rates["ours"] / rates[name])
    return ratios


def verdict(ratios: dict[str, list[float]]) -> bool:
    """Print each ratio beside its target; whether every must is met."""
    met = True
    for name, found in ratios.items():
        middle = statistics.median(found)
        good = middle >= MUST[name]
        met &= good
        print(
            f"ours against {name:<11} {middle:.2f}x (range {min(found):.2f} to {max(found):.2f})  "
            f"must {MUST[name]}  aim {AIM[name]}  {'met' if good else 'NOT MET'}"
        )
    return met


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--threads", type=int, default=4)
    options = parser.parse_args()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "DEBUG": "1",
            "VAR_DIR": folder,
            "LOG_LEVEL": "WARNING",
            "DEMO_FEED": "0",
            "WEB_THREADS": str(options.threads),
            "DATABASE_URL": os.environ.get("BENCH_DATABASE_URL", f"sqlite:///{folder}/bench.sqlite3"),
        }
        subprocess.run(
            [str(BIN / "python"), "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True
        )
        kind = environment["DATABASE_URL"].partition(":")[0]
        print(
            f"{os.cpu_count()} cores, {kind}, 1 worker, {options.threads} threads, commit {commit or 'none'}"
        )
        return 0 if verdict(measure(options, environment)) else 1


if __name__ == "__main__":
    sys.exit(main())
