from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import DataError, IntegrityError, OperationalError, connection
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from activity.models import Entry
from config.errors import TooManyRequests
from tests.traffic.conftest import FIREFOX, GOOGLEBOT, visit
from traffic.ingest import Ask, Ledger
from traffic.ingest.ledger import kept_address
from traffic.ingest.writer import NotStored, store
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

NOON = datetime(2026, 3, 4, 12, 0, 0, 250_000, tzinfo=UTC)


def total() -> int:
    return VisitTotal.objects.get().total


def test_visits_are_numbered_from_one_without_gap_in_the_order_they_came(log: Any) -> None:
    assert log(visit(), visit(), visit()) == [1, 2, 3]
    assert log(visit()) == [4]
    assert total() == Visit.objects.count() == 4


def test_an_ask_of_several_visits_gets_the_number_of_its_last(db: None) -> None:
    assert Ledger().write([Ask([visit()] * 3), Ask([visit()]), Ask([visit()] * 2)]) == [3, 4, 6]


def test_every_roll_up_of_a_visit_uses_its_one_moment(log: Any) -> None:
    with time_machine.travel(NOON, tick=False):
        log(visit(), visit(user_agent=GOOGLEBOT))
    assert set(Visit.objects.values_list("received_at", flat=True)) == {NOON}
    assert SecondCount.objects.values_list("second", "visits").get() == (NOON.replace(microsecond=0), 2)
    assert MinuteCount.objects.values_list("minute", "visits", "bots").get() == (
        NOON.replace(microsecond=0),
        1,
        1,
    )
    hours = HourCount.objects.values_list("hour", "kind", "label__text", "visits", "bots")
    hour = NOON.replace(microsecond=0)
    assert set(hours) == {
        (hour, "total", "", 1, 1),
        (hour, "page", "/a", 1, 1),
        (hour, "referrer", "(direct)", 1, 1),
        (hour, "browser", "Firefox", 1, 0),
        (hour, "browser", "Other", 0, 1),
    }
    assert DayCount.objects.values_list("day", "visitors").get() == (NOON.date(), 1)


def test_a_warm_writer_asks_the_database_for_nothing_but_the_batch(
    db: None, django_assert_max_num_queries: Any
) -> None:
    ledger = Ledger()
    with time_machine.travel(NOON, tick=False):
        ledger.write([Ask([visit()])])
        with django_assert_max_num_queries(2):  # the transaction; the batch's own statements bypass Django
            ledger.write([Ask([visit()])])


def test_moments_never_go_back_within_a_process(db: None) -> None:
    ledger = Ledger()
    with time_machine.travel(NOON, tick=False):
        ledger.write([Ask([visit()])])
    with time_machine.travel(NOON - timedelta(seconds=5), tick=False):
        ledger.write([Ask([visit()])])
    assert list(Visit.objects.values_list("received_at", flat=True)) == [NOON, NOON]


def test_a_writer_goes_on_into_the_next_day_with_another_salt(db: None) -> None:
    ledger = Ledger()
    for moment in (NOON, NOON + timedelta(days=1)):
        with time_machine.travel(moment, tick=False):
            ledger.write([Ask([visit(), visit()])])
    assert [c.visitors for c in DayCount.objects.order_by("day")] == [1, 1]
    assert DaySalt.objects.count() == 2
    assert len({bytes(v.hash) for v in DayVisitor.objects.all()}) == 2


# --- Sites ----------------------------------------------------------------------------------------------------
def test_a_new_host_becomes_a_site_with_one_row_in_the_trail(log: Any) -> None:
    log(visit(), visit(), visit(page="https://shop.example.org/"))
    assert set(Site.objects.values_list("host", "reserved")) == {
        ("example.org", False),
        ("shop.example.org", False),
    }
    rows = Entry.objects.filter(action="register_site")
    assert {(r.domain, r.category, r.object_type, r.object_id, r.source_admin, r.user_id) for r in rows} == {
        ("traffic", "traffic", "site", "example.org", "system", None),
        ("traffic", "traffic", "site", "shop.example.org", "system", None),
    }
    assert len(rows) == 2


