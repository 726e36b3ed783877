import logging
import threading
from datetime import datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from django.utils.module_loading import import_string

from config import background
from config.background import Background, Duty
from config.models import RateWindow

moments: list[datetime] = []
passes = threading.Event()


def note(now: datetime) -> None:
    moments.append(now)
    if len(moments) > 2:
        passes.set()


def fail(now: datetime) -> None:
    raise ValueError("the disk is full")


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> list[Duty]:
    duties: list[Duty] = []
    moments.clear()
    passes.clear()
    monkeypatch.setattr(background, "DUTIES", duties)
    return duties


@pytest.mark.parametrize("duty", background.DUTIES, ids=lambda duty: duty.name)
def test_every_duty_of_the_table_exists(duty: Duty) -> None:
    assert callable(import_string(duty.path))


def test_every_duty_can_be_done_on_an_empty_database(db: None) -> None:
    assert background.run_once() == []


def test_a_pass_gives_every_duty_the_same_moment(table: list[Duty]) -> None:
    table += [Duty(name, 1, "tests.test_background.note") for name in ("one", "two")]
    now = timezone.now()
    assert background.run_once(now) == []
    assert moments == [now, now]


def test_a_duty_that_fails_is_logged_and_stops_no_other(
    table: list[Duty], caplog: pytest.LogCaptureFixture
) -> None:
    table += [Duty("bad", 1, "tests.test_background.fail"), Duty("good", 1, "tests.test_background.note")]
    with caplog.at_level(logging.ERROR, "waymark.background"):
        assert background.run_once() == ["bad"]
    assert len(moments) == 1
    assert "the disk is full" in caplog.text


def test_a_duty_that_nobody_wants_is_left_out(table: list[Duty]) -> None:
    table.append(Duty("unwanted", 1, "tests.test_background.note", wanted=lambda: False))
    assert background.run_once() == []
    assert moments == []


def test_beside_the_server_a_duty_goes_on_after_a_failure_and_ends_when_told(table: list[Duty]) -> None:
    table += [
        Duty("bad", 0.01, "tests.test_background.fail"),
        Duty("good", 0.01, "tests.test_background.note"),
    ]
    beside = Background()
    beside.start()
    assert passes.wait(5)
    beside.stop(5)
    assert not any(thread.is_alive() for thread in beside.threads)


def test_tick_says_which_duty_failed(table: list[Duty]) -> None:
    table.append(Duty("bad", 1, "tests.test_background.fail"))
    with pytest.raises(CommandError, match="bad"):
        call_command("tick")


def test_tick_is_silent_when_all_is_well(table: list[Duty]) -> None:
    table.append(Duty("good", 1, "tests.test_background.note"))
    out = StringIO()
    call_command("tick", stdout=out)
    assert out.getvalue() == ""
    call_command("tick", stdout=out, verbosity=2)
    assert out.getvalue() == "Done: good.\n"


def test_throttles_that_ended_a_day_ago_are_forgotten(db: None) -> None:
    now = timezone.now()
    for key, age in (("old", 90_000), ("fresh", 60)):
        RateWindow.objects.create(key=key, seconds=60, started_at=now.timestamp() - age, count=1)
    background.forget_throttles(now)
    assert list(RateWindow.objects.values_list("key", flat=True)) == ["fresh"]


@pytest.mark.parametrize(
    ("feed", "debug", "goes_on"),
    [("0", True, False), ("1", True, True), ("1", False, False), ("force", False, True), ("", True, False)],
)
def test_the_demo_goes_on_only_where_it_is_meant_to(
    settings: Any, feed: str, debug: bool, goes_on: bool
) -> None:
    settings.DEMO_FEED, settings.DEBUG = feed, debug
    assert background.demo_goes_on() is goes_on
