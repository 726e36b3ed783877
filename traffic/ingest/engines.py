"""The statements of one batch, as each database takes them fastest. All run inside the caller's transaction.

Every process touches the tables in this order and the rows of each table sorted, so no two can deadlock; the
total comes last, so that its row, which all share, is locked only for the time of the commit.
"""

import fcntl
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from json import JSONEncoder
from typing import Any

import psycopg
from django.db import connection

from traffic.ingest.memory import hour_of, minute_of
from traffic.ingest.tally import Batch

ADVISORY_LOCK = 7_770_003  # new sites, labels and salts
as_json = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
in_memory = threading.Lock()  # a database in memory belongs to this process

VISIT = "received_at, site_id, user_id, person, page_url, user_agent, ip_address, referrer, bot"
SEEN = "UPDATE traffic_site SET last_seen = {0}, first_seen = COALESCE(first_seen, {0}) WHERE id = {1}"
SECOND = """
INSERT INTO traffic_secondcount (second, visits) VALUES ({0}, {0})
ON CONFLICT (second) DO UPDATE SET visits = traffic_secondcount.visits + excluded.visits"""
MINUTE = """
INSERT INTO traffic_minutecount (minute, site_id, visits, bots) {0}
ON CONFLICT (site_id, minute) DO UPDATE SET
  visits = traffic_minutecount.visits + excluded.visits, bots = traffic_minutecount.bots + excluded.bots"""
HOUR = """
INSERT INTO traffic_hourcount (hour, site_id, kind, label_id, visits, bots) {0}
ON CONFLICT (site_id, hour, kind, label_id) DO UPDATE SET
  visits = traffic_hourcount.visits + excluded.visits, bots = traffic_hourcount.bots + excluded.bots"""
DAY = """
INSERT INTO traffic_daycount (day, site_id, visitors) {0}
ON CONFLICT (site_id, day) DO UPDATE SET visitors = traffic_daycount.visitors + excluded.visitors"""
TOTAL = """
INSERT INTO traffic_visittotal (id, total) VALUES (1, {0})
ON CONFLICT (id) DO UPDATE SET total = traffic_visittotal.total + excluded.total RETURNING total"""


def _columns(number: int) -> str:
    return ", ".join(f"value ->> {n}" for n in range(number))