def test_a_site_knows_when_it_was_first_and_last_seen(db: None) -> None:
    ledger = Ledger()
    for moment in (NOON, NOON + timedelta(seconds=20), NOON + timedelta(minutes=1)):
        with time_machine.travel(moment, tick=False):
            ledger.write([Ask([visit()])])
    site = Site.objects.get()
    assert (site.first_seen, site.last_seen) == (NOON, NOON + timedelta(minutes=1))


def test_what_has_no_host_belongs_to_the_reserved_site(log: Any) -> None:
    log(visit(page="/home"), visit(page="javascript:x"))
    assert Site.objects.values_list("host", "reserved").get() == ("(none)", True)
    assert not Entry.objects.filter(action="register_site").exists()


def test_beyond_the_limit_new_hosts_share_one_site(log: Any, settings: Any, caplog: Any) -> None:
    settings.VISIT_MAX_SITES = 2
    log(*[visit(page=f"https://{name}.example/x") for name in "abcd"], visit(page="/none"))
    log(visit(page="https://e.example/"))
    counted = Counter(Visit.objects.values_list("site__host", flat=True))
    assert counted == {"a.example": 1, "b.example": 1, "(other)": 3, "(none)": 1}
    assert len([r for r in caplog.records if "VISIT_MAX_SITES" in r.message]) == 2  # one for each writer


def test_a_site_added_by_hand_beyond_the_limit_gets_its_visits_within_a_minute(
    db: None, settings: Any
) -> None:
    settings.VISIT_MAX_SITES = 0
    ledger = Ledger()
    with time_machine.travel(NOON, tick=False):
        ledger.write([Ask([visit()])])
    Site.objects.create(host="example.org", created_at=NOON)
    with time_machine.travel(NOON + timedelta(minutes=1), tick=False):
        ledger.write([Ask([visit()])])
    assert [v.site.host for v in Visit.objects.order_by("id")] == ["(other)", "example.org"]


# --- Labels ---------------------------------------------------------------------------------------------------
def test_pages_and_referrers_beyond_the_limit_of_an_hour_are_counted_as_other(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HourCount, "LIMITS", {"page": 3, "referrer": 2})
    ledger = Ledger()
    with time_machine.travel(NOON, tick=False):
        ledger.write(
            [Ask([visit(page=f"https://example.org/{n}", referrer=f"https://r{n}.org/")]) for n in range(5)]
        )
        Ledger().write(
            [Ask([visit(page="https://example.org/new")]), Ask([visit(page="https://example.org/1")])]
        )
        ledger.write([Ask([visit(page="https://example.org/newer")])])
    pages = dict(HourCount.objects.filter(kind="page").values_list("label__text", "visits"))
    assert pages == {"/0": 1, "/1": 2, "/2": 1, "(other)": 4}
    sources = dict(HourCount.objects.filter(kind="referrer").values_list("label__text", "visits"))
    assert sources == {"r0.org": 1, "r1.org": 1, "(other)": 6}
    assert not Label.objects.filter(text__in=["/3", "/4", "/new", "/newer"]).exists()


def test_an_hour_that_was_full_leaves_room_in_the_next(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HourCount, "LIMITS", {"page": 1})
    ledger = Ledger()
    for hours in range(2):
        with time_machine.travel(NOON + timedelta(hours=hours), tick=False):
            ledger.write([Ask([visit(page=f"https://example.org/{n + hours}")]) for n in range(2)])
    pages = HourCount.objects.filter(kind="page").order_by("hour", "id").values_list("label__text", flat=True)
    assert sorted(pages) == ["(other)", "(other)", "/0", "/1"]


# --- Visitors -------------------------------------------------------------------------------------------------
def test_five_pages_by_one_agent_and_address_are_one_visitor_and_another_agent_makes_two(log: Any) -> None:
    pages = [visit("anon", f"https://example.org/{n}") for n in range(5)]
    log(*pages)
    assert DayCount.objects.get().visitors == 1
    log(visit("anon", user_agent="another"))
    assert DayCount.objects.get().visitors == 2


def test_a_stated_person_is_one_visitor_whatever_the_address(log: Any) -> None:
    log(*[visit("alice", ip_address=f"192.0.2.{n}") for n in range(3)])
    assert DayCount.objects.get().visitors == 1


def test_visitors_of_two_sites_are_counted_on_each(log: Any) -> None:
    log(visit(), visit(page="https://shop.example.org/"))
    assert sorted(DayCount.objects.values_list("site__host", "visitors")) == [
        ("example.org", 1),
        ("shop.example.org", 1),
    ]


