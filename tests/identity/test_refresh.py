"""Refresh tokens: used once, forgiven for two tabs, deadly for a thief."""

from datetime import timedelta

import pytest
import time_machine
from django.test import override_settings
from django.utils import timezone
from rest_framework.test import APIClient

from activity.callers import Caller
from activity.models import Entry
from identity import services
from identity.models import RefreshToken, SignIn
from identity.services import open_sign_in
from tests.identity.together import together


def change(token):
    return APIClient().post("/auth/refresh", {"refresh_token": token})


def works(access):
    return APIClient().get("/auth/me", HTTP_AUTHORIZATION=f"Bearer {access}").status_code == 200


@pytest.mark.django_db
def test_two_tabs_refresh_one_after_the_other_and_both_go_on(uma):
    first = open_sign_in(uma)
    one, two = change(first.refresh).json(), change(first.refresh).json()
    assert works(one["access_token"])
    assert works(two["access_token"])
    assert change(one["refresh_token"]).status_code == change(two["refresh_token"]).status_code == 200
    assert not Entry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_eight_tabs_refresh_at_the_same_moment_and_all_go_on(uma):
    for _ in range(5):
        token = open_sign_in(uma).refresh
        results = together(*[lambda t=token: services.refresh(t, by=Caller())] * 8)
        assert all(isinstance(result, services.Tokens) for result in results), results
        assert len({result.refresh for result in results}) == 8
    assert not Entry.objects.exists()


@pytest.mark.django_db
def test_a_replay_after_the_grace_ends_the_whole_sign_in(uma):
    first = open_sign_in(uma)
    second = change(first.refresh).json()
    with time_machine.travel(timezone.now() + timedelta(seconds=60)):
        replay = change(first.refresh)
        assert (replay.status_code, replay.json()) == (401, {"detail": "invalid_token"})
        assert not works(second["access_token"])
        assert change(second["refresh_token"]).status_code == 401
    ended = SignIn.objects.get()
    assert ended.end_reason == "refresh_reused"
    row = Entry.objects.get()
    assert (row.action, row.result, row.user_id) == ("refresh_reused", "fail", str(uma.uuid))
    assert row.trace_id == ended.trace_id


@pytest.mark.django_db
def test_a_replay_ends_no_other_sign_in_of_the_person(uma):
    stolen, other = open_sign_in(uma), open_sign_in(uma)
    change(stolen.refresh)
    with time_machine.travel(timezone.now() + timedelta(seconds=60)):
        change(stolen.refresh)
        assert works(other.access)
        assert change(other.refresh).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_parallel_replays_leave_one_row(uma):
    token = open_sign_in(uma).refresh
    services.refresh(token, by=Caller())
    RefreshToken.objects.filter(used_at__isnull=False).update(used_at=timezone.now() - timedelta(minutes=1))
    results = together(*[lambda: services.refresh(token, by=Caller())] * 6)
    assert {type(result) for result in results} == {services.InvalidToken}
    assert Entry.objects.filter(action="refresh_reused").count() == 1


@pytest.mark.django_db
def test_refreshing_prolongs_the_sign_in_and_an_unused_one_expires(uma):
    pair = open_sign_in(uma)
    with time_machine.travel(timezone.now() + timedelta(days=13)):
        later = change(pair.refresh).json()
    with time_machine.travel(timezone.now() + timedelta(days=26)):
        assert change(later["refresh_token"]).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(days=60)):
        assert change(later["refresh_token"]).status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize("ending", ["signed_out", "deactivated", "retired"])
def test_no_pair_for_whom_the_sign_in_or_account_ended(uma, alice, ending):
    pair = open_sign_in(uma)
    end = {
        "signed_out": lambda by: services.sign_out(pair.sign_in, by=by),
        "deactivated": lambda by: services.deactivate(uma, by=by),
        "retired": lambda by: services.retire_user(uma, by=by),
    }
    end[ending](Caller(user=alice))
    assert change(pair.refresh).json() == {"detail": "invalid_token"}


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["", "x", "a.b.c", "é", "x" * 4096])
def test_what_is_no_refresh_token_is_refused(db, text):
    assert change(text).status_code == (422 if text == "" else 401)


@pytest.mark.django_db
def test_an_access_token_refreshes_nothing(uma):
    assert change(open_sign_in(uma).access).status_code == 401


@pytest.mark.django_db
@override_settings(THROTTLES={"REFRESH": [(2, 60)]})
def test_refreshing_is_throttled_by_address(uma):
    assert [change("x").status_code for _ in range(3)] == [401, 401, 429]


@pytest.mark.django_db
def test_what_expired_is_purged_and_what_lives_is_kept(uma):
    pair = open_sign_in(uma)
    assert services.purge_expired(timezone.now()) == 0
    services.purge_expired(timezone.now() + timedelta(days=15))
    assert not RefreshToken.objects.exists()
    assert SignIn.objects.filter(pk=pair.sign_in.pk).exists(), "kept a while, to be looked at"
    services.purge_expired(timezone.now() + timedelta(days=120))
    assert not SignIn.objects.exists()
