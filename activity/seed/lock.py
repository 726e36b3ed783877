"""One `seed` at a time on one database."""

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from activity.seed.states import SeedRefused

LOCK = 7_770_002  # the advisory lock of a running seed
in_memory = threading.Lock()  # a database in memory belongs to this process


class SeedBusy(SeedRefused):
    """Another seed is running on this database."""


@contextmanager
def _advisory() -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        taken = cursor.fetchone()[0]
    try:
        yield taken
    finally:
        if taken:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


@contextmanager
def _lock_file() -> Iterator[bool]:
    """A file beside the database; the kernel lets go of it when the process ends, however it ends."""
    with open(f"{connection.settings_dict['NAME']}.seed.lock", "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


@contextmanager
def _thread_lock() -> Iterator[bool]:
    taken = in_memory.acquire(blocking=False)
    try:
        yield taken
    finally:
        if taken:
            in_memory.release()


@contextmanager
def only_seed() -> Iterator[None]:
    """Be the only seed on this database, or raise SeedBusy at once."""
    if connection.vendor == "postgresql":
        held = _advisory()
    else:
        in_a_file = "memory" not in str(connection.settings_dict["NAME"])  # ":memory:", "...?mode=memory"
        held = _lock_file() if in_a_file else _thread_lock()
    with held as taken:
        if not taken:
            raise SeedBusy("Another seed is running on this database.")
        yield
