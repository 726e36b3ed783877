"""What a run was asked for, and what earlier runs settled (activity.md 6.1)."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from activity.generator import VERSION, OutOfReach, Plan, plan
from activity.generator.clock import EPOCH, milliseconds, moment
from activity.generator.story import START_OF_DIGEST
from activity.models import Domain, SeedState

BASE_USERS = 10


class SeedRefused(Exception):
    """The run cannot be done as asked; the sentence says why."""


@dataclass(frozen=True)
class Wish:
    """What was asked for; None leaves the choice to what is stored, or to the default."""

    until: datetime
    seed: int | None = None
    users: int | None = None
    rows: int | None = None


@dataclass(frozen=True)
class Settled:
    """What a run does: `cast` people are planted, and sessions are thinned by `rate` up to `thinned_until`."""

    seed: int
    users: int
    rows: int | None
    until: int
    cast: int
    rate: int | None = None
    thinned_until: int = 0
    visits: int | None = None
    """How many visits, when traffic alone was asked for a number of rows."""

    @classmethod
    def stored(cls, state: SeedState, until: int) -> "Settled":
        """To go on as an earlier run did, up to `until`."""
        return cls(
            seed=state.seed,
            users=state.users,
            rows=state.rows,
            until=until,
            cast=state.state["cast"],
            rate=state.state.get("rate"),
            thinned_until=state.state.get("thinned_until", 0),
        )

    @property
    def people_only(self) -> "Settled":
        """The same run as a domain without a number of rows sees it."""
        return replace(self, rows=None, rate=None, thinned_until=0)


def _refuse_other(name: str, wished: int | None, stored: int | None, way_out: str) -> None:
    if wished is not None and wished != stored:
        kept = "the natural volume" if stored is None else stored
        raise SeedRefused(f"This database was seeded with {name} {kept}; another value needs {way_out}.")


def _continued(wish: Wish, states: dict[str, SeedState]) -> Settled:
    """Go on as the earlier runs did."""
    known = states.get(Domain.ACTIVITY) or next(iter(states.values()))
    if any(state.version != VERSION for state in states.values()):
        raise SeedRefused("Another version of the generator seeded this database; use --flush --domain all.")
    _refuse_other("seed", wish.seed, known.seed, "--flush --domain all")
    _refuse_other("users", wish.users, known.users, "--flush --domain all")
    if Domain.ACTIVITY in states:
        _refuse_other("rows", wish.rows, known.rows, "--flush")
    return Settled.stored(known, milliseconds(wish.until))


def _planned(settled: Settled, rows: int) -> Settled:
    try:
        wanted: Plan = plan(settled.seed, settled.users, rows, settled.until)
    except OutOfReach as reason:
        raise SeedRefused(f"--rows {rows:,} is out of reach: {reason}.") from reason
    thinning = wanted.thinning
    return replace(settled, rows=rows, cast=wanted.users, rate=thinning.rate, thinned_until=thinning.until)


def settle(wish: Wish) -> Settled:
    """Bring the wish and the stored states together; refuses values that contradict them."""
    states = SeedState.objects.in_bulk()
    if states:
        settled = _continued(wish, states)
    else:
        seed = secrets.randbelow(2**63) if wish.seed is None else wish.seed
        users = wish.users or BASE_USERS
        settled = Settled(seed, users, None, milliseconds(wish.until), users)
    if wish.rows is None or Domain.ACTIVITY in states:
        return settled
    planned = _planned(settled, wish.rows)
    if states and planned.cast != settled.cast:
        raise SeedRefused(f"--rows {wish.rows:,} needs {planned.cast} people; use --flush --domain all.")
    return planned


def state_of(domain: str, settled: Settled, **own: object) -> SeedState:
    """The stored state of a domain, or a fresh one in which nothing is generated yet."""
    found = SeedState.objects.filter(domain=domain).first()
    if found is not None:
        return found
    state = {"cast": settled.cast, "written": 0, **own}
    if settled.rate is not None:
        state |= {"rate": settled.rate, "thinned_until": settled.thinned_until}
    return SeedState.objects.create(
        domain=domain,
        seed=settled.seed,
        users=settled.users,
        rows=settled.rows,
        until=EPOCH,
        version=VERSION,
        digest=START_OF_DIGEST.hex(),
        state=state,
    )


def advance(state: SeedState, mark: int, head: bytes, written: int) -> None:
    """Note in the open transaction how far a domain has come."""
    state.until = moment(mark)
    state.digest = head.hex()
    state.state["written"] += written
    state.save()
