"""What is kept of visits, and for how long. Roll-ups, the total and the numbers of visitors stay."""

import fcntl
import time as clock
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from activity.callers import Caller
from activity.models import Domain, Entry
from activity.services import NOBODY, recorded
from traffic.ingest.engines import engine
from traffic.models import DaySalt, DayVisitor, MinuteCount, SecondCount, Visit
from traffic.periods import DAY, MINUTES_KEPT

LOCK = 7_770_004
SECONDS_KEPT, HASHES_KEPT = 8 * DAY, 2 * DAY
BATCH, SMALLEST_BATCH = 5_000, 50
LONGEST_HOLD = 0.03  # seconds for which one batch may keep the visits waiting
Progress = Callable[[int], object]


@dataclass
class Pruned:
    """What a run did, or would do."""

    anonymised: int = 0
    deleted: int = 0
    anonymise_after: int = 0
    delete_after: int = 0


def _expired(now: datetime, days: int) -> QuerySet[Visit]:
    return Visit.objects.filter(received_at__lt=now - timedelta(days=days))


def _anonymisable(now: datetime, days: int) -> QuerySet[Visit]:
    return _expired(now, days).exclude(user_id="")


def due(now: datetime, anonymise_after: int, delete_after: int) -> Pruned:
    """How many rows a run would anonymise and delete."""
    deleted = _expired(now, delete_after).count()
    both = (
        _anonymisable(now, anonymise_after)
        .filter(received_at__gte=now - timedelta(days=delete_after))
        .count()
    )
    return Pruned(both, deleted, anonymise_after, delete_after)


def _in_batches(
    rows: QuerySet[Visit], change: Callable[[QuerySet[Visit]], int], batch: int, progress: Progress
) -> int:
    """Change rows, oldest first, in transactions so short that no visit waits long; how many were changed.

    After each one the writers get at least as much time as they lost.
    """
    done, after, size = 0, 0, batch
    while ids := list(rows.filter(id__gt=after).order_by("id").values_list("id", flat=True)[:size]):
        began = clock.perf_counter()
        with engine().turn(), transaction.atomic():
            changed = change(Visit.objects.filter(id__gte=ids[0], id__lte=ids[-1], id__in=ids))
        took = clock.perf_counter() - began
        done, after = done + changed, ids[-1]
        progress(changed)
        if took > LONGEST_HOLD:
            size = max(SMALLEST_BATCH, int(size * LONGEST_HOLD / took))
        elif took < LONGEST_HOLD / 2:
            size = min(batch, size * 2)
        clock.sleep(max(took, 0.005))
    return done


def _anonymise(rows: QuerySet[Visit]) -> int:
    return rows.update(user_id="", person=None, ip_address=None, user_agent=None)


def _delete(rows: QuerySet[Visit]) -> int:
    return rows._raw_delete(rows.db)  # nothing refers to a visit: no cascade to look for


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether this is the only run; another one means there is nothing to do here."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
            alone = cursor.fetchone()[0]
            try:
                yield alone
            finally:
                if alone:
                    cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
        return
    with open(f"{connection.settings_dict['NAME']}.prune.lock", "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def prune(
    now: datetime,
    *,
    by: Caller,
    anonymise_after: int,
    delete_after: int,
    batch: int = BATCH,
    progress: Progress = lambda rows: None,
) -> Pruned | None:
    """Delete what is too old and empty who it was in what is rather old; None when another run is at it.

    A run that is killed is finished by the next; a finished one leaves one row in the trail.
    """
    with _alone() as alone:
        if not alone:
            return None
        pruned = Pruned(anonymise_after=anonymise_after, delete_after=delete_after)
        pruned.deleted = _in_batches(_expired(now, delete_after), _delete, batch, progress)
        pruned.anonymised = _in_batches(_anonymisable(now, anonymise_after), _anonymise, batch, progress)
        with recorded("prune_visits", domain=Domain.TRAFFIC, by=by, person=NOBODY, details=asdict(pruned)):
            return pruned


def last_run() -> Entry | None:
    """The row that the last finished run left."""
    return Entry.objects.filter(domain=Domain.TRAFFIC, action="prune_visits").order_by("-timestamp").first()


def prune_daily(now: datetime) -> None:
    """A duty: prune when the last run was a day ago or more."""
    last = last_run()
    if last is None or now - last.timestamp >= DAY:
        prune(
            now,
            by=Caller.of_system(),
            anonymise_after=settings.VISIT_ANONYMISE_DAYS,
            delete_after=settings.VISIT_KEEP_DAYS,
        )


def forget(now: datetime) -> None:
    """A duty: salts and hashes go 48 hours after their day has ended, fine roll-ups when they are too old."""
    gone = (now - HASHES_KEPT - DAY).date()
    for rows in (
        DayVisitor.objects.filter(day__lte=gone),
        SecondCount.objects.filter(second__lt=now - SECONDS_KEPT),
        MinuteCount.objects.filter(minute__lt=now - MINUTES_KEPT),
    ):
        _in_pieces(rows)
    DaySalt.objects.filter(day__lte=gone).delete()


def _in_pieces(rows: QuerySet) -> None:
    while keys := list(rows.values_list("pk", flat=True)[:BATCH]):
        with engine().turn(), transaction.atomic():
            rows.model.objects.filter(pk__in=keys).delete()
        clock.sleep(0.005)
