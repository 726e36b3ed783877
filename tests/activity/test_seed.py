"""`manage.py seed`: options, continuation, flushing, loading, and the demo feed (activity.md 6.1, 6.4)."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import StringIO

import pytest
from django.contrib.auth.hashers import is_password_usable
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from activity.callers import Caller
from activity.generator import Story, cast_of
from activity.generator.shapes import SIGNED_IN, Who
from activity.models import Entry, Provider, SeedState, Segment
from activity.sealing import canonical
from activity.seed import carry_on, forget, indexes, lock, remove_rows
from activity.seed.writers import made_ahead, writer
from activity.services import record
from config.management import seeding
from identity.models import User
from tests.factories import PersonFactory

pytestmark = pytest.mark.django_db

UNTIL = datetime(2025, 5, 5, tzinfo=UTC)
# The one person of this seed joined late, so that the history is short.
SMALL = ["--seed", "10", "--users", "1", "--until", "2025-05-05"]
DIGEST = "41f7f611862f5b55e246684a13c6c1db3f19af6c1b6f13cefdc6f2b8f4027a14"
Seed = Callable[..., str]


@pytest.fixture
def seed() -> Seed:
    """The command; returns what it prints."""

    def run(*arguments: str) -> str:
        out = StringIO()
        call_command("seed", *arguments, stdout=out)
        return out.getvalue()

    return run


@pytest.fixture(autouse=True)
def _this_app_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other apps plant is tested with them."""
    here = {domain: seeding.PLANTERS[domain] for domain in ("activity", "identity")}
    monkeypatch.setattr(seeding, "PLANTERS", here)


def refused(seed: Seed, *arguments: str) -> str:
    """The sentence with which a run ends with 2."""
    with pytest.raises(CommandError) as refusal:
        seed(*arguments)
    assert refusal.value.returncode == 2
    return str(refusal.value)


def state(domain: str = "activity") -> SeedState:
    return SeedState.objects.get(domain=domain)


def present_indexes() -> set[str]:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, Entry._meta.db_table)
    return {index.name for index in Entry._meta.indexes} & found.keys()


ALL_INDEXES = {index.name for index in Entry._meta.indexes}


# --- what is loaded ------------------------------------------------------------------------------------------
def test_the_table_holds_the_generated_rows_in_order_of_time(seed: Seed) -> None:
    seed(*SMALL)
    heads = {"identity": bytes(32), "activity": bytes(32)}
    last = datetime.min.replace(tzinfo=UTC)
    for row in Entry.objects.order_by("sequence").values():
        assert last <= row["timestamp"] <= UNTIL
        last = row["timestamp"]
        heads[row["domain"]] = sha256(heads[row["domain"]] + canonical(row)).digest()
    assert state().digest == heads["activity"].hex() == DIGEST
    assert state("identity").digest == heads["identity"].hex()


def test_accounts_have_the_generated_dates_a_role_and_no_password(seed: Seed) -> None:
    seed("--seed", "10", "--until", "2025-05-05", "--domain", "identity")
    people = {person.uuid: person for person in cast_of(10, 10).people}
    accounts = User.objects.all()
    assert {str(account.uuid) for account in accounts} == people.keys()
    for account in accounts:
        person = people[str(account.uuid)]
        assert (account.username, account.email) == (person.login, person.email)
        assert account.full_name == " ".join(filter(None, [person.firstname, person.lastname]))
        assert account.created_at.timestamp() * 1000 == person.created
        assert account.roles == ["user"]
        assert not is_password_usable(account.password)
    assert User.objects.named("Clément Roux").count() == 1
    assert Entry.objects.count() == 10


def test_people_seeded_alone_get_their_first_rows_only_once(seed: Seed) -> None:
    seed("--seed", "10", "--users", "1", "--until", "2025-05-05", "--domain", "identity")
    seed("--until", "2025-05-05", "--domain", "activity")
    assert Entry.objects.filter(action="create_user").count() == 1
    assert state().digest == DIGEST


def test_base_providers_have_the_numbers_one_to_eight(seed: Seed) -> None:
    seed(*SMALL)
    assert list(Provider.objects.order_by("id").values_list("id", flat=True)) == list(range(1, 9))
    assert Provider.objects.create(type="sp", protocol="SAML", name="Next", created_at=UNTIL).id > 8


