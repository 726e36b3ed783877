"""Finished rows into the table by the fastest way each database has."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from django.db import connection

from activity.generator import Row
from activity.generator.shapes import SHAPE_COLUMNS, Shape
from activity.models import Entry

OWN = ("audit_id", "timestamp", "trace_id", "source_ip", "user_id", "user_login")
COLUMNS = ", ".join((*OWN, *SHAPE_COLUMNS))
TABLE = Entry._meta.db_table
ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


Item = TypeVar("Item")


class Remembered(dict[Any, Any]):
    """What was made of each key, made once."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self.make = make

    def __missing__(self, key: Any) -> Any:
        self[key] = made = self.make(key)
        return made


def _stored(shape: Shape, provider_ids: dict[int, int]) -> tuple[Any, ...]:
    """The shared columns as they are stored: JSON as text, providers by the id they have in this database."""
    columns = shape.columns()
    if columns["details"] is not None:
        columns["details"] = json.dumps(columns["details"])
    if columns["provider_id"] is not None:
        columns["provider_id"] = provider_ids[columns["provider_id"]]
        if columns["object_type"] == "provider":
            columns["object_id"] = str(columns["provider_id"])
    return tuple(columns[name] for name in SHAPE_COLUMNS)


def _copied(values: Sequence[Any]) -> str:
    """Values as the text format of COPY writes them."""
    return "\t".join(r"\N" if value is None else str(value).translate(ESCAPES) for value in values)


class PostgreSQLWriter:
    """COPY from text."""

    def __init__(self, provider_ids: dict[int, int]) -> None:
        self.shared = Remembered(lambda shape: _copied(_stored(shape, provider_ids)))
        self.people = Remembered(lambda who: _copied((who.user_id, who.login)))

    def prepare(self, rows: list[Row]) -> str:
        """The rows as COPY reads them."""
        shared, people = self.shared, self.people
        return "".join(
            [
                f"{audit}\t{time}\t{trace}\t{where}\t{people[who]}\t{shared[shape]}\n"
                for time, audit, trace, where, shape, who in rows
            ]
        )

    def store(self, text: str) -> None:
        """Insert prepared rows inside the open transaction."""
        with connection.cursor() as cursor, cursor.copy(f"COPY {TABLE} ({COLUMNS}) FROM STDIN") as copy:
            copy.write(text)


class SQLiteWriter:
    """One prepared statement over all rows."""

    def __init__(self, provider_ids: dict[int, int]) -> None:
        self.shared = Remembered(lambda shape: _stored(shape, provider_ids))
        places = ", ".join(["%s"] * (len(OWN) + len(SHAPE_COLUMNS)))
        self.statement = f"INSERT INTO {TABLE} ({COLUMNS}) VALUES ({places})"  # noqa: S608 # names are our own

    def prepare(self, rows: list[Row]) -> list[tuple[Any, ...]]:
        """The rows as parameters of the statement."""
        shared = self.shared
        # Django writes no fraction when it is zero, and texts must compare as moments do.
        return [
            (
                audit,
                f"{time[:10]} {time[11:26] if time[20:26] != '000000' else time[11:19]}",
                trace,
                where,
                who.user_id,
                who.login,
                *shared[shape],
            )
            for time, audit, trace, where, shape, who in rows
        ]

    def store(self, values: list[tuple[Any, ...]]) -> None:
        """Insert prepared rows inside the open transaction."""
        with connection.cursor() as cursor:
            cursor.executemany(self.statement, values)


class Writer(Protocol):
    """Preparing rows needs no database, so it may be done ahead, in another thread."""

    def prepare(self, rows: list[Row]) -> Any: ...

    def store(self, prepared: Any) -> None: ...


def writer(provider_ids: dict[int, int]) -> Writer:
    """The writer for this database. `provider_ids` maps the nominal numbers 1..8 to the stored ids."""
    return PostgreSQLWriter(provider_ids) if connection.vendor == "postgresql" else SQLiteWriter(provider_ids)


def made_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each made while the one before is being stored.

    Only on PostgreSQL: there the server works in a process of its own and ours would wait. SQLite works in ours,
    and would ask for the interpreter's lock at every row.
    """
    if connection.vendor != "postgresql":
        yield from items
        return
    with ThreadPoolExecutor(max_workers=1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
