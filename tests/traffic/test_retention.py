import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db.models import F

from activity.callers import Caller
from activity.models import Entry
from tests.traffic.conftest import FIREFOX, GOOGLEBOT, visit
from traffic import retention
from traffic.ingest import Ask, Ledger
from traffic.models import (
    DayCount,
    DaySalt,
    DayVisitor,
    HourCount,
    MinuteCount,
    SecondCount,
    Site,
    Visit,
    VisitTotal,
)

NOW = datetime(2026, 3, 4, 12, 34, 56, tzinfo=UTC)
PERSON = "12345678-1234-4234-8234-1234567890ab"
pytestmark = pytest.mark.django_db


def write(days_ago: float, *arrivals: Any) -> None:
    with time_machine.travel(NOW - timedelta(days=days_ago), tick=False):
        Ledger().write([Ask([arrival]) for arrival in arrivals])


def prune(**options: Any) -> retention.Pruned:
    days = {"anonymise_after": 30, "delete_after": 395, **options}
    pruned = retention.prune(NOW, by=Caller.of_system(), **days)
    assert pruned is not None
    return pruned


def command(name: str, *options: str) -> tuple[int, str]:
    out, code = io.StringIO(), 0
    with time_machine.travel(NOW, tick=True):
        try:
            call_command(name, *options, stdout=out)
        except SystemExit as left:
            code = int(left.code or 0)
    return code, out.getvalue()


def roll_ups() -> list[Any]:
    return [
        list(HourCount.objects.values_list()),
        list(DayCount.objects.values_list()),
        VisitTotal.objects.get().total,
    ]


# --- Pruning --------------------------------------------------------------------------------------------------
def test_old_visits_lose_their_person_and_very_old_ones_go_while_all_numbers_stay() -> None:
    for days in (400, 396, 394, 31, 29):
        write(days, visit(PERSON))
    before = roll_ups()
    pruned = prune()
    assert (pruned.deleted, pruned.anonymised) == (2, 2)
    rows = list(
        Visit.objects.order_by("id").values_list("user_id", "person", "ip_address", "user_agent", "page_url")
    )
    empty = ("", None, None, None, "https://example.org/a")
    assert rows[:2] == [empty] * 2
    assert (rows[2][0], rows[2][3]) == (PERSON, FIREFOX)
    assert roll_ups() == before


def test_a_run_leaves_one_row_in_the_trail_with_its_numbers() -> None:
    write(31, visit())
    prune()
    row = Entry.objects.get(action="prune_visits")
    assert (row.domain, row.source_admin, row.user_id) == ("traffic", "system", None)
    assert row.details == {"anonymised": 1, "deleted": 0, "anonymise_after": 30, "delete_after": 395}
    assert retention.last_run() == row


def test_a_run_goes_in_batches_and_a_second_finds_nothing() -> None:
    write(40, *[visit(f"u{n}") for n in range(7)])
    write(500, *[visit(f"u{n}") for n in range(5)])
    seen: list[int] = []
    pruned = retention.prune(
        NOW, by=Caller.of_system(), anonymise_after=30, delete_after=395, batch=3, progress=seen.append
    )
    assert pruned is not None
    assert (pruned.deleted, pruned.anonymised, sum(seen)) == (5, 7, 12)
    assert max(seen) <= 3
    assert (prune().deleted, prune().anonymised) == (0, 0)