def test_what_people_made_by_hand_stays_theirs(seed: Seed) -> None:
    mine = PersonFactory(username="IVARSSON", email="own@example.org")
    Provider.objects.create(id=3, type="sp", protocol="OIDC", name="Own Thing", created_at=UNTIL)
    desk = Provider.objects.create(id=77, type="idp", protocol="OIDC", name="FRONT DESK", created_at=UNTIL)
    seed(*SMALL)
    assert User.objects.get(username_key="ivarsson") == mine
    assert Provider.objects.get(id=3).name == "Own Thing"
    assert Provider.objects.filter(type="idp").count() == 3
    assert Entry.objects.filter(provider_name="Front Desk", provider_id=desk.id).exists()
    assert not Entry.objects.filter(provider_name="Old Directory", provider_id=3).exists()
    assert state().digest == DIGEST


def test_awkward_texts_arrive_as_they_are() -> None:
    login = "back\\slash\ttab\nline\r\\N"
    row = ("2025-05-05T00:00:00.000000Z", "a" * 32, "b" * 32, "8.8.8.8", SIGNED_IN[0], Who(None, login))
    fast = writer({number: number for number in range(1, 9)})
    fast.store(fast.prepare([row]))
    entry = Entry.objects.get()
    assert (entry.user_login, entry.timestamp, entry.details) == (login, UNTIL, None)


def test_the_same_moment_is_found_with_and_without_a_fraction(seed: Seed) -> None:
    seed(*SMALL)
    whole = Entry.objects.filter(user_login="test")[:50]
    assert all(Entry.objects.filter(pk=entry.pk, timestamp=entry.timestamp).exists() for entry in whole)


def test_a_failure_while_making_rows_ahead_is_not_lost() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    made = made_ahead(items())
    assert next(made) == 1
    with pytest.raises(ZeroDivisionError):
        next(made)


# --- going on ------------------------------------------------------------------------------------------------
def test_two_runs_give_what_one_gives_and_a_third_adds_nothing(seed: Seed) -> None:
    seed("--seed", "10", "--users", "1", "--until", "2025-05-05")
    seed("--until", "2025-05-06T09:30:00.123")
    rows, parts = Entry.objects.count(), state().digest
    out = seed("--until", "2025-05-06T09:30:00.123")
    assert re.search(rf"activity +0 +{rows - 1:,} ", out)
    assert (Entry.objects.count(), state().digest) == (rows, parts)
    seed(*SMALL[:4], "--flush", "--no-input", "--force", "--until", "2025-05-06T09:30:00.123")
    assert state().digest == parts


def test_a_killed_run_is_finished_by_the_next(seed: Seed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "MANY", 0)

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("config.management.commands.seed.Lines.update", killed)
        with pytest.raises(KeyboardInterrupt):
            seed(*SMALL)
    assert 0 < Entry.objects.count() == sum(one.state["written"] for one in SeedState.objects.all())
    assert present_indexes() == set()
    seed("--until", "2025-05-05")
    assert state().digest == DIGEST
    assert present_indexes() == ALL_INDEXES


def test_indexes_stay_on_a_table_that_is_in_use(seed: Seed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "MANY", 0)
    monkeypatch.setattr(indexes, "FEW", 0)
    record("sign_in", domain="identity", by=Caller.of_system())
    indexes.drop_if_worth_it(1_000_000)
    assert present_indexes() == ALL_INDEXES


@pytest.mark.parametrize("other", [["--seed", "43"], ["--users", "2"], ["--rows", "20000"]])
def test_other_values_are_refused_in_one_sentence(seed: Seed, other: list[str]) -> None:
    seed(*SMALL)
    rows = Entry.objects.count()
    assert "--flush" in refused(seed, *other)
    assert Entry.objects.count() == rows


