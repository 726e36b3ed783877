"""Demo visits (traffic.md 6): three sites, a year of office days, everything as if it had been posted."""

import os
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import groupby

from django.db import transaction
from django.utils import timezone

from activity.callers import Caller
from activity.generator import VERSION, cast_of
from activity.generator.clock import milliseconds, moment
from activity.generator.people import BASE_USERS
from activity.models import Domain, Entry, SeedState
from activity.seed import Progress, Settled
from activity.services import NOBODY, record
from traffic import bulk
from traffic.arrivals import Arrival, Reporter, arrival
from traffic.history import START, History, SignIns, Telling
from traffic.ingest.engines import engine
from traffic.ingest.tally import visitor_hash
from traffic.models import (
    DayCount,
    DaySalt,
    DayVisitor,
    HourCount,
    Label,
    MinuteCount,
    SecondCount,
    Site,
    Visit,
    VisitTotal,
)
from traffic.periods import DAY, MINUTES_KEPT, floor
from traffic.retention import HASHES_KEPT, SECONDS_KEPT
from traffic.services import log_visits

NATURAL, A_BATCH, DAYS_AT_ONCE = 20_000, 5_000, 30
MILLISECOND = timedelta(milliseconds=1)
NO_DIGEST = "0" * 64


def visits_wanted(settled: Settled) -> int:
    """A tenth of the rows of the trail, or as many as were asked for traffic alone."""
    if settled.visits is not None:
        return settled.visits
    return settled.rows // 10 if settled.rows else NATURAL


def _state(settled: Settled) -> SeedState:
    found = SeedState.objects.filter(domain=Domain.TRAFFIC).first()
    if found is not None:
        return found
    return SeedState(
        domain=Domain.TRAFFIC,
        seed=settled.seed,
        users=settled.users,
        rows=None,
        until=START - MILLISECOND,
        version=VERSION,
        digest=NO_DIGEST,
        state={
            "cast": settled.cast,
            "written": 0,
            "visits": visits_wanted(settled),
            "planned": settled.until,
        },
    )


def expected(settled: Settled) -> int:
    """About how many visits a run adds."""
    state = _state(settled)
    whole = moment(state.state["planned"]) - START
    left = moment(settled.until) - state.until
    return max(0, int(state.state["visits"] * (left / whole)))


def plant(settled: Settled, people: SeedState, progress: Progress) -> None:
    """Bring the visits up to `settled.until`; each batch of days is one transaction with the state it leads to."""
    state, until = _state(settled), moment(settled.until)
    if not state.pk or state.until < until:
        Planting(state, until).run(progress)


