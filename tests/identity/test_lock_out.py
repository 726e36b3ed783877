"""Guessing: locks, equal answers, equal times."""

import statistics
import time
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from activity.callers import Caller
from activity.models import Entry
from identity import services
from identity.models import LockOut, SignIn
from identity.services import passwords
from tests.factories import PASSWORD
from tests.identity.together import together


@pytest.fixture
def cheap(monkeypatch):
    """Comparing instead of hashing."""
    monkeypatch.setattr(passwords, "check_password", lambda typed, stored: typed == PASSWORD)


def attempt(api, username, password):
    return api.post("/auth/token", {"username": username, "password": password}, format="multipart")


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["uma", "nobody"])
def test_the_eleventh_wrong_password_is_locked_out_and_so_is_the_right_one(api, uma, cheap, name):
    for _ in range(10):
        assert attempt(api, name, "wrong").status_code == 401
    for password in ("wrong", PASSWORD):
        refused = attempt(api, name, password)
        assert refused.status_code == 429
        assert 890 <= int(refused["Retry-After"]) <= 900
        assert refused.json() == {"detail": f"Rate limit exceeded: retry in {refused['Retry-After']} seconds"}
    assert list(Entry.objects.order_by("sequence").values_list("reason", flat=True))[-2:] == ["locked"] * 2


@pytest.mark.django_db
def test_a_thousand_guesses_stay_locked_and_another_account_signs_in(api, uma, alice, cheap):
    statuses = [
        attempt(type(api)(), "uma" if n % 2 else "UMA@example.org", f"{n}").status_code for n in range(1000)
    ]
    assert (statuses.count(401), statuses.count(429)) == (10, 990)
    assert attempt(api, "uma", PASSWORD).status_code == 429
    assert attempt(api, "alice", PASSWORD).status_code == 200
    assert Entry.objects.filter(action="sign_in").count() == 1002


@pytest.mark.django_db
def test_the_lock_ends_after_a_quarter_of_an_hour_and_counting_starts_anew(api, uma, cheap):
    for _ in range(11):
        attempt(api, "uma", "wrong")
    with time_machine.travel(timezone.now() + timedelta(minutes=15, seconds=1)):
        for _ in range(9):
            assert attempt(api, "uma", "wrong").status_code == 401
        assert attempt(api, "uma", PASSWORD).status_code == 200


@pytest.mark.django_db
def test_failures_a_quarter_of_an_hour_apart_do_not_add_up(api, uma, cheap):
    for _ in range(9):
        attempt(api, "uma", "wrong")
    with time_machine.travel(timezone.now() + timedelta(minutes=15, seconds=1)):
        assert attempt(api, "uma", "wrong").status_code == 401
        assert attempt(api, "uma", PASSWORD).status_code == 200


@pytest.mark.django_db
def test_the_right_password_forgets_the_wrong_ones(api, uma, cheap):
    for _ in range(2):
        for _ in range(9):
            attempt(api, "uma", "wrong")
        assert attempt(api, "uma", PASSWORD).status_code == 200
    assert not LockOut.objects.exists()


@pytest.mark.django_db
def test_no_typed_name_is_stored_with_a_lock(api, cheap):
    attempt(api, "my secret typed into the wrong field", "wrong")
    assert "secret" not in LockOut.objects.get().key


@pytest.mark.django_db
@override_settings(LOGIN_LOCK_FAILURES=1)
def test_one_failure_can_be_enough(api, uma, cheap):
    assert attempt(api, "uma", "wrong").status_code == 401
    assert attempt(api, "uma", PASSWORD).status_code == 429


@pytest.mark.django_db
@override_settings(LOGIN_RATE_PER_MINUTE=3)
def test_one_address_may_try_so_often_in_a_minute(api, uma, cheap):
    statuses = [attempt(api, f"name{n}", "wrong").status_code for n in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    assert api.post("/auth/token", {"username": "uma"}, format="multipart").status_code == 422
    other = api.post(
        "/auth/token",
        {"username": "uma", "password": PASSWORD},
        format="multipart",
        REMOTE_ADDR="203.0.113.9",
    )
    assert other.status_code == 200
    assert Entry.objects.count() == 4, "a throttled request is no attempt"


@pytest.mark.django_db(transaction=True)
def test_parallel_guesses_get_ten_answers(uma, cheap):
    def guess(number):
        by = Caller(ip=f"203.0.113.{number}")
        return lambda: services.sign_in("uma", f"guess {number}", by=by, door="auth")

    kinds = []
    for start in range(0, 40, 8):
        kinds += [type(r).__name__ for r in together(*(guess(start + n) for n in range(8)))]
    assert (kinds.count("InvalidCredentials"), kinds.count("Locked")) == (10, 30)
    assert LockOut.objects.get().failures == 10


@pytest.mark.django_db(transaction=True)
def test_a_lock_that_comes_while_the_right_password_is_checked_wins(uma, monkeypatch):
    """The tenth failure commits between the look at the lock and the opening of the sign-in."""

    def slow(typed, stored):
        LockOut.objects.create(
            key=f"password:{uma.uuid}",
            failures=10,
            window_started_at=timezone.now(),
            locked_until=timezone.now() + timedelta(minutes=15),
        )
        return True

    monkeypatch.setattr(passwords, "check_password", slow)
    with pytest.raises(services.locks.Locked):
        services.sign_in("uma", PASSWORD, by=Caller(), door="auth")
    assert not SignIn.objects.exists()
    assert Entry.objects.get().reason == "locked"


@pytest.mark.django_db
@override_settings(LOGIN_LOCK_FAILURES=1000)
def test_unknown_names_and_wrong_passwords_take_the_same_time(api, uma):
    """Medians of 50 alternated tries, within ten per cent; a busy machine gets three chances."""
    for name in ("uma", "nobody"):
        attempt(api, name, "wrong")

    def medians():
        times = {"uma": [], "nobody": []}
        for _ in range(50):
            for name, taken in times.items():
                started = time.thread_time()  # of this thread: neighbours on the machine do not count
                attempt(api, name, "wrong")
                taken.append(time.thread_time() - started)
        return [statistics.median(taken) for taken in times.values()]

    ratios = []
    for _ in range(3):
        known, unknown = medians()
        ratios.append(known / unknown)
        if 0.9 < ratios[-1] < 1.1:
            return
    pytest.fail(f"known to unknown: {ratios}")


@pytest.mark.django_db
def test_unknown_names_and_wrong_passwords_cost_the_same_queries(api, uma, settings):
    settings.TRAIL_INDEXES = []
    counts = []
    for name in ("uma", "nobody", "uma", "nobody"):  # the first failure inserts what later ones update
        with CaptureQueriesContext(connection) as seen:
            attempt(api, name, "wrong")
        counts.append(len(seen))
    assert counts[0] == counts[1]
    assert counts[2] == counts[3]