class SQLite:
    """One writer at a time: a lock file keeps several processes from the sleeps of the busy handler.

    One statement a table, its rows as JSON: after each call into SQLite a thread waits its turn for the
    interpreter, so a call for each row would cost many times what the row costs.
    """

    SEEN = SEEN.format("?1", "?2")
    VISIT = f"INSERT INTO traffic_visit ({VISIT}) SELECT ?, {_columns(8)} FROM json_each(?)"  # noqa: S608
    SECOND = SECOND.format("?")
    # "WHERE true" tells SQLite that ON CONFLICT belongs to the INSERT, not to a join.
    MINUTE = MINUTE.format(f"SELECT ?, {_columns(3)} FROM json_each(?) WHERE true")  # noqa: S608
    HOUR = HOUR.format(f"SELECT ?, {_columns(5)} FROM json_each(?) WHERE true")  # noqa: S608
    VISITOR = "INSERT OR IGNORE INTO traffic_dayvisitor (day, site_id, hash) VALUES (?, ?, ?)"
    DAY = DAY.format("VALUES (?, ?, ?)")
    TOTAL = TOTAL.format("?")

    def __init__(self) -> None:
        self.file: Any = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Be the only process that stores visits. The kernel lets go of the lock however a process ends."""
        if connection.is_in_memory_db():  # type: ignore[attr-defined]
            with in_memory:
                yield
            return
        if self.file is None:
            self.file = open(f"{connection.settings_dict['NAME']}.visits.lock", "a")  # noqa: SIM115
        fcntl.flock(self.file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self.file, fcntl.LOCK_UN)

    def lock(self) -> None:
        """Nothing to do: the transaction is the only one that writes."""

    def store(self, batch: Batch) -> int:
        """Write a batch inside the open transaction; the total it leads to."""
        raw = connection.connection
        now = _text(batch.now)
        minute, hour, day = (
            _text(minute_of(batch.now)),
            _text(hour_of(batch.now)),
            batch.now.date().isoformat(),
        )
        if batch.seen:
            raw.executemany(self.SEEN, [(now, site) for site in batch.seen])
        raw.execute(self.VISIT, (now, as_json(list(_visit_rows(batch)))))
        raw.execute(self.SECOND, (_text(batch.now.replace(microsecond=0)), len(batch.arrivals)))
        raw.execute(self.MINUTE, (minute, as_json(batch.minutes)))
        raw.execute(self.HOUR, (hour, as_json(batch.hours)))
        if batch.visitors:
            raw.executemany(self.DAY, self._visitors(raw, day, batch.visitors))
        return int(raw.execute(self.TOTAL, (len(batch.arrivals),)).fetchone()[0])

    def _visitors(
        self, raw: Any, day: str, visitors: Sequence[tuple[int, bytes]]
    ) -> list[tuple[str, int, int]]:
        """Store who is new today, and say how many those are on each site."""
        new = []
        for site in sorted({site for site, _ in visitors}):
            rows = [(day, site, seen) for at, seen in visitors if at == site]
            new.append((day, site, raw.executemany(self.VISITOR, rows).rowcount))
        return [row for row in new if row[2]]


def _text(moment: datetime) -> str:
    """A moment as Django writes it into SQLite."""
    return str(moment.replace(tzinfo=None))


def _visit_rows(batch: Batch) -> Iterator[tuple[Any, ...]]:
    for a, (site, _), address in zip(batch.arrivals, batch.sites, batch.addresses, strict=True):
        person = a.person.hex if a.person else None
        yield site, a.user_id, person, a.page_url, a.agent, address, a.referrer, int(a.bot)


class PostgreSQL:
    """All statements in one round trip, each prepared, rows as arrays."""

    SEEN = SEEN.format("%s", "ANY(%s::bigint[])")
    VISIT = f"""
    INSERT INTO traffic_visit ({VISIT})
    SELECT %s, * FROM unnest(%s::bigint[], %s::text[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[],
                             %s::bool[])"""  # noqa: S608
    SECOND = SECOND.format("%s")
    MINUTE = MINUTE.format("SELECT %s, * FROM unnest(%s::bigint[], %s::int[], %s::int[])")
    HOUR = HOUR.format(
        "SELECT %s, * FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::int[], %s::int[])"
    )
    DAY = """
    WITH fresh AS (
      INSERT INTO traffic_dayvisitor (day, site_id, hash)
      SELECT %s, site, decode(hash, 'hex') FROM unnest(%s::bigint[], %s::text[]) AS came (site, hash)
      ON CONFLICT (day, site_id, hash) DO NOTHING RETURNING site_id
    )""" + DAY.format("SELECT %s, site_id, COUNT(*) FROM fresh GROUP BY site_id ORDER BY site_id")  # noqa: S608
    TOTAL = TOTAL.format("%s")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Rows are locked one by one; nobody needs to wait for a turn."""
        yield

    def lock(self) -> None:
        """Until the end of the transaction, be the only one that makes sites, labels and salts."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])

    def store(self, batch: Batch) -> int:
        """Write a batch inside the open transaction; the total it leads to."""
        raw = connection.connection
        cursor, last = psycopg.Cursor(raw), psycopg.Cursor(raw)  # results of one cursor queue up
        now, day = batch.now, batch.now.date()

        def run(statement: str, *values: Any) -> None:
            cursor.execute(statement, values, prepare=True)

        with raw.pipeline():
            if batch.seen:
                run(self.SEEN, now, now, _array(batch.seen))
            run(self.VISIT, now, *_visit_columns(batch))
            run(self.SECOND, now.replace(microsecond=0), len(batch.arrivals))
            run(self.MINUTE, minute_of(now), *map(_array, zip(*batch.minutes, strict=True)))
            run(self.HOUR, hour_of(now), *_hour_columns(batch))
            if batch.visitors:
                sites, hashes = zip(*batch.visitors, strict=True)
                run(self.DAY, day, _array(sites), _array([h.hex() for h in hashes]), day)
            last.execute(self.TOTAL, (len(batch.arrivals),), prepare=True)
        (total,) = last.fetchone() or (0,)
        return int(total)


def _array(values: Iterable[Any]) -> str:
    """Numbers and plain words as an array of PostgreSQL."""
    return "{" + ",".join(map(str, values)) + "}"


def _texts(values: Iterable[str | None]) -> str:
    """Any texts as an array of PostgreSQL: several times faster than a list that the driver converts."""
    quoted = (
        "NULL" if v is None else '"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values
    )
    return "{" + ",".join(quoted) + "}"


def _visit_columns(batch: Batch) -> tuple[str, ...]:
    users, pages, agents, _, referrers, _, _, _, _, bots, people = zip(*batch.arrivals, strict=True)
    return (
        _array(site for site, _ in batch.sites),
        _texts(users),
        _array("NULL" if person is None else person for person in people),
        _texts(pages),
        _texts(agents),
        _texts(batch.addresses),
        _texts(referrers),
        _array("t" if bot else "f" for bot in bots),
    )


def _hour_columns(batch: Batch) -> Iterator[str]:
    return map(_array, zip(*batch.hours, strict=True))


def engine() -> SQLite | PostgreSQL:
    """The one for the database in use."""
    return PostgreSQL() if connection.vendor == "postgresql" else SQLite()


def utc_now() -> datetime:
    return datetime.now(UTC)
