"""The server: workers on one listening socket, a supervisor that replaces the dead, and the periodic duties."""

import os
import socket
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from uvicorn import Config
from uvicorn.supervisors import Multiprocess

from config.background import Background
from identity.seed import demo_logins

GRACE = 6  # seconds for requests in flight; with what follows, everything ends within the promised ten


class Supervisor(Multiprocess):
    """Uvicorn's supervisor that also says when it is ready, closes its own socket, and stops in bounded time."""

    def __init__(self, config: Config, listener: socket.socket, ready: str) -> None:
        super().__init__(config, [listener])
        self.ready = ready
        self.asked_to_stop = False

    def init_processes(self) -> None:
        super().init_processes()
        if self.processes[0].wait_until_ready(60):
            sys.stdout.write(self.ready + "\n")
            sys.stdout.flush()

    def handle_int(self) -> None:
        self.asked_to_stop = True
        self.should_exit.set()

    handle_term = handle_int
    handle_hup = handle_int  # a closed terminal ends what was started in it

    def terminate_all(self) -> None:
        for listener in self.sockets:
            listener.close()  # whoever comes now is refused at once instead of waiting for nobody
        super().terminate_all()

    def join_all(self) -> None:
        deadline = time.monotonic() + GRACE + 1
        for worker in self.processes:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()


def refuse_if_unfit() -> None:
    """Raise CommandError, in one sentence, where the configuration is unsafe or the database is not ready."""
    found = checks.run_checks(include_deployment_checks=not settings.DEBUG)
    errors = [error for error in found if error.is_serious() and not error.is_silenced()]
    if errors:
        first = " ".join(
            filter(None, [str(errors[0].msg).rstrip("."), f"({errors[0].hint})" if errors[0].hint else ""])
        )
        more = f"; {len(errors) - 1} more: run `manage.py check --deploy`" if len(errors) > 1 else ""
        raise CommandError(f"Not started: {first}{more}.")
    if not settings.DEBUG and not settings.STATIC_ROOT.exists():
        raise CommandError("Not started: static files are not collected; run `manage.py collectstatic`.")
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        raise CommandError(f"Not started: the database cannot be used ({str(error).strip()}).") from error
    if missing:
        raise CommandError(f"Not started: {len(missing)} migrations are missing; run `manage.py migrate`.")


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens there, or CommandError that says in one sentence why not."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CommandError(
            f"Not started: cannot listen on {host}:{port} ({reason}); choose another --port."
        ) from error
    listener.set_inheritable(True)
    return listener


class Command(BaseCommand):
    help = "Serves the site, its sockets and the periodic duties until SIGTERM or Ctrl-C."
    requires_system_checks: list[str] = []  # asked below, answered in one sentence

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
        parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (8000)")
        parser.add_argument("--processes", type=int, default=1, help="worker processes on the one socket (1)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["processes"] <= 64:
            raise CommandError("--processes takes a number from 1 to 64.")
        refuse_if_unfit()
        listener = listening_socket(options["host"], options["port"])
        host, port = listener.getsockname()[:2]
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        ready = "\n".join([f"Waymark serves {address} (Ctrl-C stops it).", *demo_lines(address)])
        connection.close()
        os.environ["SERVING_SINCE"] = repr(time.monotonic())  # for the uptime that all workers report
        supervisor = Supervisor(worker_config(options["processes"]), listener, ready)
        background = Background()
        background.start()
        supervisor.run()
        background.stop(1)
        if not supervisor.asked_to_stop:
            raise CommandError("Stopped: a worker could not start; the lines above say why.")


def demo_lines(address: str) -> list[str]:
    """With DEBUG=1: how to get in, and where to look first."""
    logins = demo_logins() if settings.DEBUG else []
    if not logins:
        return []
    return [
        f"  Sign in as {', '.join(logins)}; password: {settings.DEMO_PASSWORD}",
        f"  Look first at {address}/ and {address}/manage/activity/; the API is explained at {address}/docs",
    ]


def worker_config(processes: int) -> Config:
    """How uvicorn runs one worker. Proxies are judged by TRUSTED_PROXIES, requests logged by the middleware."""
    return Config(
        "config.asgi:application",
        workers=processes,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=1_048_576,
        ws_ping_interval=25,
        ws_ping_timeout=60,
        ws_per_message_deflate=False,  # its windows would more than double the memory of a socket
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE,
    )
