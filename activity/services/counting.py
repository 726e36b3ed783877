"""Counting blocks of the trail that are complete, so that exact totals need not be counted row by row."""

from datetime import datetime

from django.db import DatabaseError, connection, transaction
from django.db.models import Count, Max, Min

from activity.append_only import COUNTING_LOCK, WRITERS_LOCK
from activity.models import Block, Entry, Tally

PATIENCE = "100ms"  # how long writers may be held up for the look at the highest number
LOCK_NOT_AVAILABLE = "55P03"
COLUMNS = tuple(field.attname for field in Tally._meta.concrete_fields if hasattr(Entry, field.attname))


def horizon() -> int | None:
    """The number at or below which no row can appear any more; 0 when there is none, None when it cannot be told.

    PostgreSQL hands out numbers before commit: only while no transaction that inserts is open is the highest
    number the last word. SQLite has one writer at a time.
    """
    try:
        with transaction.atomic(durable=True):
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
                    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [WRITERS_LOCK])
            return Entry.objects.aggregate(highest=Max("sequence"))["highest"] or 0
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        return None


def count_blocks(now: datetime | None = None) -> int:
    """Count every complete block that is not counted yet; how many there were."""
    known = horizon()
    counted = 0
    while known is not None and _count_next(known):
        counted += 1
    return counted


def _count_next(known: int) -> bool:
    """Count the next block if it lies below the horizon."""
    with transaction.atomic(durable=True):
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [COUNTING_LOCK])
        number = (Block.objects.aggregate(last=Max("number"))["last"] or 0) + 1
        if number * Block.WIDTH > known:
            return False
        _count(number)
    return True


def _count(number: int) -> None:
    rows = Entry.objects.filter(pk__gt=(number - 1) * Block.WIDTH, pk__lte=number * Block.WIDTH)
    bounds = rows.aggregate(rows=Count("pk"), first_at=Min("timestamp"), last_at=Max("timestamp"))
    block = Block.objects.create(number=number, **bounds)
    tallies = rows.order_by().values(*COLUMNS).annotate(rows=Count("pk"))
    Tally.objects.bulk_create([Tally(block=block, **tally) for tally in tallies])
