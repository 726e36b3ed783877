"""Real processes under load: every number once, nothing acknowledged is lost, whatever is killed."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings

ROOT = Path(__file__).resolve().parent.parent.parent
MANAGE = [sys.executable, "manage.py"]
POSTGRESQL = settings.DATABASES["default"]["ENGINE"].endswith("postgresql")


class Machine:
    """A database of its own, and what runs on it."""

    def __init__(self, folder: Path, url: str, **settings: str) -> None:
        self.folder = folder
        base = {"DEBUG": "1", "VAR_DIR": str(folder), "DATABASE_URL": url, "REDIS_URL": "", "DEMO_FEED": "0"}
        self.environment = {**os.environ, **base, "LOG_LEVEL": "WARNING", **settings}
        self.process: subprocess.Popen[str] | None = None
        assert self.manage("migrate", "--verbosity", "0").returncode == 0

    def manage(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*MANAGE, *command],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def serve(self, processes: int) -> int:
        """Start serving in a process group of its own; the port."""
        log = self.folder / "serve.log"
        with log.open("w") as out:
            self.process = subprocess.Popen(
                [*MANAGE, "serve", "--port", "0", "--processes", str(processes)],
                cwd=ROOT, env=self.environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while (found := re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())) is None:
            assert self.process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        return int(found[1])

    def kill(self) -> None:
        """`kill -9` of all its processes."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def ask(self, *statement: str) -> Any:
        """One value out of the database, by the project's own shell."""
        code = f"from traffic.models import *; print({statement[0]})"
        answered = self.manage("shell", "-v", "0", "-c", code)
        assert answered.returncode == 0, answered.stderr
        return json.loads(answered.stdout)


@contextmanager
def database(folder: Path) -> Iterator[str]:
    """The address of an empty database of the kind the suite runs on."""
    if not POSTGRESQL:
        yield f"sqlite:///{folder}/served.sqlite3"
        return
    config = settings.DATABASES["default"]
    login = f"{config['USER']}:{config['PASSWORD']}" if config["PASSWORD"] else config["USER"]
    base = f"postgresql://{login}@{config['HOST']}:{config['PORT'] or 5432}"
    name = f"wm_h6_served_{os.getpid()}"
    with psycopg.connect(f"{base}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{base}/{name}"
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with database(tmp_path) as url:
        made = Machine(tmp_path, url, VISIT_MAX_SITES="5")
        yield made
        made.kill()


class Reporters:
    """Threads that report visits of people nobody else is, and remember which were acknowledged."""

    def __init__(self, port: int, threads: int, page: str = "https://example.org/{n}") -> None:
        self.port, self.page = port, page
        self.acknowledged: dict[str, int] = {}
        self.statuses: list[int] = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._report, args=[n]) for n in range(threads)]
        for thread in self.threads:
            thread.start()

    def _report(self, reporter: int) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            number = 0
            while not self.over.is_set():
                user, number = f"{os.getpid()}-{id(self)}-{reporter}-{number}", number + 1
                body = json.dumps({"user_id": user, "page_url": self.page.format(n=number % 7)})
                try:
                    connection.request("POST", "/visit", body, {"Content-Type": "application/json"})
                    response = connection.getresponse()
                    answer = json.loads(response.read())
                except (OSError, http.client.HTTPException, ValueError):
                    return
                self.statuses.append(response.status)
                if response.status == 200:
                    self.acknowledged[user] = answer["visit_count"]

    def stop(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(15)


TOTAL_AND_ROWS = "list(VisitTotal.objects.values_list('total', flat=True)) + [Visit.objects.count()]"


def test_four_processes_give_every_number_once(machine: Machine) -> None:
    port = machine.serve(4)
    # in a process of its own: Playwright may keep an event loop in this one
    load = [sys.executable, str(ROOT / "bench" / "load.py"), str(port), "64", "3"]
    came = json.loads(subprocess.run(load, check=True, capture_output=True, text=True, timeout=60).stdout)
    assert came["failures"] == []
    number = len(came["numbers"])
    assert sorted(came["numbers"]) == list(range(1, number + 1))
    assert machine.ask(TOTAL_AND_ROWS) == [number, number]
    counted = machine.manage("recount_visits")
    assert counted.returncode == 0, counted.stdout


def test_what_was_acknowledged_survives_kill_9(machine: Machine) -> None:
    acknowledged: dict[str, int] = {}
    for _ in range(3):
        port = machine.serve(2)
        reporters = Reporters(port, 12)
        time.sleep(0.8)
        machine.kill()
        reporters.stop()
        assert set(reporters.statuses) == {200}
        acknowledged |= reporters.acknowledged
    assert len(set(acknowledged.values())) == len(acknowledged) > 30
    stored = set(
        machine.ask("__import__('json').dumps(list(Visit.objects.values_list('user_id', flat=True)))")
    )
    assert acknowledged.keys() <= stored
    total, rows = machine.ask(TOTAL_AND_ROWS)
    assert total == rows == len(stored)
    counted = machine.manage("recount_visits")
    assert counted.returncode == 0, counted.stdout


def test_a_stop_under_load_acknowledges_nothing_that_is_not_stored(machine: Machine) -> None:
    port = machine.serve(2)
    reporters = Reporters(port, 8)
    time.sleep(1)
    assert machine.process is not None
    machine.process.send_signal(signal.SIGTERM)
    machine.process.wait(15)
    reporters.stop()
    assert set(reporters.statuses) == {200}
    stored = set(
        machine.ask("__import__('json').dumps(list(Visit.objects.values_list('user_id', flat=True)))")
    )
    assert reporters.acknowledged.keys() <= stored
    total, rows = machine.ask(TOTAL_AND_ROWS)
    assert total == rows == len(stored)


def test_the_limit_of_sites_holds_for_new_hosts_at_once(machine: Machine) -> None:
    port = machine.serve(4)
    crowd = [Reporters(port, 1, f"https://host{n}.example/{{n}}") for n in range(25)]
    time.sleep(1.5)
    for reporters in crowd:
        reporters.stop()
    assert {status for reporters in crowd for status in reporters.statuses} == {200}
    assert machine.ask("Site.objects.filter(reserved=False).count()") == 5
    registered = "__import__('activity.models').models.Entry.objects.filter(action='register_site').count()"
    assert machine.ask(registered) == 5
    assert machine.ask("DaySalt.objects.count()") == 1


def test_uptime_is_that_of_the_whole_service(machine: Machine) -> None:
    port = machine.serve(3)
    seen = []
    for _ in range(9):
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("GET", "/stats")
            seen.append(json.loads(connection.getresponse().read())["uptime_seconds"])
    assert seen == sorted(seen)
    assert seen[-1] - seen[0] < 10