def test_the_stored_values_may_be_repeated(seed: Seed) -> None:
    wanted = ["--seed", "7", "--rows", "10000", "--until", "2025-05-05"]
    seed(*wanted)
    made = Entry.objects.filter(domain="activity").count()
    assert made == pytest.approx(10_000, rel=0.02)
    seed(*wanted[:4], "--until", "2025-05-05")
    assert Entry.objects.filter(domain="activity").count() == made
    seed("--until", "2025-05-06")
    natural = Story(cast_of(7, 10), mark=state().state["thinned_until"], cursors=())
    assert natural.thinning is None
    assert Entry.objects.filter(timestamp__gt=UNTIL, user_login="monitoring").count() == 288


def test_a_number_of_rows_that_needs_other_people_is_refused(seed: Seed) -> None:
    seed("--seed", "10", "--users", "1", "--until", "2025-05-05", "--domain", "identity")
    assert "people" in refused(seed, "--rows", "60000", "--until", "2025-05-05")
    assert "has no number of rows" in refused(seed, "--rows", "60000", "--domain", "identity")


def test_too_few_rows_are_refused(seed: Seed) -> None:
    assert "never thinned" in refused(seed, "--rows", "10000", "--users", "60", "--until", "2025-05-05")
    assert not SeedState.objects.exists()


@pytest.mark.parametrize(
    "bad",
    [
        ["--until", "2025-05-04"],
        ["--until", "2999-01-01"],
        ["--until", "2025-02-30"],
        ["--until", "soon"],
        ["--rows", "9999"],
        ["--users", "0"],
        ["--users", "10001"],
        ["--seed", "-1"],
        ["--seed", "x"],
        ["--domain", "weather"],
    ],
)
def test_arguments_outside_their_bounds_are_refused(seed: Seed, bad: list[str]) -> None:
    with pytest.raises(CommandError):
        seed(*bad)
    assert not Entry.objects.exists()


def test_a_domain_without_demo_data_is_refused(seed: Seed) -> None:
    assert "no demo data" in refused(seed, "--domain", "pools")


def test_a_drawn_seed_is_printed_and_stored(seed: Seed) -> None:
    out = seed("--users", "1", "--until", "2025-05-05", "--domain", "identity")
    assert f"Seed {state('identity').seed}," in out


# --- one at a time -------------------------------------------------------------------------------------------
@pytest.fixture
def another_seed() -> Iterator[None]:
    """A seed that runs in another process."""
    if connection.vendor != "postgresql":
        with lock.only_seed():
            yield
        return
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [lock.LOCK])
        yield
    other.close()


@pytest.mark.usefixtures("another_seed")
def test_the_second_of_two_seeds_is_refused(seed: Seed) -> None:
    assert "Another seed" in refused(seed, *SMALL)
    assert carry_on() == 0
    assert not Entry.objects.exists()


# --- flushing ------------------------------------------------------------------------------------------------
def test_a_flush_starts_anew_and_says_so_first(seed: Seed) -> None:
    seed(*SMALL)
    head = Segment.objects.latest("number").head
    PersonFactory(username="own.account")
    Provider.objects.create(type="sp", protocol="SAML", name="Own Thing", created_at=UNTIL)
    rows, last = Entry.objects.count(), Entry.objects.latest("sequence").sequence
    seed(*SMALL, "--flush", "--no-input", "--force")
    first = Entry.objects.order_by("sequence")[0]
    assert first.action == "flush_trail"
    assert first.sequence > last
    assert first.details == {"domains": ["activity", "identity"], "last_head": head, "rows_removed": rows}
    assert state().digest == DIGEST
    assert Segment.objects.earliest("number").first_sequence > last
    assert Provider.objects.filter(name="Own Thing").exists()
    assert User.objects.count() == 2
    assert Provider.objects.get(name="Harbour Gate").id == 1


