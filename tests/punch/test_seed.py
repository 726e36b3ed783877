"""The demo data of the clock: all that punch.md 6 names, the same from the same seed, and carried on."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import call_command

from activity.models import Entry, SeedState
from identity.models import Device, User
from punch.models import AuditEntry, Kiosk, KioskAccess, Punch, Team
from punch.periods import this_week
from punch.queries.presence import board
from punch.queries.stamps import Kiosks
from punch.queries.timesheet import Span, sheets_seen_by

pytestmark = pytest.mark.django_db(transaction=True)
THURSDAY = datetime(2026, 5, 7, 14, 30, tzinfo=UTC)


@pytest.fixture
def seeded(settings):
    settings.DEBUG = True
    settings.PUNCH_TIME_ZONE = "Europe/Paris"

    def seed(until: datetime = THURSDAY, **options) -> SeedState:
        call_command("seed", seed=7, until=until, domain="punch", stdout=StringIO(), **options)
        return SeedState.objects.get(domain="punch")

    return seed


def test_the_demo_shows_everything_the_contract_names(seeded, client):
    seeded()
    assert Team.objects.count() == 3
    assert Team.objects.filter(managers=None).count() == 1
    assert Device.objects.active().count() == 24
    assert Device.objects.filter(is_revoked=True).count() == 2
    kiosks = {kiosk.kiosk_name: kiosk for kiosk in Kiosk.objects.all()}
    assert set(kiosks) == {"Test-Kiosk-ClockIn", "Main-Gate-Auto", "Warehouse", "Old-Terminal", "Side-Door"}
    assert not kiosks["Old-Terminal"].is_active
    assert KioskAccess.objects.filter(kiosk=kiosks["Warehouse"]).count() == 6
    assert KioskAccess.objects.filter(expires_at__lt=THURSDAY).count() == 1
    events = Counter(AuditEntry.objects.values_list("event_type", flat=True))
    assert (events["punch_replay_attempt"], events["punch_access_denied"]) == (12, 8)
    assert events["punch_validated"] == Punch.objects.count() > 700
    assert Punch.objects.oldest_first().first().punched_at > THURSDAY - timedelta(days=30, hours=1)
    assert Punch.objects.newest_first().first().punched_at <= THURSDAY
    for login, password in (("admin-e2e@local", "Passw0rd!"), ("testuser@example.com", "testpass123")):
        assert client.post("/auth/token", {"username": login, "password": password}).status_code == 200


@pytest.mark.parametrize(
    "until", [THURSDAY, datetime(2026, 5, 3, 22, 40, tzinfo=UTC), datetime(2026, 5, 10, 3, tzinfo=UTC)]
)
def test_twelve_are_in_at_the_end_and_each_flag_is_in_the_current_week(seeded, until):
    seeded(until)
    viewer = User.objects.get(username="admin-e2e@local")
    with time_machine.travel(until, tick=False):
        assert len(board(viewer, until).inside) == 12
        week = Span(*this_week(until))
        flags = {row.flag for sheet in sheets_seen_by(viewer, week, until, Kiosks()) for row in sheet.rows}
    assert {flag.value for flag in flags if flag} == {"missing_out", "missing_in", "in_progress", "duplicate"}


def test_the_same_seed_gives_the_same_rows_and_again_adds_none(seeded):
    first = seeded().digest
    rows = Entry.objects.filter(domain="punch").count()
    assert seeded().digest == first
    assert Entry.objects.filter(domain="punch").count() == rows
    seeded(flush=True, interactive=False)
    assert Entry.objects.filter(domain="punch").count() == rows


def test_a_later_run_goes_on_and_leaves_nobody_in_for_days(seeded):
    seeded()
    before = Punch.objects.count()
    later = THURSDAY + timedelta(days=5)
    seeded(later)
    assert Punch.objects.filter(punched_at__gt=THURSDAY).count() == Punch.objects.count() - before > 100
    viewer = User.objects.get(username="admin-e2e@local")
    assert 10 <= len(board(viewer, later).inside) <= 14


def test_without_demo_mode_there_are_no_demo_accounts(seeded, settings):
    settings.DEBUG = False
    from activity.seed import Wish, settle
    from config.management import seeding

    seeding.run(["punch"], settle(Wish(THURSDAY, 7)), lambda rows: None)
    assert not User.objects.filter(username="admin-e2e@local").exists()
    assert not Punch.objects.exists()


def test_flushing_empties_the_clock_and_keeps_other_accounts(seeded):
    seeded()
    from tests.factories import PersonFactory

    mine = PersonFactory()
    call_command("seed", domain="punch", flush=True, interactive=False, until=THURSDAY, stdout=StringIO())
    assert User.objects.filter(pk=mine.pk).exists()
    assert Kiosk.objects.count() == 5
