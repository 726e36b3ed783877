"""Who is in: everybody in view, each in exactly one of four groups."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from identity.models import Device, User
from punch.hours import CLOCK_IN, Flag
from punch.models import Kiosk, PunchState
from punch.periods import today
from punch.queries.people import seen_by
from punch.queries.stamps import Kiosks, rows_of

REMEMBERED = timedelta(days=30)


@dataclass(frozen=True)
class Present:
    """One person: since when, at which kiosk, for how many seconds."""

    person: User
    since: datetime | None = None
    kiosk: Kiosk | None = None
    seconds: int = 0


@dataclass
class Board:
    """The four groups; `total` is everybody expected."""

    inside: list[Present] = field(default_factory=list)
    missed: list[Present] = field(default_factory=list)
    out: list[Present] = field(default_factory=list)
    unseen: list[Present] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(map(len, (self.inside, self.missed, self.out, self.unseen)))


def _expected(viewer: User, now: datetime) -> list[User]:
    """People in view with an active device or a punch in 30 days."""
    device = Exists(Device.objects.active().filter(user=OuterRef("pk")))
    recent = Q(punch_state__last_punched_at__gte=now - REMEMBERED)
    people = seen_by(viewer).living().filter(Q(device) | recent, is_active=True)  # type: ignore[attr-defined]
    return list(people.select_related("punch_state__last_kiosk"))


def _state(person: User) -> PunchState | None:
    state: PunchState | None = getattr(person, "punch_state", None)
    return state if state is not None and state.last_punched_at is not None else None


def _matches(person: User, words: str) -> bool:
    told = f"{person.full_name} {person.username} {person.email or ''}".casefold()
    return all(word in told for word in words.casefold().split())


class _Clock:
    """What is needed to say where one person stands."""

    def __init__(self, people: list[User], now: datetime) -> None:
        self.now, self.midnight = now, today(now)[0]
        self.shift = timedelta(hours=settings.PUNCH_MAX_SHIFT_HOURS)
        rows = rows_of([p.pk for p in people], now - self.shift, now, now, Kiosks())
        self.began = {pk: row.stamp.at for pk, found in rows for row in found if row.flag == Flag.IN_PROGRESS}

    def place(self, person: User, board: Board) -> None:
        state = _state(person)
        if state is None or state.last_punched_at is None:
            board.unseen.append(Present(person))
            return
        since = self.began.get(person.pk, state.last_punched_at)
        told = Present(person, since, state.last_kiosk, int((self.now - since).total_seconds()))
        if state.last_type == CLOCK_IN and self.now - since <= self.shift:
            board.inside.append(told)
        elif state.last_type == CLOCK_IN and self.now - since <= REMEMBERED:
            board.missed.append(told)
        elif state.last_type != CLOCK_IN and since >= self.midnight:
            board.out.append(told)
        else:
            board.unseen.append(told)


def board(viewer: User, now: datetime, words: str = "", kiosk_id: int | None = None) -> Board:
    """Where everybody in view stands now; narrowed to a name or to the kiosk of the last punch."""
    people = [person for person in _expected(viewer, now) if _matches(person, words)]
    if kiosk_id is not None:
        people = [p for p in people if (state := _state(p)) and state.last_kiosk_id == kiosk_id]
    result, clock = Board(), _Clock(people, now)
    for person in sorted(people, key=lambda p: (p.last_name or p.username, p.first_name, p.pk)):
        clock.place(person, result)
    result.inside.sort(key=lambda present: -present.seconds)
    return result
