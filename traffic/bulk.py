"""Visits of the past in bulk: rows and roll-ups as if each had been posted, by the fastest way each database has."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from traffic.arrivals import Arrival
from traffic.ingest.engines import DAY, HOUR, MINUTE, SECOND, TOTAL, VISIT
from traffic.ingest.memory import hour_of, made_labels, minute_of
from traffic.ingest.tally import BROWSER, PAGE, REFERRER
from traffic.ingest.tally import TOTAL as WHOLE

Dated = tuple[datetime, int, Arrival]  # when, which site, what

COLUMN_TYPES = {
    MINUTE: ("timestamptz", "bigint", "int", "int"),
    HOUR: ("timestamptz", "bigint", "text", "bigint", "int", "int"),
    DAY: ("date", "bigint", "int"),
}


def _stored(value: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value


def _raise(statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add to roll-ups, in sorted order as every writer does."""
    if not rows:
        return
    ordered = [[_stored(value) for value in row] for row in sorted(rows, key=lambda row: row[1:] + row[:1])]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            columns = ", ".join(f"%s::{kind}[]" for kind in COLUMN_TYPES[statement])
            cursor.execute(
                statement.format(f"SELECT * FROM unnest({columns})"),  # noqa: S608 - types of our own
                [list(c) for c in zip(*ordered, strict=True)],
            )
        else:
            marks = ", ".join(["%s"] * len(ordered[0]))
            cursor.executemany(statement.format(f"VALUES ({marks})"), ordered)


def _insert(visits: Iterable[Dated]) -> None:
    rows = (
        (at, site, a.user_id, a.person, a.page_url, a.agent, a.address, a.referrer, a.bot)
        for at, site, a in visits
    )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor, cursor.copy(f"COPY traffic_visit ({VISIT}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    with connection.cursor() as cursor:
        marks = ", ".join(["%s"] * 9)
        texts = (
            (_stored(at), site, user, person and person.hex, *rest) for at, site, user, person, *rest in rows
        )
        cursor.executemany(f"INSERT INTO traffic_visit ({VISIT}) VALUES ({marks})", list(texts))  # noqa: S608


def _summed(keys: Iterator[tuple[Any, bool]]) -> dict[Any, list[int]]:
    sums: dict[Any, list[int]] = {}
    for key, bot in keys:
        sums.setdefault(key, [0, 0])[bot] += 1
    return sums


def _hour_keys(visits: Sequence[Dated]) -> Iterator[tuple[Any, bool]]:
    for at, site, a in visits:
        hour = hour_of(at)
        yield (hour, site, WHOLE, ""), a.bot
        yield (hour, site, PAGE, a.path), a.bot
        yield (hour, site, REFERRER, a.source), a.bot
        yield (hour, site, BROWSER, a.browser), a.bot


def load(visits: Sequence[Dated], *, seconds_from: datetime, minutes_from: datetime) -> None:
    """Store visits in the open transaction. Fine roll-ups only from the moments up to which they are kept.

    The caller keeps within the limits of `HourCount.LIMITS`, and counts visitors itself.
    """
    _insert(visits)
    hours = _summed(_hour_keys(visits))
    labels = made_labels({text for _, _, _, text in hours})
    _raise(
        HOUR, [(hour, site, kind, labels[text], *sums) for (hour, site, kind, text), sums in hours.items()]
    )
    minutes = _summed(((minute_of(at), site), a.bot) for at, site, a in visits if at >= minutes_from)
    _raise(MINUTE, [(minute, site, *sums) for (minute, site), sums in minutes.items()])
    seconds = _summed((at.replace(microsecond=0), False) for at, _, _ in visits if at >= seconds_from)
    with connection.cursor() as cursor:
        cursor.executemany(
            SECOND.format("%s"), [(_stored(at), number) for at, (number, _) in sorted(seconds.items())]
        )
        cursor.execute(TOTAL.format("%s"), [len(visits)])


def add_visitors(day: datetime, by_site: dict[int, int]) -> None:
    """Raise the number of visitors of a day."""
    _raise(DAY, [(day.date().isoformat(), site, number) for site, number in by_site.items() if number])