def test_bots_are_counted_as_bots_and_never_as_visitors(log: Any) -> None:
    assert log(visit(user_agent=GOOGLEBOT)) == [1]
    assert MinuteCount.objects.values_list("visits", "bots").get() == (0, 1)
    assert not DayCount.objects.exists()
    assert not DayVisitor.objects.exists()


@pytest.mark.parametrize(
    ("how", "address", "kept"),
    [
        ("full", "203.0.113.77", "203.0.113.77"),
        ("prefix", "203.0.113.77", "203.0.113.0"),
        ("prefix", "2001:db8:1:2::3", "2001:db8:1::"),
        ("none", "203.0.113.77", None),
    ],
)
def test_of_an_address_only_what_was_chosen_is_kept(how: str, address: str, kept: str | None) -> None:
    assert kept_address(address, how) == kept


def test_visitors_are_told_apart_before_their_address_is_shortened(log: Any, settings: Any) -> None:
    settings.VISIT_IP = "prefix"
    log(visit("anon", ip_address="192.0.2.1"), visit("anon", ip_address="192.0.2.2"))
    assert DayCount.objects.get().visitors == 2
    assert set(Visit.objects.values_list("ip_address", flat=True)) == {"192.0.2.0"}


# --- Texts survive as they are --------------------------------------------------------------------------------
NASTY = ['a"b', "a\\b", "{a,b}", "NULL", "null", "'; DROP", "a,b", "é漢🎉", "%s %", '\\"', "  x  "]


def test_texts_are_stored_as_they_came(log: Any) -> None:
    log(*[visit(text, text, user_agent=text, referrer=text) for text in NASTY])
    stored = list(Visit.objects.order_by("id").values_list("user_id", "page_url", "user_agent", "referrer"))
    assert stored == [(text,) * 4 for text in NASTY]


def test_a_person_is_stored_as_one(log: Any) -> None:
    log(visit("12345678-1234-4234-8234-1234567890ab"), visit("bob"))
    assert [str(v.person) for v in Visit.objects.order_by("id")] == [
        "12345678-1234-4234-8234-1234567890ab",
        "None",
    ]


# --- Quota ----------------------------------------------------------------------------------------------------
def test_an_address_is_refused_what_goes_over_its_quota(db: None, settings: Any) -> None:
    settings.VISIT_RATE = 3
    ask = Ask([visit()], "203.0.113.9")
    answers = Ledger().write([ask] * 5 + [Ask([visit()], "203.0.113.10"), Ask([visit()])])
    assert [isinstance(a, TooManyRequests) for a in answers] == [False] * 3 + [True] * 2 + [False] * 2
    assert [a for a in answers if isinstance(a, int)] == [1, 2, 3, 4, 5]
    (again,) = Ledger().write([ask])
    assert isinstance(again, TooManyRequests)
    assert 1 <= int(again.headers["Retry-After"]) <= 60
    assert total() == Visit.objects.count() == 5


def test_a_quota_begins_anew_after_its_minute(db: None, settings: Any) -> None:
    settings.VISIT_RATE = 1
    ask = Ask([visit()], "203.0.113.9")
    with time_machine.travel(NOON, tick=False):
        assert [type(a) for a in Ledger().write([ask, ask])] == [int, TooManyRequests]
    with time_machine.travel(NOON + timedelta(seconds=61), tick=False):
        assert Ledger().write([ask]) == [2]


def test_a_refused_stranger_leaves_nothing_not_even_a_site(db: None, settings: Any) -> None:
    settings.VISIT_RATE = 1
    Ledger().write([Ask([visit(), visit()], "203.0.113.9")])
    assert not Site.objects.exists()
    assert not VisitTotal.objects.exists()


