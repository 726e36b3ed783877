"""`seed --flush`: the only code that removes rows of the trail."""

from collections.abc import Collection

from django.db import connection

from activity import append_only
from activity.callers import Caller
from activity.models import Domain, Entry, Provider, SeedState, Segment
from activity.seed import indexes
from activity.services import record

MANY = 100_000  # from here on dropping the indexes first is quicker than keeping them up to date


def _empty_table() -> None:
    table = connection.ops.quote_name(Entry._meta.db_table)
    with connection.cursor() as cursor:
        # Neither gives sequence numbers back.
        cursor.execute(f"TRUNCATE {table}" if connection.vendor == "postgresql" else f"DELETE FROM {table}")  # noqa: S608


def remove_rows(domains: Collection[str]) -> tuple[int, str | None]:
    """Delete all rows of these domains, and all seals, inside the open transaction.

    Returns the number of rows and the head of the last seal. Seals go as a whole, since one that misses rows
    proves nothing.
    """
    doomed = Entry.objects.filter(domain__in=domains)
    last = Segment.objects.order_by("-number").first()
    with append_only.unlocked():  # nobody else writes from here on, so what is counted is what is deleted
        count = doomed.count()
        Segment.objects.all()._raw_delete(doomed.db)
        if count == Entry.objects.count():
            _empty_table()
        else:
            if count >= MANY:
                indexes.drop()
            doomed._raw_delete(doomed.db)
    return count, last.head if last else None


def remove_providers() -> None:
    """Delete the providers that the generator made; those entered by hand stay."""
    for state in SeedState.objects.filter(domain=Domain.ACTIVITY):
        Provider.objects.filter(id__in=state.state["providers_made"]).delete()


def record_flush(domains: Collection[str], removed: int, last_head: str | None) -> None:
    """The first new row: what was removed, and where the chain of seals had come to."""
    record(
        "flush_trail",
        domain=Domain.ACTIVITY,
        by=Caller.of_system("init-system"),
        details={"domains": sorted(domains), "rows_removed": removed, "last_head": last_head},
    )


def forget(domains: Collection[str]) -> None:
    """The next run starts these domains anew."""
    SeedState.objects.filter(domain__in=domains).delete()
