"""What the pages about visits read from their address; what cannot be read counts as not given."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import QueryDict
from django.utils.translation import gettext as _

from traffic.models import HourCount, Site
from traffic.periods import DAY, HOUR, STEPS, Period, ceiling, floor

SPANS: dict[str, tuple[timedelta, str]] = {
    "1h": (HOUR, "minute"),
    "24h": (DAY, "hour"),
    "7d": (7 * DAY, "hour"),
    "30d": (30 * DAY, "day"),
    "12m": (365 * DAY, "day"),
}


def names_of_periods() -> list[tuple[str, str]]:
    return [
        ("1h", _("1 h")),
        ("24h", _("24 h")),
        ("7d", _("7 d")),
        ("30d", _("30 d")),
        ("12m", _("12 months")),
    ]


@dataclass(frozen=True)
class TrafficQuery:
    """Site, period, and what is looked at closely."""

    asked: QueryDict
    now: datetime

    @property
    def site(self) -> Site | None:
        return Site.objects.filter(host=self.asked.get("site", "")).first()

    @property
    def period(self) -> str:
        asked = self.asked.get("range", "")
        return asked if asked in SPANS else "24h"

    @property
    def buckets(self) -> Period:
        """The curve's buckets, up to and with the present one."""
        span, interval = SPANS[self.period]
        step = STEPS[interval]
        end = ceiling(self.now + timedelta(microseconds=1), step)
        return Period(end - span, end, step)

    @property
    def hours(self) -> Period:
        """The whole hours that the ranked tables count."""
        span, _interval = SPANS[self.period]
        return Period(floor(self.now - span, HOUR), ceiling(self.now, HOUR))

    @property
    def bots(self) -> bool:
        return self.asked.get("bots") == "1"

    @property
    def kind(self) -> HourCount.Kind | None:
        """Page, referrer or browser, when one of them is looked at."""
        asked = self.asked.get("kind", "")
        return HourCount.Kind(asked) if asked in {"page", "referrer", "browser"} else None

    @property
    def text(self) -> str:
        return self.asked.get("text", "")[:512].replace("\x00", "")
