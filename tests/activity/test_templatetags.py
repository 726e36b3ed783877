"""How times, series and shares are written."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import time_machine

from activity.templatetags.waymark import moment, share, short_id, spark

NOW = datetime(2026, 3, 4, 14, 30, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ago", "form", "words"),
    [
        (timedelta(minutes=28), "short", "14:02"),
        (timedelta(minutes=28), "seconds", "14:02:05"),
        (timedelta(days=1), "short", "Tue 14:30"),
        (timedelta(days=7), "short", "2026-02-25"),
        (timedelta(days=7), "full", "2026-02-25 14:30"),
        (timedelta(days=-1), "full", "2026-03-05 14:30"),
    ],
)
def test_a_time_is_as_short_as_its_age_allows(ago: timedelta, form: str, words: str) -> None:
    with time_machine.travel(NOW, tick=False):
        assert f">{words}</time>" in moment(NOW - ago, form)


def test_a_time_carries_its_exact_value_and_utc_on_hover() -> None:
    paris = timezone(timedelta(hours=2))
    html = moment(datetime(2026, 3, 4, 16, 2, 5, 7, tzinfo=paris))
    assert 'datetime="2026-03-04T14:02:05.000007Z"' in html
    assert 'title="2026-03-04 14:02:05 UTC"' in html


def test_a_time_that_never_came_is_a_dash() -> None:
    assert moment(None) == "–"


def test_a_spark_line_spans_its_box_and_stays_flat_without_events() -> None:
    assert spark([0, 5, 10], "x")["points"] == "0.0,38.0 50.0,20.0 100.0,2.0"
    assert spark([0, 0], "x")["points"] == "0.0,38.0 100.0,38.0"
    assert spark([], "x")["points"] == ""


@pytest.mark.parametrize(
    ("part", "whole", "width"), [(1, 4, "25.0%"), (0, 4, "0.0%"), (3, 0, "0%"), (None, 4, "0.0%")]
)
def test_a_share_is_a_width(part: int | None, whole: int, width: str) -> None:
    assert share(part, whole) == width


def test_only_long_ids_are_shortened() -> None:
    assert (short_id("42"), short_id("a" * 32)) == ("42", "aaaaaaaa…")
