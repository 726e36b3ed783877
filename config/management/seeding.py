"""Which domains have demo data, and one run over those that were chosen (activity.md 6.1)."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction

import activity.seed
import identity.seed
import punch.seed
import traffic.seed
from activity.models import Domain, Entry, SeedState
from activity.seed import Progress, SeedRefused, Settled
from activity.services import count_blocks, seal


@dataclass(frozen=True)
class Planter:
    """How one domain is planted, how many rows that adds about, and how it is uprooted (but for its trail rows)."""

    plant: Callable[[Settled, SeedState, Progress], None]
    expected: Callable[[Settled], int]
    uproot: Callable[[], None]
    total: Callable[[], int] | None = None
    """How many rows there are now; None: those of the trail."""


@dataclass(frozen=True)
class Harvest:
    """What one run did to one domain."""

    domain: str
    added: int
    total: int
    seconds: float
    digest: str

    @property
    def per_second(self) -> int:
        return round(self.added / self.seconds)


def _people(settled: Settled) -> SeedState:
    """The base users, which every domain needs, and a developer's role accounts."""
    state = identity.seed.plant_people(settled)
    if settings.DEBUG:
        identity.seed.plant_role_accounts()
    return state


# In the order of planting. People's first rows are merged into those of activity, by time; so identity, which adds
# them alone when activity was not chosen, comes after it.
PLANTERS = {
    Domain.ACTIVITY.value: Planter(
        activity.seed.plant, activity.seed.expected_rows, activity.seed.remove_providers
    ),
    Domain.IDENTITY.value: Planter(
        activity.seed.plant_births, lambda settled: settled.cast, identity.seed.remove_people
    ),
    # After activity: colleagues open the intranet when they have signed in.
    Domain.TRAFFIC.value: Planter(
        traffic.seed.plant, traffic.seed.expected, traffic.seed.uproot, traffic.seed.total
    ),
    Domain.PUNCH.value: Planter(punch.seed.plant, punch.seed.expected, punch.seed.uproot),
}


def chosen(domain: str) -> list[str]:
    """The domains that a choice means; refuses one that has no demo data yet."""
    if domain == "all":
        return list(PLANTERS)
    if domain not in PLANTERS:
        raise SeedRefused(f"Domain {domain} has no demo data yet.")
    return [domain]


def flush(domains: Collection[str]) -> int:
    """Delete what these domains hold, and their rows of the trail; returns the number of rows removed."""
    with transaction.atomic():
        # People go last: what the other domains hold may belong to them.
        for domain in sorted(domains, key=lambda domain: domain == Domain.IDENTITY):
            PLANTERS[domain].uproot()
        removed, last_head = activity.seed.remove_rows(domains)
        activity.seed.forget(domains)
        activity.seed.record_flush(domains, removed, last_head)
    return removed


def expected(domains: Collection[str], settled: Settled) -> int:
    """About how many rows a run will add."""
    return sum(PLANTERS[domain].expected(settled) for domain in domains)


def _written() -> dict[str, int]:
    return {state.domain: state.state["written"] for state in SeedState.objects.all()}


def _total(domain: str) -> int:
    count = PLANTERS[domain].total
    return count() if count else Entry.objects.filter(domain=domain).count()


def run(domains: Collection[str], settled: Settled, progress: Progress) -> list[Harvest]:
    """Bring the chosen domains up to `settled.until`."""
    before, started = _written(), time.perf_counter()
    people = _people(settled)
    seconds = {Domain.IDENTITY.value: time.perf_counter() - started}
    for domain in domains:
        started = time.perf_counter()
        PLANTERS[domain].plant(settled, people, progress)
        seconds[domain] = seconds.get(domain, 0.0) + time.perf_counter() - started
    return [
        Harvest(
            domain=state.domain,
            added=state.state["written"] - before.get(state.domain, 0),
            total=_total(state.domain),
            seconds=seconds[state.domain],
            digest=state.digest,
        )
        for state in SeedState.objects.all()
        if state.domain in domains or state.domain == Domain.IDENTITY
    ]


def settle_down() -> None:
    """Seal and count what was planted, and tell the database's planner about it."""
    seal()
    count_blocks()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
