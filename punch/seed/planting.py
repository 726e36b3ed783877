"""Punches, their rows in the trail and their index, up to a moment; each run goes on where the last one stopped."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import ProtectedError

from activity.callers import Caller
from activity.generator import draws
from activity.generator.clock import milliseconds, moment
from activity.models import Domain, Entry, SeedState
from activity.sealing import canonical
from activity.seed import Settled, state_of
from activity.seed.states import advance
from activity.services import Line, write_together
from identity.models import Device, SignIn, User
from punch import services
from punch.audit import indexed
from punch.hours import CLOCK_IN, CLOCK_OUT
from punch.models import (
    AuditEntry,
    Kiosk,
    KioskAccess,
    KioskKey,
    Punch,
    PunchState,
    QrToken,
    Team,
)
from punch.periods import house_zone, midnight, this_week
from punch.seed import days
from punch.seed.kiosks import plant_kiosks
from punch.seed.people import DemoPeople, plant_devices, plant_people, plant_teams

HISTORY, NIGHTS = timedelta(days=30), 3
REPLAYS, DENIALS, ON_WHITE_LIST = 12, 8, 6
LONG_ENOUGH = timedelta(hours=16)  # a shorter step is left as it comes
Progress = Callable[[int], object]
ABOUT = 1400


def expected(settled: Settled) -> int:
    """About how many rows a first run adds."""
    return ABOUT if settings.DEBUG else 0


@dataclass
class Scene:
    """All that the punches of a run need."""

    seed: int
    until: datetime
    people: DemoPeople
    devices: list[Device]
    kiosks: list[Kiosk]

    def kiosk_of(self, worker: int, jti: bytes) -> Kiosk:
        """Mostly the own door; now and then another one."""
        usual = self.kiosks[2] if worker < ON_WHITE_LIST - 1 else self.kiosks[worker % 2]
        return self.kiosks[4] if draws.number(jti + b"door", 12) == 0 else usual


def _set_up(settled: Settled, until: datetime) -> tuple[Scene, list[int]]:
    people = plant_people(settled.seed, until)
    plant_teams(people)
    scene = Scene(settled.seed, until, people, plant_devices(people, until), plant_kiosks(until))
    for n, user in enumerate(people.employees[:ON_WHITE_LIST]):
        expires = until - timedelta(days=1) if n == ON_WHITE_LIST - 1 else None
        values = {"granted": True, "granted_at": until - HISTORY, "expires_at": expires}
        KioskAccess.objects.get_or_create(kiosk=scene.kiosks[2], user=user, defaults=values)
    return scene, list(people.made)


class Planting:
    """One run, in one transaction."""

    def __init__(self, scene: Scene, state: SeedState, progress: Progress) -> None:
        self.scene, self.state, self.progress = scene, state, progress
        self.head = bytes.fromhex(state.digest)
        self.written = 0
        self.states = {s.user_id: s for s in PunchState.objects.all()}

    def _events(self, after: datetime, first: bool) -> list[days.Event]:
        scene, zone = self.scene, house_zone()
        cast = days.workers(scene.seed, len(scene.devices), NIGHTS)
        events = days.natural(cast, after, scene.until, zone)
        for index, mine in events.items():
            events[index] = self._closing(index, mine, after) + mine
        if first or scene.until - after > LONG_ENOUGH:
            week = midnight(this_week(scene.until)[0], zone)
            events = days.lively(cast, events, max(week, after), scene.until)
        return sorted(event for mine in events.values() for event in mine)

    def _closing(self, index: int, mine: list[days.Event], after: datetime) -> list[days.Event]:
        """Who was in at the end of the last run goes home before coming again."""
        state = self.states.get(self.scene.devices[index].user_id)
        if state is None or state.last_type != CLOCK_IN or (mine and mine[0].type == CLOCK_OUT):
            return []
        assert state.last_punched_at is not None
        home = max(state.last_punched_at + timedelta(hours=8), after + timedelta(seconds=1))
        late = home > self.scene.until or (mine and home >= mine[0].at)
        return [] if late else [days.Event(home, index, CLOCK_OUT)]

    def run(self, after: datetime, first: bool) -> None:
        lines = self._punched(self._events(after, first))
        if first:
            lines += [*self._replays(), *self._denials()]
        self._write(sorted(lines, key=lambda line: line.at or self.scene.until))
        PunchState.objects.bulk_create(
            self.states.values(),
            update_conflicts=True,
            unique_fields=["user"],
            update_fields=["last_punch", "last_type", "last_punched_at", "last_kiosk"],
        )

    def _write(self, lines: list[Line]) -> None:
        """The rows of the trail, their share of the digest, and their index."""
        for number, line in enumerate(lines, int(self.state.state["written"])):
            line.audit_id, line.trace_id = draws.identifiers(
                draws.key(self.scene.seed, "punch", "row", number), 0, 2
            )
        entries = write_together(lines)
        for entry in entries:
            row = {field.attname: getattr(entry, field.attname) for field in Entry._meta.concrete_fields}
            self.head = sha256(self.head + canonical(row)).digest()
        pairs = zip(entries, lines, strict=True)
        AuditEntry.objects.bulk_create(
            [indexed(entry, entry.action, line.person.pk, None) for entry, line in pairs], batch_size=500
        )
        self.written += len(entries)
        self.progress(len(entries))

    def _punched(self, events: list[days.Event]) -> list[Line]:
        """The punches themselves, and their lines."""
        punches = Punch.objects.bulk_create([self._punch(event) for event in events], batch_size=500)
        for punch in punches:
            state = self.states[punch.user_id]
            state.last_punch, state.last_kiosk_id = punch, punch.kiosk_id
        return [self._validated(punch) for punch in punches]

    def _punch(self, event: days.Event) -> Punch:
        device = self.scene.devices[event.worker]
        root = draws.key(self.scene.seed, "punch", "jti", event.worker, event.at.isoformat())
        state = self.states.setdefault(device.user_id, PunchState(user_id=device.user_id))
        unusual = state.last_type == event.type
        state.last_type, state.last_punched_at = event.type, event.at
        return Punch(
            user_id=device.user_id,
            device=device,
            kiosk=self.scene.kiosk_of(event.worker, root),
            punch_type=event.type,
            punched_at=event.at,
            jwt_jti=draws.uuid_text(root),
            unusual=unusual,
            created_at=event.at,
        )

    def _validated(self, punch: Punch) -> Line:
        details = {"kiosk_id": punch.kiosk_id, "device_id": punch.device_id, "punch_type": punch.punch_type}
        details |= {"jti": punch.jwt_jti, "unusual": punch.unusual}
        target = ("punch", punch.pk)
        return self._line("punch_validated", punch.kiosk, punch.device, punch.punched_at, target, details)

    def _line(
        self, action: str, kiosk: Kiosk, device: Device, at: datetime, target: Any, details: dict[str, Any]
    ) -> Line:
        address = f"192.0.2.{10 + kiosk.pk % 200}"
        by = replace(Caller.of_system(f"kiosk {kiosk.pk}"), ip=address)
        line = Line(action, Domain.PUNCH, by, person=device.user, target=target, at=at, details=details)
        if action != "punch_validated":
            line.result, line.reason = Entry.Result.FAIL, action
        return line

    def _replays(self) -> list[Line]:
        """Somebody held an old picture of a code before another kiosk."""
        used = list(
            Punch.objects.select_related("device__user", "kiosk").order_by("-punched_at", "-id")[:400:31]
        )
        lines = []
        for punch in used[:REPLAYS]:
            kiosk = (
                self.scene.kiosks[1] if punch.kiosk_id != self.scene.kiosks[1].pk else self.scene.kiosks[0]
            )
            details = {
                "kiosk_id": kiosk.pk,
                "device_id": punch.device_id,
                "jti": punch.jwt_jti,
                "nonce": draws.uuid_text(punch.jwt_jti.encode()),
                "first_consumed_at": punch.punched_at.isoformat().replace("+00:00", "Z"),
                "first_kiosk_id": punch.kiosk_id,
            }
            at = min(punch.punched_at + timedelta(seconds=9), self.scene.until)
            target = ("kiosk", kiosk.pk)
            lines.append(self._line("punch_replay_attempt", kiosk, punch.device, at, target, details))
        return lines

    def _denials(self) -> list[Line]:
        """People of other teams at the warehouse, and the one whose access expired."""
        kiosk, lines = self.scene.kiosks[2], []
        for n in range(DENIALS):
            worker = ON_WHITE_LIST - 1 if n == 0 else 10 + n
            device = self.scene.devices[worker]
            root = draws.key(self.scene.seed, "punch", "denied", n)
            reason = "Accès expiré" if n == 0 else "Accès non autorisé pour ce kiosk"
            at = self.scene.until - timedelta(minutes=30 + draws.number(root, 1300 if n == 0 else 40_000))
            details = {
                "kiosk_id": kiosk.pk,
                "device_id": device.pk,
                "reason": reason,
                "jti": draws.uuid_text(root),
            }
            lines.append(self._line("punch_access_denied", kiosk, device, at, ("kiosk", kiosk.pk), details))
        return lines


def plant(settled: Settled, people: SeedState, progress: Progress) -> None:
    """Bring domain punch up to `settled.until`. Its accounts have known passwords: with DEBUG=0 there are none."""
    if not settings.DEBUG:
        return
    until = moment(settled.until)
    with transaction.atomic():
        state = state_of(Domain.PUNCH, settled.people_only)
        first = int(state.state["written"]) == 0
        after = until - HISTORY if first else state.until
        if not first and milliseconds(state.until) >= settled.until:
            return
        scene, made = _set_up(settled, until)
        if first:
            state.state["made"] = made
        planting = Planting(scene, state, progress)
        planting.run(after, first)
        advance(state, settled.until, planting.head, planting.written)
    if first:
        kiosk, key = services.generate_key(scene.kiosks[0].pk, by=Caller.of_system("init-system"))
        sys.stdout.write(f"Kiosk {kiosk.pk} ({kiosk}), key shown this once: {key.text}\n")


def uproot() -> None:
    """Empty the tables of this app, and remove the demo's accounts and devices, inside the open transaction."""
    made = [
        pk for state in SeedState.objects.filter(domain=Domain.PUNCH) for pk in state.state.get("made", ())
    ]
    for model in (AuditEntry, PunchState, Punch, QrToken, KioskAccess, KioskKey, Kiosk):
        model.objects.all()._raw_delete(model.objects.db)
    Team.objects.all().delete()
    Device.objects.filter(user__in=made).delete()
    SignIn.objects.filter(user__in=made).delete()
    for user in User.objects.filter(pk__in=made):
        try:
            user.delete()
        except ProtectedError:  # has done things in other apps: the account stays, without its sign-ins
            user.set_unusable_password()
            user.save(update_fields=["password"])
