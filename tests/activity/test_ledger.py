from hypothesis import given
from hypothesis import strategies as st

from activity.ledger import HOLD, PATIENCE, Hole, Ledger

# each number is given out in order; it commits so many looks later, or never
commits = st.lists(st.one_of(st.none(), st.integers(0, 12)), min_size=1, max_size=40)
STEP = 0.1


def story(delays: list[int | None], looks: int) -> tuple[list[int], list[int]]:
    """What a reader is shown of a trail whose rows commit after these delays, and what was committed."""
    ledger, shown, now = Ledger(0), [], 0.0
    committed_at = {
        number: index // 4 + delay
        for index, (number, delay) in enumerate(zip(range(1, len(delays) + 1), delays, strict=True))
        if delay is not None
    }
    for look in range(looks):
        now = look * STEP
        visible = sorted(number for number, at in committed_at.items() if at <= look)
        late = [n for n in visible if any(hole.first <= n <= hole.last for hole in ledger.holes)]
        ledger.fill(late)
        ledger.forget(now)
        fresh = [number for number in visible if number > ledger.top]
        shown += late + fresh[: ledger.show(fresh, now)]
    return shown, sorted(committed_at)


@given(commits)
def test_every_committed_row_is_shown_exactly_once(delays: list[int | None]) -> None:
    shown, committed = story(delays, looks=60)
    assert sorted(shown) == committed


@given(st.lists(st.one_of(st.none(), st.integers(0, 4)), min_size=1, max_size=40))
def test_rows_that_commit_within_the_hold_are_shown_in_order(delays: list[int | None]) -> None:
    shown, _ = story(delays, looks=60)
    assert shown == sorted(shown)


def test_a_missing_number_holds_what_follows_for_a_moment_only() -> None:
    ledger = Ledger(10)
    assert ledger.show([11, 13], 0.0) == 1
    assert ledger.show([13], HOLD / 2) == 0
    assert ledger.show([13], HOLD) == 1
    assert ledger.top == 13
    assert ledger.holes == [Hole(12, 12, 0.0)]


def test_several_rollbacks_hold_once_and_not_one_after_the_other() -> None:
    ledger = Ledger(0)
    assert ledger.show([2, 4, 6, 8], 0.0) == 0
    assert ledger.show([2, 4, 6, 8], HOLD) == 4


def test_a_hole_is_split_by_what_appears_in_it_and_given_up_in_the_end() -> None:
    ledger = Ledger(9, [Hole(3, 7, 0.0)])
    ledger.fill([5])
    assert ledger.holes == [Hole(3, 4, 0.0), Hole(6, 7, 0.0)]
    assert [ledger.awaits(number) for number in (4, 5, 6, 9, 10)] == [True, False, True, False, True]
    ledger.forget(PATIENCE)
    assert ledger.holes == []


def test_a_follower_that_starts_looks_for_what_lacks_among_the_last_rows() -> None:
    ledger = Ledger.from_here([5, 6, 9], 4, 0.0)
    assert ledger.top == 9
    assert ledger.holes == [Hole(7, 8, 0.0)]
    assert Ledger.from_here([], 0, 0.0).top == 0
