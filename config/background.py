"""The periodic duties: one table, walked once by `manage.py tick` and over and over beside `manage.py serve`.

Several processes on several machines may run a duty at the same time. Each duty guards itself, by a
conditional statement or an advisory lock, so that this costs a look at the table and nothing else.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from django.conf import settings
from django.db import close_old_connections, connections
from django.utils import timezone
from django.utils.module_loading import import_string

from config import throttles

log = logging.getLogger("waymark.background")


@dataclass(frozen=True)
class Duty:
    """Something to do every `seconds`: the function at `path`, called with the moment of the pass."""

    name: str
    seconds: float
    path: str
    wanted: Callable[[], bool] = lambda: True

    def perform(self, now: datetime) -> bool:
        """Do it once; whether it went well. A duty that fails is logged and stops nobody."""
        try:
            import_string(self.path)(now)
        except Exception:  # the other duties and the next pass go on whatever this one met
            log.exception("The duty '%s' failed", self.name)
            return False
        return True


def demo_goes_on() -> bool:
    """Whether the generator adds rows while the site is served; outside of DEBUG only if that is forced."""
    return settings.DEMO_FEED == "force" or (settings.DEBUG and settings.DEMO_FEED not in {"", "0"})


DUTIES = [
    Duty("purge what expired", 300, "identity.services.purge_expired"),
    Duty("notice silent kiosks", 15, "punch.services.notice_silent_kiosks"),
    Duty("purge QR codes", 300, "punch.services.purge_tokens"),
    Duty("seal the trail", settings.TRAIL_SEAL_SECONDS, "activity.services.seal"),
    Duty("seal full segments", 2, "activity.services.seal_full_segments"),
    Duty("count the trail", 60, "activity.services.count_blocks"),
    Duty("forget old throttles", 3600, "config.background.forget_throttles"),
    Duty("carry the demo on", 5, "activity.seed.feed.carry_on", wanted=demo_goes_on),
    Duty("visit the demo sites", 5, "traffic.seed.carry_on", wanted=demo_goes_on),
    Duty("forget who visited", 900, "traffic.retention.forget"),
    Duty("prune visits", 3600, "traffic.retention.prune_daily", lambda: settings.DEMO_FEED == "0"),
]


def forget_throttles(now: datetime) -> None:
    """Delete the counters of throttles that ended a day ago."""
    throttles.purge(now.timestamp())


def duties() -> list[Duty]:
    """The duties that this installation wants."""
    return [duty for duty in DUTIES if duty.wanted()]


def run_once(now: datetime | None = None) -> list[str]:
    """One pass of all duties, in the order of the table; the names of those that failed."""
    moment = now or timezone.now()
    return [duty.name for duty in duties() if not duty.perform(moment)]


class Background:
    """All duties, each in a thread of its own, so that a long one delays no other."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self._repeat, args=[duty], name=f"duty: {duty.name}", daemon=True)
            for duty in duties()
        ]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self, seconds: float) -> None:
        """Start no duty any more, and wait this long for those at work; a later end rolls them back."""
        self.stopping.set()
        deadline = monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0.0, deadline - monotonic()))

    def _repeat(self, duty: Duty) -> None:
        while not self.stopping.is_set():
            started = monotonic()
            close_old_connections()  # the database may have gone, or come back, since the last pass
            duty.perform(timezone.now())
            close_old_connections()
            self.stopping.wait(max(0.0, duty.seconds - (monotonic() - started)))
        connections.close_all()
