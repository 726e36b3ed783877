"""How fast visits are counted, beside what the same server can do at most and beside a counter in memory.

    python bench/visits.py [--rounds 3] [--seconds 2] [--connections 1,16,64,256] [--postgresql URL]

Alternates between the servers, forms the ratios inside each round, and checks afterwards that every acknowledged
visit has a number of its own and is in the table. Ends with 1 when a "must" of the project is missed.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
UVICORN = [
    "-m",
    "uvicorn",
    "--loop",
    "uvloop",
    "--http",
    "httptools",
    "--no-access-log",
    "--log-level",
    "warning",
]
DEFAULT_POSTGRESQL = "postgresql://postgres@127.0.0.1/postgres"


@dataclass
class Run:
    """One load on one server."""

    rate: float
    p50: float
    p95: float
    p99: float


@dataclass
class Server:
    """A running server, and all numbers it gave out."""

    name: str
    port: int
    stored: Callable[[], tuple[int, int]] | None = None  # total, rows
    numbers: list[int] = field(default_factory=list)
    failed: int = 0
    runs: dict[int, list[Run]] = field(default_factory=dict)


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def process(command: list[str], **environment: str) -> Iterator[subprocess.Popen[str]]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    started = subprocess.Popen([PYTHON, *command], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(15)
        except subprocess.TimeoutExpired:
            started.kill()


def wait_for(port: int) -> None:
    import socket

    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"Nothing answers on port {port}.")


@contextmanager
def rival(name: str, *target: str) -> Iterator[Server]:
    port = free_port()
    with process([*UVICORN, "--port", str(port), *target]):
        wait_for(port)
        yield Server(name, port)


def settings(folder: Path, url: str) -> dict[str, str]:
    return {
        "DEBUG": "1",
        "VAR_DIR": str(folder),
        "DATABASE_URL": url,
        "REDIS_URL": "",
        "DEMO_FEED": "0",
        "LOG_LEVEL": "WARNING",
    }


@contextmanager
def waymark(
    name: str, url: str, folder: Path, processes: int, look: Callable[[], tuple[int, int]]
) -> Iterator[Server]:
    environment = settings(folder, url)
    with process(["manage.py", "migrate", "-v", "0"], **environment) as migrating:
        migrating.wait()
    command = ["manage.py", "serve", "--port", "0", "--processes", str(processes)]
    with process(command, **environment) as serving:
        assert serving.stdout is not None
        found = None
        while found is None:
            line = serving.stdout.readline()
            if not line:
                raise SystemExit(f"{name} did not start.")
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        yield Server(name, int(found[1]), look)


@contextmanager
def on_sqlite(name: str, processes: int = 1) -> Iterator[Server]:
    import sqlite3

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "visits.sqlite3"

        def look() -> tuple[int, int]:
            with sqlite3.connect(path) as connection:
                return connection.execute(COUNTS).fetchone()

        with waymark(name, f"sqlite:///{path}", Path(folder), processes, look) as server:
            yield server


COUNTS = (
    "SELECT (SELECT COALESCE(MAX(total), 0) FROM traffic_visittotal), (SELECT COUNT(*) FROM traffic_visit)"
)


@contextmanager
def on_postgresql(name: str, admin_url: str, processes: int = 1) -> Iterator[Server]:
    database = f"wm_bench_{os.getpid()}_{processes}"
    base = admin_url.rpartition("/")[0]

    def look() -> tuple[int, int]:
        with psycopg.connect(f"{base}/{database}") as connection:
            return connection.execute(COUNTS).fetchone()  # type: ignore[return-value]

    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {database}")
        try:
            with (
                tempfile.TemporaryDirectory() as folder,
                waymark(name, f"{base}/{database}", Path(folder), processes, look) as server,
            ):
                yield server
        finally:
            admin.execute(f"DROP DATABASE {database} WITH (FORCE)")


def load(server: Server, connections: int, seconds: float) -> Run:
    command = [PYTHON, str(ROOT / "bench" / "load.py"), str(server.port), str(connections), str(seconds)]
    came = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    server.numbers += came["numbers"]
    server.failed += came["failed"]
    waits = sorted(came["waits"])
    part = [waits[int(len(waits) * share)] * 1000 for share in (0.5, 0.95, 0.99)]
    run = Run(len(waits) / came["seconds"], *part)
    server.runs.setdefault(connections, []).append(run)
    return run


def check(server: Server) -> list[str]:
    """What is wrong with the numbers this server gave out."""
    if server.stored is None:
        return []
    total, rows = server.stored()
    wrong = []
    if server.failed:
        wrong.append(f"{server.failed} requests failed")
    if sorted(server.numbers) != list(range(1, len(server.numbers) + 1)):
        wrong.append("the numbers are not 1, 2, 3 ... each once")
    if not total == rows == len(server.numbers):
        wrong.append(f"total {total}, rows {rows}, acknowledged {len(server.numbers)}")
    return [f"{server.name}: {text}" for text in wrong]


def ratio(one: Server, other: Server, connections: int, what: Callable[[Run], float]) -> tuple[float, str]:
    """The median over the rounds, and its range."""
    pairs = zip(one.runs[connections], other.runs[connections], strict=True)
    values = sorted(what(a) / what(b) for a, b in pairs)
    middle = statistics.median(values)
    return middle, f"{middle:.2f} ({values[0]:.2f} to {values[-1]:.2f})"


def rate(run: Run) -> float:
    return run.rate


def print_runs(servers: list[Server]) -> None:
    print(f"{'':14} {'conn':>5} {'req/s':>8} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8}   (medians)")
    for server in servers:
        for connections, runs in server.runs.items():
            middle = [
                statistics.median(getattr(r, name) for r in runs) for name in ("rate", "p50", "p95", "p99")
            ]
            print(
                f"{server.name:14} {connections:5} {middle[0]:8.0f} {middle[1]:8.2f} {middle[2]:8.2f} {middle[3]:8.2f}"
            )


def judge(named: dict[str, Server], connections: list[int]) -> list[str]:
    """Print the ratios the project promises; the musts that were missed."""
    missed: list[str] = []

    def line(
        text: str, pair: tuple[str, str], at: int, what: Any, must: float, *, most: bool = False
    ) -> None:
        if at not in connections or not set(pair) <= named.keys():
            return
        value, shown = ratio(named[pair[0]], named[pair[1]], at, what)
        met = value <= must if most else value >= must
        print(f"{text:58} {shown:24} must {'<=' if most else '>='} {must} {'ok' if met else 'MISSED'}")
        if not met:
            missed.append(text)

    line("SQLite, share of bare, 64 connections", ("sqlite", "bare"), 64, rate, 0.35)
    line("SQLite against the counter, 64 connections", ("sqlite", "counter"), 64, rate, 7)
    line(
        "p99 against the counter's, 64 connections",
        ("sqlite", "counter"),
        64,
        lambda r: r.p99,
        0.2,
        most=True,
    )
    line("p50 against the counter's, 1 connection", ("sqlite", "counter"), 1, lambda r: r.p50, 0.7, most=True)
    line("PostgreSQL, share of bare, 64 connections", ("postgresql", "bare"), 64, rate, 0.35)
    line("SQLite, 2 processes against 1, 64 connections", ("sqlite x2", "sqlite"), 64, rate, 1.3)
    line("PostgreSQL, 2 processes against 1, 64 connections", ("postgresql x2", "postgresql"), 64, rate, 1.3)
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--connections", default="1,16,64,256")
    parser.add_argument("--postgresql", default=os.environ.get("TEST_DATABASE_URL", DEFAULT_POSTGRESQL))
    parser.add_argument("--only", default="bare,counter,sqlite,postgresql,sqlite x2,postgresql x2")
    options = parser.parse_args()
    connections = [int(n) for n in options.connections.split(",")]
    kinds: dict[str, Callable[[], Any]] = {
        "bare": lambda: rival("bare", "bench.rivals:bare"),
        "counter": lambda: rival("counter", "--factory", "bench.rivals:counter"),
        "sqlite": lambda: on_sqlite("sqlite"),
        "postgresql": lambda: on_postgresql("postgresql", options.postgresql),
        "sqlite x2": lambda: on_sqlite("sqlite x2", 2),
        "postgresql x2": lambda: on_postgresql("postgresql x2", options.postgresql, 2),
    }
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, commit {commit.strip() or '-'}, "
        f"{options.rounds} rounds"
    )
    with ExitStack() as stack:
        servers = [stack.enter_context(kinds[name]()) for name in options.only.split(",")]
        for server in servers:
            load(server, 16, 0.5)
            server.runs.clear()
        for _ in range(options.rounds):
            for at in connections:
                for server in servers:
                    load(server, at, options.seconds)
        print_runs(servers)
        missed = judge({server.name: server for server in servers}, connections)
        wrong = [text for server in servers for text in check(server)]
    for text in wrong:
        print(f"WRONG {text}")
    if not wrong:
        print("Every acknowledged visit has a number of its own and a row.")
    return 1 if missed or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