class Planting:
    """One run from the stored mark to `until`."""

    def __init__(self, state: SeedState, until: datetime) -> None:
        self.state, self.until, self.now = state, until, timezone.now()
        cast = cast_of(state.seed, state.state["cast"])
        self.people = [person.uuid for person in cast.people[: len(BASE_USERS)]]
        self.history = History(state.seed, state.state["visits"], moment(state.state["planned"]), self.people)
        self.sign_ins: dict[datetime, SignIns] = {}
        self.sites: dict[str, int] = dict(Site.objects.values_list("host", "id"))

    def run(self, progress: Progress) -> None:
        natural, waiting = 0, list[Telling]()
        mark = self.state.until
        for begin in self._days():
            told = self.history.day(begin, self.until, self.sign_ins.get(begin, {}))
            natural += sum(visit.at > self.until - DAY for visit in told)
            rush = self.history.rush(self.until, natural) if self._near(begin) else []
            waiting += sorted(v for v in [*told, *rush] if mark < v.at and begin <= v.at < begin + DAY)
            last = begin + DAY >= self.until
            if len(waiting) >= A_BATCH or last:
                self._store(self.until if last else begin + DAY - MILLISECOND, waiting)
                progress(len(waiting))
                waiting = []

    def _days(self) -> Iterator[datetime]:
        """The beginning of each day that has something to come, with the sign-ins of its stretch at hand."""
        day = floor(self.state.until + MILLISECOND, DAY)
        while day <= self.until:
            if day not in self.sign_ins:
                self.sign_ins = self._sign_ins(day)
            yield day
            day += DAY

    def _near(self, day: datetime) -> bool:
        """Whether the last 24 hours touch this day."""
        return day + DAY > self.until - DAY

    def _sign_ins(self, day: datetime) -> dict[datetime, SignIns]:
        """When each base user signed in on this day and on some more, by the trail."""
        days = {day + n * DAY: dict[str, list[datetime]]() for n in range(DAYS_AT_ONCE)}
        rows = Entry.objects.filter(
            domain=Domain.ACTIVITY,
            action="authentication",
            result="success",
            timestamp__gte=day,
            timestamp__lt=day + DAYS_AT_ONCE * DAY,
            user_id__in=self.people,
        )
        for person, at in rows.order_by("timestamp").values_list("user_id", "timestamp"):
            days[floor(at, DAY)].setdefault(str(person), []).append(at)
        return dict[datetime, SignIns](days)

    def _store(self, end: datetime, told: Sequence[Telling]) -> None:
        with engine().turn(), transaction.atomic():
            engine().lock()
            visits = [(visit.at, self._site(visit), _as_arrival(visit)) for visit in told]
            if visits:
                edges = {"seconds_from": self.now - SECONDS_KEPT, "minutes_from": self.now - MINUTES_KEPT}
                bulk.load(visits, **edges)
                for day, some in groupby(visits, key=lambda dated: floor(dated[0], DAY)):
                    self._visitors(day, list(some))
                self._seen(visits)
            digest = bytes.fromhex(self.state.digest)
            for visit in told:
                digest = sha256(digest + repr(visit).encode()).digest()
            self.state.digest, self.state.until = digest.hex(), end
            self.state.state["written"] += len(told)
            self.state.save()

    def _site(self, visit: Telling) -> int:
        host = _as_arrival(visit).host
        if host not in self.sites:
            self.sites[host] = Site.objects.create(host=host, created_at=visit.at, first_seen=visit.at).pk
            record(
                "register_site",
                domain=Domain.TRAFFIC,
                by=Caller.of_system("init-system"),
                person=NOBODY,
                target=("site", host),
                at=visit.at,
            )
        return self.sites[host]

    def _visitors(self, day: datetime, visits: Sequence[bulk.Dated]) -> None:
        """Days whose hashes would be there still get them, so that the counting goes on from them."""
        hosts = {pk: host for host, pk in self.sites.items()}
        kept = day + DAY + HASHES_KEPT > self.now
        salt = self._salt(day) if kept else os.urandom(32)
        seen = {(site, visitor_hash(salt, hosts[site], a)) for _, site, a in visits if not a.bot}
        if kept:
            known = set(DayVisitor.objects.filter(day=day.date()).values_list("site_id", "hash"))
            seen -= {(site, bytes(hash_)) for site, hash_ in known}
            DayVisitor.objects.bulk_create(DayVisitor(day=day.date(), site_id=s, hash=h) for s, h in seen)
        bulk.add_visitors(day, Counter(site for site, _ in seen))

    def _salt(self, day: datetime) -> bytes:
        found, _ = DaySalt.objects.get_or_create(day=day.date(), defaults={"salt": os.urandom(32)})
        return bytes(found.salt)

    def _seen(self, visits: Sequence[bulk.Dated]) -> None:
        last = {site: at for at, site, _ in visits}
        for site in Site.objects.filter(pk__in=last):
            site.first_seen = site.first_seen or last[site.pk]
            site.last_seen = max(last[site.pk], site.last_seen or last[site.pk])
            site.save(update_fields=["first_seen", "last_seen"])


def _as_arrival(visit: Telling) -> Arrival:
    fields = {"user_id": visit.user_id, "page_url": visit.page_url, "referrer": visit.referrer}
    return arrival(fields, Reporter(visit.agent, visit.address))


def total() -> int:
    """How many visits there are."""
    return Visit.objects.count()


def uproot() -> None:
    """Delete everything about visits, inside the open transaction; the total begins anew."""
    for table in (
        Visit,
        HourCount,
        MinuteCount,
        SecondCount,
        DayVisitor,
        DayCount,
        DaySalt,
        VisitTotal,
        Label,
        Site,
    ):
        rows = table._default_manager.all()
        rows._raw_delete(rows.db)


def carry_on(now: datetime) -> None:
    """A duty of the demo: a visit every few seconds, through the same door as every other."""
    state = SeedState.objects.filter(domain=Domain.TRAFFIC).first()
    if state is None:
        return
    cast = cast_of(state.seed, state.state["cast"])
    people = [person.uuid for person in cast.people[: len(BASE_USERS)]]
    history = History(secrets.randbits(60), 1, moment(milliseconds(now)), people)
    (told, *_) = history.rush(now, 0)
    log_visits([_as_arrival(told)])