def test_a_killed_run_is_finished_by_the_next() -> None:
    write(40, *[visit(f"u{n}") for n in range(6)])

    def killed(rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retention.prune(
            NOW, by=Caller.of_system(), anonymise_after=30, delete_after=395, batch=2, progress=killed
        )
    assert Visit.objects.filter(user_id="").count() == 2
    assert not Entry.objects.filter(action="prune_visits").exists()
    assert prune().anonymised == 4


def test_two_runs_do_not_go_at_once() -> None:
    with retention._alone() as first:
        assert first
        if retention.connection.vendor != "postgresql":  # there, a lock belongs to a connection
            assert retention.prune(NOW, by=Caller.of_system(), anonymise_after=1, delete_after=1) is None


def test_a_dry_run_says_what_a_run_would_do() -> None:
    write(400, visit())
    write(40, visit())
    assert "anonymise 1 visits and delete 1" in command("prune_visits", "--dry-run")[1]
    assert Visit.objects.exclude(user_id="").count() == 2
    assert "Anonymised 1 visits, deleted 1." in command("prune_visits")[1]
    with pytest.raises(CommandError):
        command("prune_visits", "--delete-after", "0")


def test_the_daily_duty_runs_once_a_day() -> None:
    write(40, visit())
    for hours, runs in ((0, 1), (23, 1), (25, 2)):
        moment = NOW + timedelta(hours=hours)
        with time_machine.travel(moment, tick=False):
            retention.prune_daily(moment)
        assert Entry.objects.filter(action="prune_visits").count() == runs


def test_salts_and_hashes_go_48_hours_after_their_day_and_the_numbers_stay() -> None:
    for days in (0, 1, 2, 3, 8.5, 36):
        write(days, visit())
    retention.forget(NOW)
    kept = {NOW.date() - timedelta(days=n) for n in range(3)}
    assert set(DaySalt.objects.values_list("day", flat=True)) == kept
    assert set(DayVisitor.objects.values_list("day", flat=True)) == kept
    assert DayCount.objects.count() == 6
    assert SecondCount.objects.count() == 4
    assert MinuteCount.objects.count() == 5
    assert HourCount.objects.filter(kind="total").count() == 6


def test_the_same_person_has_another_hash_each_day() -> None:
    for days in range(5):
        write(days, visit(PERSON), visit("anon"))
    assert len({bytes(h) for h in DayVisitor.objects.values_list("hash", flat=True)}) == 10


# --- Counting anew --------------------------------------------------------------------------------------------
def fill() -> None:
    pages = [f"https://{site}.org/{n}" for site in "ab" for n in range(3)] + ["/odd"]
    for days in (90, 36, 20, 2, 0.5, 0.01):
        write(
            days,
            *[
                visit(f"u{n % 3}", page, user_agent=[FIREFOX, GOOGLEBOT][n % 2])
                for n, page in enumerate(pages)
            ],
        )


def test_what_the_writer_counted_is_right() -> None:
    fill()
    code, said = command("recount_visits")
    assert code == 0, said
    assert "Everything is right" in said


def test_without_visits_there_is_nothing_to_be_wrong() -> None:
    assert command("recount_visits") == (0, "There are no visits.\n")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (HourCount.objects.filter(kind="page"), "hour"),
        (MinuteCount.objects.all(), "minute"),
        (SecondCount.objects.all(), "second"),
    ],
)
def test_a_wrong_number_is_named_and_repaired(table: Any, said: str) -> None:
    fill()
    wrong = table.last()
    table.filter(pk=wrong.pk).update(visits=F("visits") + 5)
    code, text = command("recount_visits")
    assert code == 1
    assert text.startswith(f"{said} ")
    assert command("recount_visits", "--repair")[0] == 1
    assert command("recount_visits")[0] == 0
    assert Entry.objects.filter(action="repair_visits").count() == 1


def test_a_missing_and_an_invented_row_are_both_found() -> None:
    fill()
    HourCount.objects.filter(kind="browser").first().delete()  # type: ignore[union-attr]
    other = Site.objects.create(host="invented.org", created_at=NOW)
    MinuteCount.objects.create(site=other, minute=NOW.replace(second=0), visits=3, bots=0)
    code, text = command("recount_visits")
    assert (code, len(text.splitlines())) == (1, 3)
    assert command("recount_visits", "--repair")[0] == 1
    assert command("recount_visits")[0] == 0


def test_wrong_visitors_are_found_and_repaired_while_the_salt_is_there() -> None:
    fill()
    DayCount.objects.filter(day__gte=NOW.date() - timedelta(days=1)).update(visitors=99)
    assert command("recount_visits", "--repair")[0] == 1
    assert command("recount_visits")[0] == 0


def test_a_wrong_total_is_said_and_never_made_from_rows() -> None:
    fill()
    VisitTotal.objects.update(total=F("total") + 1)
    code, text = command("recount_visits", "--repair")
    assert code == 1
    assert "total of all hours: stored 43, counted 42" in text
    assert VisitTotal.objects.get().total == 43


def test_what_was_pruned_is_not_counted_anew() -> None:
    fill()
    prune(anonymise_after=10, delete_after=60)
    assert command("recount_visits")[0] == 0


def test_hours_that_were_full_are_right_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HourCount, "LIMITS", {"page": 2, "referrer": 500})
    fill()
    assert HourCount.objects.filter(label__text="(other)").exists()
    assert command("recount_visits")[0] == 0


def test_only_the_hours_asked_for_are_counted() -> None:
    fill()
    HourCount.objects.filter(hour__lt=NOW - timedelta(days=1)).update(visits=77)
    _code, text = command("recount_visits", "--from", "2026-03-04T00:00")
    assert "hour" not in text.split("total")[0]
    with pytest.raises(CommandError):
        command("recount_visits", "--from", "soon")
