"""The demo feed: the history goes on while the server runs (activity.md 6.4)."""

from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from activity.generator import Cast, draws, finished
from activity.generator.clock import milliseconds
from activity.generator.people import BASE_USERS
from activity.generator.sessions import Raw, session_rows, session_times
from activity.generator.shapes import Shape, Who
from activity.models import Domain, Entry, SeedState
from activity.seed.lock import SeedBusy, only_seed
from activity.seed.planting import Planting
from activity.seed.states import Settled

QUIET = 20_000  # milliseconds without a new row until a demo session begins


def _demo(shape: Shape) -> Shape:
    own = {
        name: getattr(shape, name) for name in ("domain", "category", "action", "result", "reason", "info")
    }
    return Shape(**own, provider=shape.provider, details={"demo": True})


def demo_session(cast: Cast, number: int, start: int) -> list[Raw]:
    """The number-th demo session: one of the base users, by the same rules, marked as demo."""
    root = draws.key(cast.seed, "demo", number)
    drawn = cast.people[draws.number(root, min(len(BASE_USERS), len(cast.people)))]
    person, words = replace(drawn, root=root), draws.words(root, number)
    times = session_times(start, words)
    rows = session_rows(person, Who(person.uuid, person.login), number, words, times)
    return [(*row[:3], _demo(row[3]), *row[4:]) for row in rows]


def _quiet(now: int) -> bool:
    newest = Entry.objects.filter(domain=Domain.ACTIVITY).order_by("-timestamp", "-sequence").first()
    return newest is None or milliseconds(newest.timestamp) < now - QUIET


def _add_demo_rows(planting: Planting, state: SeedState, now: int) -> int:
    """The rows of the running demo session that are due; a new session when it has been quiet for too long.

    Stored is (number, start, up to when it is written). These rows are outside the digest.
    """
    number, start, written = state.state.get("demo", (0, now, now))
    rows = [row for row in demo_session(planting.cast, number, start) if row[0] > written] if number else []
    if not rows and _quiet(now):
        number, start, written = number + 1, now, now - 1
        rows = demo_session(planting.cast, number, start)
    due = [row for row in rows if row[0] <= now]
    if due:
        with transaction.atomic():
            planting.writer.store(planting.writer.prepare(finished(due, {Domain.ACTIVITY.value: b""})))
            state.state["demo"] = (number, start, now)
            state.save()
    return len(due)


def carry_on(now: datetime | None = None) -> int:
    """Continue the history to `now`, and keep it lively; returns the number of rows added.

    Does nothing on a database that was never seeded, nor while a seed is running on it.
    """
    moment_now = now or timezone.now()
    try:
        with only_seed():
            return _carry_on(milliseconds(moment_now))
    except SeedBusy:
        return 0


def _carry_on(now: int) -> int:
    state = SeedState.objects.filter(domain=Domain.ACTIVITY).first()
    if state is None:
        return 0
    planting = Planting(Settled.stored(state, now), activity=state)
    added = planting.run(lambda rows: None)
    return added + _add_demo_rows(planting, state, now)