# --- Failures -------------------------------------------------------------------------------------------------
class Failing(Ledger):
    """Fails for every batch with a visit of `poison`."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error, self.tried = error, 0

    def _stored(self, asks: Any, now: datetime) -> Any:
        self.tried += 1
        if any(a.user_id == "poison" for ask in asks for a in ask.arrivals):
            raise self.error
        return super()._stored(asks, now)


@pytest.mark.parametrize("error", [DataError("x"), IntegrityError("x"), ValueError("x")])
def test_one_visit_that_cannot_be_stored_takes_no_other_with_it(db: None, error: Exception) -> None:
    asks = [Ask([visit(user)]) for user in ("a", "b", "poison", "c", "d")]
    answers = store(Failing(error), asks)
    assert [a if isinstance(a, int) else type(a) for a in answers] == [1, 2, NotStored, 3, 4]
    assert total() == Visit.objects.count() == 4


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_gone_refuses_the_whole_batch_after_one_more_try() -> None:
    ledger = Failing(OperationalError("gone"))
    answers = store(ledger, [Ask([visit("poison")]), Ask([visit("a")])])
    assert [type(a) for a in answers] == [NotStored, NotStored]
    assert answers[0].headers["Retry-After"] == "1"
    assert ledger.tried == 2
    assert store(ledger, [Ask([visit("a")])]) == [1]


@pytest.mark.django_db(transaction=True)
def test_after_a_commit_of_unknown_end_nothing_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger()

    def commit() -> None:
        raise OperationalError("lost while committing")

    with monkeypatch.context() as patched:
        patched.setattr(connection, "commit", commit)
        (answer,) = store(ledger, [Ask([visit()])])
    assert isinstance(answer, NotStored)
    assert not Visit.objects.exists()
    assert store(ledger, [Ask([visit()])]) == [1]


@pytest.mark.django_db(transaction=True)
def test_a_site_deleted_behind_a_writer_is_registered_again() -> None:
    ledger = Ledger()
    ledger.write([Ask([visit(page="https://kept.org/")])])
    ledger.memory.sites["gone.org"] = ledger.memory.sites["kept.org"]._replace(id=4711, host="gone.org")
    answers = store(ledger, [Ask([visit()]), Ask([visit(page="https://gone.org/")])])
    assert sorted(a for a in answers if isinstance(a, int)) == [2, 3]
    assert Visit.objects.filter(site__host="gone.org").count() == 1


# --- The law --------------------------------------------------------------------------------------------------
moments = st.integers(0, 3 * 86_400).map(lambda s: NOON + timedelta(seconds=s))
arrivals = st.builds(
    visit,
    user=st.sampled_from(["anon", "alice", "bob"]),
    page=st.sampled_from(["https://a.org/x", "https://a.org/y", "https://b.org/x", "/odd", "https://c.org/"]),
    user_agent=st.sampled_from([FIREFOX, GOOGLEBOT, "curl/8"]),
    ip_address=st.sampled_from(["192.0.2.1", "192.0.2.2"]),
    referrer=st.sampled_from([None, "https://a.org/", "https://s.example/"]),
)


class TestTheLaw(TestCase):
    @given(
        st.lists(st.tuples(moments, st.lists(arrivals, min_size=1, max_size=6), st.booleans()), max_size=8)
    )
    def test_all_sums_over_the_same_visits_are_equal(self, story: list[Any]) -> None:
        """Seconds = minutes = hours = each kind = rows = total, for each site, however visits were batched."""
        ledger = Ledger()
        for moment, batch, restart in sorted(story, key=lambda part: part[0]):
            ledger = Ledger() if restart else ledger
            with time_machine.travel(moment, tick=False):
                ledger.write([Ask([arrival]) for arrival in batch])
        number = sum(len(batch) for _, batch, _ in story)
        rows = Counter(Visit.objects.values_list("site_id", "bot"))
        assert sum(rows.values()) == number == sum(s.visits for s in SecondCount.objects.all())
        assert not number or total() == number
        for table in [
            MinuteCount.objects,
            *[HourCount.objects.filter(kind=k) for k in HourCount.Kind.values],
        ]:
            summed: Counter[tuple[int, bool]] = Counter()
            for row in table.all():
                summed[row.site_id, False] += row.visits
                summed[row.site_id, True] += row.bots
            assert +summed == rows
        people = Visit.objects.filter(bot=False)
        hashes = {(v.site_id, v.received_at.date(), *_identity(v)) for v in people}
        assert len(hashes) == DayVisitor.objects.count() == sum(c.visitors for c in DayCount.objects.all())


def _identity(row: Visit) -> tuple[str | None, ...]:
    return ("a", row.ip_address, row.user_agent) if row.user_id == "anon" else ("u", row.user_id)
