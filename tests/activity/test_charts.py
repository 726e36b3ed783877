"""From statistics to tables: nothing is lost on the way, and each slot knows its rows."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from activity import charts
from activity.queries.statistics import Hourly

NOW = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)


def hourly(hours: int, counts: list[int]) -> Hourly:
    first = (NOW - timedelta(hours=hours)).replace(minute=0)
    labels = [f"{first + timedelta(hours=n):%Y-%m-%d %H:00}" for n in range(hours + 1)]
    series = [counts[n % len(counts)] for n in range(hours + 1)]
    return Hourly(labels=labels, authentications=series, access=series[::-1])


@given(
    hours=st.sampled_from([1, 24, 168, 193, 720]),
    counts=st.lists(st.integers(0, 50), min_size=1, max_size=40),
)
def test_days_hold_exactly_what_their_hours_hold(hours: int, counts: list[int]) -> None:
    answer = hourly(hours, counts)
    chart = charts.by_hour(answer, NOW - timedelta(hours=hours), NOW)
    assert sum(row.cells[0].value for row in chart.rows) == sum(answer.authentications)
    assert sum(row.cells[1].value for row in chart.rows) == sum(answer.access)
    assert chart.empty == (not any(answer.authentications) and not any(answer.access))


def test_the_lists_behind_neighbouring_bars_touch_but_never_overlap() -> None:
    for hours in (24, 720):
        start = NOW - timedelta(hours=hours)
        rows = charts.by_hour(hourly(hours, [1]), start, NOW).rows
        spans = [parse_qs(urlsplit(row.cells[0].link).query) for row in rows]
        ends = [(datetime.fromisoformat(s["start"][0]), datetime.fromisoformat(s["end"][0])) for s in spans]
        assert (ends[0][0], ends[-1][1]) == (start, NOW)
        assert all(after[0] - before[1] == timedelta(microseconds=1) for before, after in pairwise(ends))


def test_a_day_is_drawn_as_bars_a_week_as_a_line_and_a_month_by_the_day() -> None:
    def drawn(hours: int) -> tuple[str, int]:
        chart = charts.by_hour(hourly(hours, [1]), NOW - timedelta(hours=hours), NOW)
        return chart.kind, len(chart.rows)

    assert drawn(24) == ("bars", 25)
    assert drawn(168) == ("line", 169)
    assert drawn(720) == ("bars", 31)


def test_links_keep_several_values_and_leave_out_what_is_not_given() -> None:
    link = charts.log_link(user_login=["ada", "b&b"], reason=None, range="all")
    assert link == "/manage/activity/log/?user_login=ada&user_login=b%26b&range=all"
