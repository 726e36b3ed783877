"""Pairing: the laws of punch.md 3.5, over any punches of one person."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from punch.hours import Flag, Limits, Row, Stamp, as_clock, as_hours, paired, worked

PARIS, NEW_YORK = ZoneInfo("Europe/Paris"), ZoneInfo("America/New_York")
LIMITS = Limits(timedelta(hours=16), timedelta(seconds=120))
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
MUCH_LATER = datetime(2030, 1, 1, tzinfo=UTC)


def stamp(kind: str, at: datetime, number: int = 1, zone: ZoneInfo = PARIS) -> Stamp:
    return Stamp(number, f"clock_{kind}", at, 1, zone)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).astimezone(UTC)


def rows_of(*punches: tuple[str, datetime], now: datetime = MUCH_LATER) -> list[Row]:
    return paired([stamp(kind, at, i) for i, (kind, at) in enumerate(punches)], now, LIMITS)


any_punches = st.lists(
    st.builds(
        Stamp,
        id=st.integers(1, 10**6),
        type=st.sampled_from(["clock_in", "clock_out"]),
        at=st.integers(0, 40 * 86400).map(lambda s: datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=s)),
        kiosk=st.integers(1, 3),
        zone=st.sampled_from([PARIS, NEW_YORK]),
    ),
    max_size=40,
    unique_by=lambda s: s.id,
)


@given(any_punches)
def test_the_sum_of_intervals_never_exceeds_the_span(stamps: list[Stamp]) -> None:
    rows = paired(stamps, MUCH_LATER, LIMITS)
    if stamps:
        span = max(s.at for s in stamps) - min(s.at for s in stamps)
        assert worked(rows) <= span.total_seconds()


@given(any_punches, st.randoms())
def test_the_order_of_arrival_is_irrelevant(stamps: list[Stamp], random) -> None:
    shuffled = list(stamps)
    random.shuffle(shuffled)
    assert paired(shuffled, MUCH_LATER, LIMITS) == paired(stamps, MUCH_LATER, LIMITS)


@given(any_punches)
def test_every_punch_stands_in_exactly_one_row(stamps: list[Stamp]) -> None:
    rows = paired(stamps, MUCH_LATER, LIMITS)
    shown = [s.id for row in rows for s in (row.start, row.end) if s is not None]
    assert sorted(shown) == sorted(s.id for s in stamps)


@given(any_punches)
def test_intervals_do_not_overlap_and_none_is_longer_than_a_shift(stamps: list[Stamp]) -> None:
    intervals = [row for row in paired(stamps, MUCH_LATER, LIMITS) if row.flag is None]
    assert all(timedelta(0) <= row.end.at - row.start.at <= LIMITS.shift for row in intervals)
    assert all(first.end.at <= second.start.at for first, second in pairwise(intervals))


@given(any_punches)
def test_only_the_last_shift_can_be_in_progress(stamps: list[Stamp]) -> None:
    now = max((s.at for s in stamps), default=NOON) + timedelta(hours=1)
    rows = paired(stamps, now, LIMITS)
    unfinished = [row for row in rows if row.flag == Flag.IN_PROGRESS]
    assert len(unfinished) <= 1
    assert all(row.seconds == 0 for row in unfinished)


def test_a_night_is_nine_hours_when_the_clock_goes_back() -> None:
    (row,) = rows_of(("in", local("2025-10-25T22:00")), ("out", local("2025-10-26T06:00")))
    assert (row.day, as_hours(row.seconds)) == (date(2025, 10, 25), "9.00")


def test_a_night_is_seven_hours_when_the_clock_goes_forward() -> None:
    (row,) = rows_of(("in", local("2026-03-28T22:00")), ("out", local("2026-03-29T06:00")))
    assert (row.day, as_clock(row.seconds)) == (date(2026, 3, 28), "7:00")


def test_an_in_without_an_out_is_missing_when_the_next_day_begins() -> None:
    first, second = rows_of(
        ("in", local("2026-05-04T08:00")), ("in", local("2026-05-05T08:00")), now=local("2026-05-05T09:00")
    )
    assert (first.flag, first.seconds, first.day) == (Flag.MISSING_OUT, 0, date(2026, 5, 4))
    assert (second.flag, second.seconds) == (Flag.IN_PROGRESS, 0)


def test_an_out_after_more_than_sixteen_hours_leaves_both_punches_alone() -> None:
    rows = rows_of(("in", NOON), ("out", NOON + timedelta(hours=16, seconds=1)))
    assert [row.flag for row in rows] == [Flag.MISSING_OUT, Flag.MISSING_IN]


def test_a_shift_of_exactly_sixteen_hours_counts() -> None:
    (row,) = rows_of(("in", NOON), ("out", NOON + timedelta(hours=16)))
    assert row.seconds == 16 * 3600


def test_the_same_scan_within_two_minutes_is_a_duplicate_and_so_is_one_after_a_duplicate() -> None:
    seconds = [0, 120, 240, 361]
    rows = rows_of(*(("in", NOON + timedelta(seconds=s)) for s in seconds))
    assert [row.flag for row in rows] == [Flag.MISSING_OUT, Flag.DUPLICATE, Flag.DUPLICATE, Flag.MISSING_OUT]


def test_a_shift_stays_in_progress_for_sixteen_hours_and_is_missing_its_out_then() -> None:
    edge = NOON + timedelta(hours=16)
    assert rows_of(("in", NOON), now=edge)[0].flag == Flag.IN_PROGRESS
    assert rows_of(("in", NOON), now=edge + timedelta(seconds=1))[0].flag == Flag.MISSING_OUT


def test_the_day_is_that_of_the_kiosk_where_the_shift_began() -> None:
    late = datetime(2026, 5, 5, 2, tzinfo=UTC)
    assert paired([stamp("in", late, zone=NEW_YORK)], late, LIMITS)[0].day == date(2026, 5, 4)
    assert paired([stamp("in", late, zone=PARIS)], late, LIMITS)[0].day == date(2026, 5, 5)


def test_minutes_are_cut_and_hundredths_are_rounded_half_up() -> None:
    assert as_clock(3599) == "0:59"
    assert as_clock(100 * 3600 + 59) == "100:00"
    assert as_hours(18) == "0.01"  # 0.005 h
    assert as_hours(17) == "0.00"
