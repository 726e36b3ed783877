import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

ROOT = Path(__file__).resolve().parent.parent
MANAGE = [sys.executable, "manage.py"]


def environment(folder: Path, **changes: str) -> dict[str, str]:
    """A machine of its own: SQLite and keys in this folder, no Redis, no demo feed."""
    base = {
        "DEBUG": "1",
        "VAR_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder}/served.sqlite3",
        "REDIS_URL": "",
        "DEMO_FEED": "0",
        "DJANGO_SETTINGS_MODULE": "tests.served",
    }
    return {**os.environ, **base, **changes}


def manage(folder: Path, *command: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MANAGE, *command],
        cwd=ROOT,
        env=environment(folder, **changes),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Served:
    """A running `serve` and the port it printed."""

    def __init__(self, folder: Path, processes: int) -> None:
        self.folder = folder
        self.log = (folder / "serve.log").open("w+")
        command = [*MANAGE, "serve", "--port", "0", "--processes", str(processes)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment(folder), stdout=self.log, stderr=subprocess.STDOUT
        )
        found = until(lambda: re.search(r"http://127\.0\.0\.1:(\d+)", self.output()) or self.process.poll())
        assert isinstance(found, re.Match), self.output()
        self.port = int(found[1])

    def output(self) -> str:
        return (self.folder / "serve.log").read_text()

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)

    def ask(self, method: str, path: str, **options: Any) -> tuple[http.client.HTTPResponse, bytes]:
        with closing(self.connection()) as connection:
            connection.request(method, path, **options)
            response = connection.getresponse()
            return response, response.read()

    def raw(self, text: str) -> socket.socket:
        """A connection on which these bytes were sent and nothing was read."""
        peer = socket.create_connection(("127.0.0.1", self.port), timeout=15)
        peer.sendall(text.encode())
        return peer

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(15)
        finally:
            self.process.kill()
            self.log.close()


