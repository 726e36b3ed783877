"""The digests of stored rows, read as fast as the database gives them.

Says the same as `activity.sealing.row_digest`, without making an object of each row: what rows share is encoded
once (a test holds the two together).
"""

import json
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from json.encoder import encode_basestring as quoted
from typing import Any

from django.db import connection

from activity.models import Entry
from activity.sealing import ROW

UNREADABLE = bytes(
    32
)  # of a row that cannot be written as canonical JSON, because somebody tampered with a column
REMEMBERED = 20_000
OWN = ("sequence", "audit_id", "source_ip", "timestamp", "trace_id", "user_id", "user_login")
SHARED = (
    "action", "category", "details", "domain", "info", "object_id", "object_type", "provider_id", "provider_name",
    "provider_protocol", "provider_type", "reason", "result", "source_admin",
)  # fmt: skip
COLUMNS = ", ".join((*OWN, *SHARED))
SELECT = f"SELECT {COLUMNS} FROM {Entry._meta.db_table} WHERE sequence <= %s "  # noqa: S608 - our own names
CHUNK = 2_000
Fragments = tuple[str, str]


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _fragments(shared: tuple[Any, ...]) -> Fragments:
    """The canonical JSON before the audit id, and between it and the address."""
    values = dict(zip(SHARED, shared, strict=True))
    if values["details"] is not None:
        values["details"] = json.loads(values["details"])
    members = [f'"{name}":{_plain(values[name])}' for name in SHARED]
    return f'{{{members[0]},"audit_id":', f',{",".join(members[1:])},"source_ip":'


def _text(value: str | None) -> str:
    return "null" if value is None else quoted(value)


def _moment(value: Any) -> str:
    """Six decimals and `Z`; SQLite hands out the text that it stores."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")[:26]
    return f"{value[:10]}T{value[11:19]}.{value[20:26] or '000000'}"


class Digester:
    """Digests row after row, and remembers what rows share."""

    def __init__(self) -> None:
        self.known: dict[tuple[Any, ...], Fragments] = {}

    def digest(self, row: tuple[Any, ...]) -> bytes:
        """SHA-256 over a zero byte and the canonical row; a row that has no canonical form gets zeros."""
        try:
            return self._digest(row)
        except (TypeError, ValueError, AttributeError):
            return UNREADABLE

    def _digest(self, row: tuple[Any, ...]) -> bytes:
        _, audit_id, source_ip, timestamp, trace_id, user_id, user_login = row[:7]
        shared = row[7:]
        before, between = self.known.get(shared) or self._learn(shared)
        text = (
            f"{before}{quoted(audit_id)}{between}{_text(source_ip)}"
            f',"timestamp":"{_moment(timestamp)}Z","trace_id":{quoted(trace_id)}'
            f',"user_id":{_text(user_id)},"user_login":{_text(user_login)}}}'
        )
        return sha256(ROW + text.encode()).digest()

    def _learn(self, shared: tuple[Any, ...]) -> Fragments:
        if len(self.known) >= REMEMBERED:
            self.known.clear()
        self.known[shared] = made = _fragments(shared)
        return made


def digests(
    after: int | None, upto: int, limit: int | None = None, digester: Digester | None = None
) -> Iterator[tuple[int, bytes]]:
    """`(sequence, digest)` of the rows behind `after` (None: from the very first) up to `upto`, ascending."""
    digest = (digester or Digester()).digest
    sql, parameters = SELECT, [upto]
    if after is not None:
        sql, parameters = sql + "AND sequence > %s ", [*parameters, after]
    sql += "ORDER BY sequence"
    if limit is not None:
        sql, parameters = sql + " LIMIT %s", [*parameters, limit]
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        while rows := cursor.fetchmany(CHUNK):
            for row in rows:
                yield row[0], digest(row)
