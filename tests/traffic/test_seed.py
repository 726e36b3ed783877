import io
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from activity.models import Entry, SeedState
from activity.signing import make_key
from traffic import seed
from traffic.history import History
from traffic.models import Site, Visit, VisitTotal


@pytest.fixture(autouse=True)
def _trail_key(settings: Any) -> None:
    """A run ends with sealing the trail."""
    make_key(Path(settings.TRAIL_SIGNING_KEY_PATH))


UNTIL = datetime(2025, 6, 10, 15, 30, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def plant(until: datetime = UNTIL, *options: Any) -> str:
    out = io.StringIO()
    call_command(
        "seed", "--domain", "traffic", "--seed", "1", "--until", until.isoformat(), *options, stdout=out
    )
    return out.getvalue()


def digest() -> str:
    return SeedState.objects.get(domain="traffic").digest


def test_demo_visits_are_as_described_and_all_roll_ups_are_right() -> None:
    plant()
    assert abs(Visit.objects.count() - 20_000) <= 400
    assert VisitTotal.objects.get().total == Visit.objects.count()
    assert set(Site.objects.values_list("host", flat=True)) == {
        "www.example.org", "shop.example.org", "intranet.example.org",
    }  # fmt: skip
    assert 0.07 < Visit.objects.filter(bot=True).count() / Visit.objects.count() < 0.13
    assert Visit.objects.filter(received_at__gt=UNTIL - timedelta(days=1)).count() >= 500
    assert not Visit.objects.filter(received_at__gt=UNTIL).exists()
    days = Counter(at.date().isoformat() for at in Visit.objects.values_list("received_at", flat=True))
    assert all(days[f"2025-05-0{n}"] >= 20 for n in range(1, 6))
    intranet = Visit.objects.filter(site__host="intranet.example.org")
    assert intranet.count() > 1000
    assert not intranet.filter(person=None).exists()
    ids = list(Visit.objects.order_by("received_at", "id").values_list("id", flat=True)[:3000])
    assert ids == sorted(ids)
    assert Entry.objects.filter(action="register_site").count() == 3
    out = io.StringIO()
    call_command("recount_visits", stdout=out)
    assert "Everything is right" in out.getvalue()


def test_the_same_seed_gives_the_same_visits_and_twice_adds_nothing() -> None:
    plant(UNTIL, "--rows", "10000")
    first, number = digest(), Visit.objects.count()
    assert abs(number - 10_000) <= 200
    plant(UNTIL)
    assert (digest(), Visit.objects.count()) == (first, number)
    plant(UNTIL, "--rows", "10000", "--flush", "--no-input", "--force")
    assert (digest(), Visit.objects.count()) == (first, number)


def test_a_later_run_goes_on_and_the_counts_stay_right() -> None:
    plant(UNTIL, "--rows", "10000")
    number = Visit.objects.count()
    plant(UNTIL + timedelta(days=3))
    assert Visit.objects.count() > number + 500
    out = io.StringIO()
    call_command("recount_visits", stdout=out)
    assert "Everything is right" in out.getvalue()


def test_colleagues_open_the_intranet_after_they_signed_in() -> None:
    call_command(
        "seed",
        "--seed",
        "1",
        "--rows",
        "10000",
        "--until",
        UNTIL.isoformat(),
        "--domain",
        "activity",
        stdout=io.StringIO(),
    )
    plant()
    followed = 0
    visits = Visit.objects.filter(person__isnull=False, received_at__gt=UNTIL - timedelta(days=20))
    for visit in visits[:200]:
        followed += Entry.objects.filter(
            user_id=str(visit.person),
            action="authentication",
            result="success",
            timestamp__lte=visit.received_at,
            timestamp__gte=visit.received_at - timedelta(seconds=700),
        ).exists()
    assert followed > 30  # the others had not signed in yet, or long before


def test_traffic_without_visits_wanted_refuses_no_domain() -> None:
    with pytest.raises(CommandError):
        plant(UNTIL, "--rows", "5")


def test_the_demo_adds_a_visit_through_the_ordinary_writer() -> None:
    seed.carry_on(UNTIL)
    assert not Visit.objects.exists()
    plant(UNTIL, "--rows", "10000")
    before = VisitTotal.objects.get().total
    seed.carry_on(UNTIL)
    assert VisitTotal.objects.get().total == before + 1


def test_a_history_goes_on_without_being_told_anew() -> None:
    history = History(1, 10_000, UNTIL, ["p"])
    whole = history.day(datetime(2025, 5, 20, tzinfo=UTC), UNTIL, {})
    part = history.day(datetime(2025, 5, 20, tzinfo=UTC), datetime(2025, 5, 20, 11, tzinfo=UTC), {})
    assert part == [visit for visit in whole if visit.at <= datetime(2025, 5, 20, 11, tzinfo=UTC)]
    assert len(whole) > len(part) > 0