def test_a_flush_of_one_domain_leaves_the_others(seed: Seed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activity.seed.flushing.MANY", 0)
    seed(*SMALL)
    record("sign_in", domain="identity", by=Caller.of_system())
    seed("--flush", "--no-input", "--force", "--domain", "activity", "--until", "2025-05-05")
    assert Entry.objects.filter(domain="identity").count() == 2
    assert state().digest == DIGEST
    assert present_indexes() == ALL_INDEXES


def test_the_trail_is_append_only_again_after_a_flush(seed: Seed) -> None:
    seed(*SMALL, "--flush", "--no-input", "--force")
    with pytest.raises(Exception, match="append-only"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM activity_entry")


def test_a_flush_needs_force_without_debug_and_a_yes_otherwise(
    seed: Seed, settings: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed("--seed", "10", "--users", "1", "--until", "2025-05-05", "--domain", "identity")
    assert "--force" in refused(seed, "--flush", "--no-input")
    monkeypatch.setattr("builtins.input", lambda question: "no")
    assert "Nothing was deleted" in refused(seed, "--flush", "--force")
    assert Entry.objects.count() == 1


# --- role accounts -------------------------------------------------------------------------------------------
def test_a_developer_gets_one_account_per_role(seed: Seed, settings: pytest.FixtureRequest) -> None:
    settings.DEBUG, settings.DEMO_PASSWORD = True, "open-sesame-42"
    PersonFactory(username="auditor", roles=["auditor"])
    arguments = ["--seed", "10", "--users", "1", "--until", "2025-05-05", "--domain", "identity"]
    out = seed(*arguments)
    assert "admin, operator, manager, engineer, technician, user; password open-sesame-42" in out
    admin = User.objects.get(username="admin")
    assert admin.roles == ["admin"]
    assert admin.check_password("open-sesame-42")
    assert seed(*arguments).splitlines()[-1] == out.splitlines()[-1]
    assert User.objects.count() == 8


def test_without_debug_there_are_no_role_accounts(seed: Seed) -> None:
    seed("--seed", "10", "--users", "1", "--until", "2025-05-05", "--domain", "identity")
    assert not User.objects.filter(username="admin").exists()


# --- the demo feed -------------------------------------------------------------------------------------------
def test_the_feed_leaves_an_unseeded_database_alone() -> None:
    assert carry_on() == 0
    assert not Entry.objects.exists()


def test_the_feed_goes_on_as_the_command_would(seed: Seed) -> None:
    seed("--seed", "10", "--users", "1", "--until", "2025-05-05")
    for minutes in range(30, 12 * 60, 90):
        carry_on(UNTIL + timedelta(minutes=minutes))
    carry_on(UNTIL + timedelta(hours=12))
    fed = state().digest
    assert not Entry.objects.filter(timestamp__gt=UNTIL + timedelta(hours=12)).exists()
    seed("--flush", "--no-input", "--force", "--seed", "10", "--users", "1", "--until", "2025-05-05T12:00")
    assert state().digest == fed


def test_a_quiet_feed_adds_a_demo_session_in_real_time(seed: Seed) -> None:
    seed("--seed", "10", "--users", "1", "--until", "2025-05-05")
    quiet = UNTIL + timedelta(seconds=40)
    ticks = [quiet + timedelta(seconds=5 * tick) for tick in range(60)]
    added = [carry_on(tick) for tick in ticks]
    demo = Entry.objects.filter(details={"demo": True}).order_by("sequence")
    assert demo[0].action == "authentication"
    assert demo[0].timestamp == quiet
    assert 0 < max(added) <= 3
    assert all(entry.timestamp <= ticks[-1] for entry in demo)
    newest = UNTIL
    for tick in ticks:
        newest = max(newest, Entry.objects.filter(timestamp__lte=tick).latest("timestamp").timestamp)
        assert tick - newest <= timedelta(seconds=60)
    assert (
        Entry.objects.filter(domain="activity").exclude(details={"demo": True}).count()
        == state().state["written"]
    )


def test_two_feeds_at_once_add_nothing_twice(seed: Seed) -> None:
    seed("--seed", "10", "--users", "1", "--until", "2025-05-05")
    now = UNTIL + timedelta(hours=1)
    carry_on(now)
    before = Entry.objects.count()
    assert carry_on(now) == 0
    assert Entry.objects.count() == before


def test_people_flushed_alone_get_their_first_rows_back_with_the_next_run(seed: Seed) -> None:
    seed(*SMALL)
    with transaction.atomic():
        seeding.PLANTERS["identity"].uproot()
        remove_rows(["identity"])
        forget(["identity"])
    seed("--until", "2025-05-06", "--domain", "activity")
    assert Entry.objects.filter(action="create_user").count() == 1
    assert User.objects.count() == 1
