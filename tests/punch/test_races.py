"""What must hold when many do the same at once, with real parallel connections on both databases."""

import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import connections

from activity.callers import Caller
from activity.models import Entry
from identity.devices import register_device, revoke_own_device
from identity.models import Device, User
from punch import services
from punch.models import AuditEntry, Kiosk, KioskAccess, KioskKey, Punch, PunchState, QrToken
from tests.factories import PersonFactory
from tests.punch.conftest import SYSTEM, Booth, booth, code, phone

pytestmark = pytest.mark.django_db(transaction=True)
REPEATS = int(os.environ.get("RACE_REPEATS", "3"))  # 20 is what the contract asks to be shown once


def at_once(acts: Sequence[Callable[[], Any]]) -> list[Any]:
    """Everything started at the same moment, each in a thread with its own connection; answers or exceptions."""
    start = threading.Barrier(len(acts))
    answers: list[Any] = [None] * len(acts)

    def run(number: int, act: Callable[[], Any]) -> None:
        try:
            start.wait()
            answers[number] = act()
        except Exception as error:
            answers[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def outcome(answer: Any) -> Any:
    """Status and detail of an answer; an exception as its name."""
    if isinstance(answer, Exception):
        return repr(answer)
    return (answer.status_code, answer.json().get("detail", ""))


@pytest.fixture
def phone_of_a_worker() -> Device:
    return phone(PersonFactory(username="worker"))


@pytest.mark.parametrize("doors", [1, 5, 25])
def test_of_fifty_scans_of_one_code_exactly_one_is_a_punch(phone_of_a_worker: Device, doors: int) -> None:
    booths = [booth(f"Door {number}") for number in range(doors)]
    for _repeat in range(REPEATS):
        text = code(phone_of_a_worker)
        before = (Punch.objects.count(), replays())
        answers = at_once([lambda b=booths[n % doors], t=text: b.scan(t) for n in range(50)])
        told = Counter(outcome(answer) for answer in answers)
        assert told == {
            (200, ""): 1,
            (400, "Token has already been used (replay attack detected)"): 49,
        }
        assert (Punch.objects.count(), replays()) == (before[0] + 1, before[1] + 49)


def replays() -> int:
    trailed = Entry.objects.filter(action="punch_replay_attempt", result="fail").count()
    assert trailed == AuditEntry.objects.filter(event_type="punch_replay_attempt").count()
    return trailed


def test_two_codes_of_one_person_at_two_auto_gates_are_one_in_and_one_out(phone_of_a_worker: Device) -> None:
    gates = [booth(f"Gate {number}", punch_mode="auto") for number in range(2)]
    for _repeat in range(REPEATS):
        texts = [code(phone_of_a_worker) for _gate in gates]
        answers = at_once([lambda b=b, t=t: b.scan(t, None) for b, t in zip(gates, texts, strict=True)])
        assert sorted(answer.json()["punch_type"] for answer in answers) == ["clock_in", "clock_out"]
    moments = list(Punch.objects.order_by("id").values_list("punched_at", flat=True))
    assert moments == sorted(moments)
    state = PunchState.objects.get()
    assert state.last_punch == Punch.objects.oldest_first().last()


def test_a_person_never_gets_more_active_devices_than_allowed(settings) -> None:
    settings.MAX_ACTIVE_DEVICES_PER_USER = 3
    owner = PersonFactory()
    answers = at_once([lambda n=n: register_device(owner, f"f{n}", "Phone", by=SYSTEM) for n in range(8)])
    refused = [str(answer) for answer in answers if isinstance(answer, Exception)]
    assert refused == ["Maximum number of active devices reached"] * 5
    assert Device.objects.active().count() == 3


def test_one_fingerprint_registered_by_many_belongs_to_one() -> None:
    owners = [PersonFactory() for _ in range(6)]
    answers = at_once([lambda o=o: register_device(o, "same", "Phone", by=SYSTEM) for o in owners])
    refused = [str(answer) for answer in answers if isinstance(answer, Exception)]
    assert refused == ["Device with this fingerprint already registered"] * 5
    assert Device.objects.count() == 1


def test_of_two_revokes_one_is_told_that_it_was_done(phone_of_a_worker: Device) -> None:
    def revoke() -> Device:
        return revoke_own_device(phone_of_a_worker.pk, owner=phone_of_a_worker.user, by=SYSTEM)

    answers = at_once([revoke] * 4)
    assert [str(a) for a in answers if isinstance(a, Exception)] == ["Device is already revoked"] * 3
    assert Entry.objects.filter(action="device_revoked").count() == 1


def test_of_two_new_keys_exactly_one_stays_alive() -> None:
    kiosk = booth().kiosk
    keys = at_once([lambda: services.generate_key(kiosk.pk, by=SYSTEM)[1]] * 4)
    live = KioskKey.objects.get(kiosk=kiosk, ended_at__isnull=True)
    assert [key.key_id for key in keys].count(live.key_id) == 1


@pytest.mark.parametrize(
    ("same", "detail"),
    [
        ({"kiosk_name": "A"}, "Kiosk with this name already exists"),
        ({"device_fingerprint": "f"}, "Kiosk with this fingerprint already exists"),
        ({"ip_address": "192.0.2.1"}, "Kiosk with this IP address already exists"),
    ],
)
def test_of_equal_kiosks_set_up_at_once_one_is_made(same: dict, detail: str) -> None:
    def make(number: int) -> Kiosk:
        return services.create_kiosk({"kiosk_name": f"K{number}", "location": "x", **same}, by=SYSTEM)

    answers = at_once([lambda n=n: make(n) for n in range(4)])
    assert [str(a) for a in answers if isinstance(a, Exception)] == [detail] * 3
    assert Kiosk.objects.count() == 1


def test_grants_at_once_leave_one_row() -> None:
    kiosk, user = booth().kiosk, PersonFactory()
    answers = at_once([lambda: services.grant_access(kiosk.pk, user.pk, by=SYSTEM)] * 4)
    assert not [a for a in answers if isinstance(a, Exception)]
    assert KioskAccess.objects.count() == 1


def test_a_silent_kiosk_is_noticed_once_by_many_processes() -> None:
    from datetime import timedelta

    from django.utils import timezone

    door: Booth = booth()
    services.note_heartbeat(door.kiosk, "1", None, by=SYSTEM)
    later = timezone.now() + timedelta(seconds=301)
    at_once([lambda: services.notice_silent_kiosks(later)] * 4)
    assert Entry.objects.filter(action="kiosk_offline").count() == 1


def test_a_stop_that_was_answered_wins_over_a_scan_that_begins_after_it(phone_of_a_worker: Device) -> None:
    door, text = booth(), code(phone_of_a_worker)
    services.change_kiosk(door.kiosk.pk, {"is_active": False}, by=Caller.of_system("test"))
    assert door.scan(text).status_code == 403
    assert QrToken.objects.filter(consumed_at__isnull=True).count() == 1
    assert User.objects.count() == 1