def until(happened: Callable[[], Any], seconds: float = 60) -> Any:
    """What `happened` says as soon as it is true; its last word after this many seconds."""
    deadline = time.monotonic() + seconds
    while not (answer := happened()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer


def machine(folder: Path) -> Path:
    migrated = manage(folder, "migrate", "--verbosity", "0")
    assert migrated.returncode == 0, migrated.stderr
    return folder


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    server = Served(machine(tmp_path_factory.mktemp("served")), processes=2)
    yield server
    server.stop()


@pytest.fixture
def own_server(tmp_path: Path, served: Served) -> Iterator[Served]:
    """A server that the test may stop or hurt."""
    (tmp_path / "served.sqlite3").write_bytes((served.folder / "served.sqlite3").read_bytes())
    for key in served.folder.glob("*key*"):
        (tmp_path / key.name).write_bytes(key.read_bytes())
    server = Served(tmp_path, processes=2)
    yield server
    if server.process.poll() is None:
        server.stop()


def workers(server: Served) -> set[int]:
    """The process ids that answer."""
    return {int(server.ask("GET", "/test/worker")[1]) for _ in range(20)}


@pytest.mark.parametrize("path", ["/health", "/health/", "/health/ready", "/health/ready/"])
def test_both_spellings_answer_without_a_redirect(served: Served, path: str) -> None:
    response, body = served.ask("GET", path)
    assert response.status == 200
    assert json.loads(body)["status"] == "ok"


def test_head_answers_like_get_without_a_body(served: Served) -> None:
    response, body = served.ask("HEAD", "/health")
    assert (response.status, body) == (200, b"")
    assert int(response.headers["Content-Length"]) > 0


def test_the_server_does_not_say_what_it_is(served: Served) -> None:
    response, _ = served.ask("GET", "/health")
    assert response.headers["Server"] is None


def test_a_chunked_body_arrives_whole(served: Served) -> None:
    _, body = served.ask("POST", "/test/measure", body=iter([b"z" * 1000] * 100), encode_chunked=True)
    assert json.loads(body)["length"] == 100_000


def test_a_chunked_body_over_the_limit_is_refused(served: Served) -> None:
    response, body = served.ask("POST", "/test/measure", body=iter([b"z" * 65_536] * 60), encode_chunked=True)
    assert response.status == 413
    assert json.loads(body) == {"detail": "Request body too large"}


def test_a_large_body_arrives_whole(served: Served) -> None:
    _, body = served.ask("POST", "/test/measure", body=b"z" * 2_500_000)
    assert json.loads(body)["length"] == 2_500_000


def test_a_declared_body_over_the_limit_is_refused_before_it_is_sent(served: Served) -> None:
    head = "POST /test/measure HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000000\r\n\r\n"
    with served.raw(head) as peer:
        assert b" 413 " in peer.recv(1000)


def test_a_header_spelled_with_an_underscore_cannot_pose_as_another(served: Served) -> None:
    _, body = served.ask("POST", "/test/measure", body=b"", headers={"X_Forwarded_For": "192.0.2.1"})
    assert json.loads(body)["spoofed"] is None


def test_slow_senders_keep_nobody_waiting(served: Served) -> None:
    head = "POST /test/measure HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc"
    peers = [served.raw(head) for _ in range(30)]
    started = time.monotonic()
    assert served.ask("GET", "/test/worker")[0].status == 200
    assert time.monotonic() - started < 2
    for peer in peers:
        peer.close()


def test_slow_readers_keep_nobody_waiting_and_their_answer_ends_when_they_leave(served: Served) -> None:
    peers = [served.raw("GET /test/endless HTTP/1.1\r\nHost: localhost\r\n\r\n") for _ in range(12)]
    time.sleep(0.5)
    started = time.monotonic()
    assert served.ask("GET", "/test/worker")[0].status == 200
    assert time.monotonic() - started < 2
    assert not (served.folder / "endless-ended").exists()
    for peer in peers:
        peer.close()
    assert until((served.folder / "endless-ended").exists, 5)


def test_a_streamed_answer_is_whole(served: Served) -> None:
    response, body = served.ask("GET", "/test/counted")
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert len(body) == 300_000


def test_clients_who_leave_early_cost_no_thread(served: Served) -> None:
    for _ in range(20):
        served.raw("GET /test/slow?seconds=0.05 HTTP/1.1\r\nHost: localhost\r\n\r\n").close()
    assert until(lambda: len(workers(served)) == 2, 10)


def test_a_socket_at_an_unknown_address_is_refused(served: Served) -> None:
    with pytest.raises(InvalidStatus, match="403"), connect(f"ws://127.0.0.1:{served.port}/nowhere"):
        pass


def test_a_killed_worker_is_replaced(own_server: Served) -> None:
    before = until(lambda: len(pids := workers(own_server)) == 2 and pids)
    victim = before.pop()
    os.kill(victim, signal.SIGKILL)

    def healed() -> bool:
        try:
            now = workers(own_server)
        except OSError:  # the connection that the dying worker had just taken
            return False
        return len(now) == 2 and victim not in now

    assert until(healed)


def test_sigterm_finishes_the_request_in_flight_and_exits_with_0_in_time(own_server: Served) -> None:
    answers = []

    def ask() -> None:
        answers.append(own_server.ask("GET", "/test/slow?seconds=3")[1])

    asking = threading.Thread(target=ask)
    asking.start()
    assert until((own_server.folder / "slow-began").exists)
    started = time.monotonic()
    assert own_server.stop() == 0
    assert time.monotonic() - started < 10
    asking.join(5)
    assert answers == [b"done"]


def test_sigterm_stops_in_time_even_if_a_request_does_not_end(own_server: Served) -> None:
    peer = own_server.raw("GET /test/slow?seconds=60 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert until((own_server.folder / "slow-began").exists)
    started = time.monotonic()
    assert own_server.stop() == 0
    assert time.monotonic() - started < 10
    peer.close()


def test_workers_end_with_their_supervisor(own_server: Served) -> None:
    pids = until(lambda: len(found := workers(own_server)) == 2 and found)
    own_server.process.kill()
    own_server.process.wait()
    assert until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 10)


def test_a_taken_port_is_named_in_one_sentence(served: Served) -> None:
    refused = manage(served.folder, "serve", "--port", str(served.port))
    assert refused.returncode == 1
    assert f"cannot listen on 127.0.0.1:{served.port}" in refused.stderr
    assert refused.stderr.strip().count("\n") == 0


def test_missing_migrations_stop_the_start_with_one_sentence(tmp_path: Path) -> None:
    refused = manage(tmp_path, "serve", "--port", "0")
    assert refused.returncode == 1
    assert refused.stderr.strip().endswith("run `manage.py migrate`.")
    assert refused.stderr.strip().count("\n") == 0


@pytest.mark.parametrize("missing", ["SECRET_KEY", "ALLOWED_HOSTS", "PII_ENCRYPTION_KEYS"])
def test_weak_configuration_stops_the_start_with_one_sentence(served: Served, missing: str) -> None:
    strong = {"DEBUG": "0", "ALLOWED_HOSTS": "waymark.example.org"}
    for name in ("SECRET_KEY", "PII_ENCRYPTION_KEYS", "PII_INDEX_KEYS"):
        strong[name] = "vXq3" * 3 + f"{name}-9fK2-long-enough-to-be-taken-for-random"
    manage(served.folder, "generate_keys")  # keys are there; what is missing is the setting
    refused = manage(served.folder, "serve", "--port", "0", **{**strong, missing: ""})
    assert refused.returncode == 1
    assert missing in refused.stderr
    assert refused.stderr.strip().count("\n") == 0
