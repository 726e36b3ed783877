"""Invented visits of a past that looks like an office's: which, when, by whom. No database.

Every draw is a hash of where it stands (`activity.generator.draws`), so the same seed gives the same visits, and the
history goes on without being told anew.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

from activity.generator import draws

START = datetime(2025, 5, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OPENING_DAYS, RUSH = (
    5,
    520,
)  # the first days have a visit an hour at least; the last 24 h have about 500 or more
WEEKDAY = (1, 1, 1, 1, 1, 2, 5, 9, 12, 12, 11, 10, 9, 11, 12, 11, 9, 6, 4, 3, 3, 2, 2, 1)
WEEKEND = (1, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 3, 2, 2, 1)

WWW, SHOP, INTRANET = "www.example.org", "shop.example.org", "intranet.example.org"
PAGES = {
    WWW: [
        "/",
        "/products",
        "/pricing",
        "/about",
        "/news",
        "/news/spring",
        "/contact",
        "/jobs",
        "/support",
        "/imprint",
    ],
    SHOP: [
        "/",
        "/catalogue",
        "/item/desk",
        "/item/chair",
        "/item/lamp",
        "/item/shelf",
        "/cart",
        "/checkout",
        "/orders",
    ],
    INTRANET: ["/", "/phonebook", "/canteen", "/rooms", "/forms/travel", "/wiki/start"],
}
REFERRERS = [
    "https://search.example.com/", "https://find.example.net/", "https://news.example.com/economy",
    "https://social.example.net/feed", "https://directory.example.com/offices", "https://mail.example.com/inbox",
    "https://partner.example.net/links", "https://blog.example.com/2025/desks",
]  # fmt: skip
BROWSERS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36 "
    "Edg/124.0.0.0",
    "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 "
    "Chrome/121.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_4) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 "
    "Safari/605.1.15",
]  # fmt: skip
BOTS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
]
NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
SignIns = Mapping[str, Sequence[datetime]]  # person → moments, ascending


class Telling(NamedTuple):
    """A visit as the history tells it."""

    at: datetime
    user_id: str
    page_url: str
    agent: str
    address: str
    referrer: str | None


def _weight(hour: datetime) -> int:
    return (WEEKEND if hour.weekday() >= 5 else WEEKDAY)[hour.hour]


# 2025-05-01 is a Thursday; the sums of the weights of a week's hours from there on.
WEEK = [0, *accumulate(_weight(START + n * HOUR) for n in range(7 * 24))]


def weight_until(hour: datetime) -> int:
    """The sum of the weights of all hours from the start up to this one."""
    weeks, rest = divmod((hour - START) // HOUR, 7 * 24)
    return weeks * WEEK[-1] + WEEK[rest]


def _below(word: int, number: int) -> int:
    return word * number >> 32


def _favouring_the_first(word: int, number: int) -> int:
    return word * word * number >> 64


@dataclass(frozen=True)
class History:
    """`visits` in all from the start to `planned`; after that it goes on at the same pace."""

    seed: int
    visits: int
    planned: datetime
    people: Sequence[str]

    def day(self, day: datetime, until: datetime, sign_ins: SignIns) -> list[Telling]:
        """The visits of the day that begins then, ascending, none after `until`."""
        told = [visit for n in range(24) for visit in self._hour(day + n * HOUR, sign_ins)]
        return sorted(visit for visit in told if visit.at <= until)

    def rush(self, until: datetime, natural: int) -> list[Telling]:
        """What the last 24 hours need so that there is something to look at."""
        root = draws.key(self.seed, "rush", int(until.timestamp()))
        missing = max(0, RUSH - natural) if self.visits else 0
        spread = [draws.words(root, n) for n in range(missing)]
        return sorted(
            self._visit(until - timedelta(microseconds=_below(w[0], 86_400_000_000)), w, {}) for w in spread
        )

    def _pace(self) -> tuple[int, int]:
        """Visits and the weight they are spread over; without those that stand outside of the pace."""
        return max(0, self.visits - OPENING_DAYS * 24 - self._rush()), max(1, weight_until(self.planned))

    def _rush(self) -> int:
        """How many the last 24 hours will need besides what the pace gives them."""
        weight = weight_until(self.planned)
        share = weight - weight_until(max(START, self.planned - DAY))
        return max(0, RUSH - self.visits * share // max(1, weight))

    def _number(self, hour: datetime) -> int:
        visits, weight = self._pace()
        before = weight_until(hour)
        natural = (before + _weight(hour)) * visits // weight - before * visits // weight
        return natural + (1 if hour < START + OPENING_DAYS * DAY else 0)

    def _hour(self, hour: datetime, sign_ins: SignIns) -> Iterator[Telling]:
        root = draws.key(self.seed, "visits", int(hour.timestamp()))
        for n in range(self._number(hour)):
            words = draws.words(root, n)
            yield self._visit(hour + timedelta(microseconds=_below(words[0], 3_600_000_000)), words, sign_ins)

    def _visit(self, at: datetime, w: Sequence[int], sign_ins: SignIns) -> Telling:
        site = self._site(at, w[2])
        pages = PAGES[site]
        page = f"https://{site}{pages[_favouring_the_first(w[3], len(pages))]}"
        agents = BOTS if w[1] < 2**32 // 10 else BROWSERS
        agent = agents[_favouring_the_first(w[4], len(agents))]
        address = f"{NETWORKS[_below(w[5], 3)]}.{1 + _below(w[6], 254)}"
        referrer = REFERRERS[_below(w[7], 8)] if site != INTRANET and w[8] < 2**31 else None
        if site == INTRANET and self.people:
            person = self.people[_below(w[9], len(self.people))]
            return Telling(
                _after_sign_in(at, sign_ins.get(person, ())), person, page, agent, address, referrer
            )
        known = site == SHOP and w[10] < 2**30
        return Telling(
            at, f"customer-{1 + _below(w[9], 400)}" if known else "anon", page, agent, address, referrer
        )

    def _site(self, at: datetime, word: int) -> str:
        """Colleagues are at work by day; shoppers come at all times."""
        intranet = 30 if at.weekday() < 5 and 6 <= at.hour < 18 else 4
        share = _below(word, 100)
        return INTRANET if share < intranet else SHOP if share < intranet + 28 else WWW


def _after_sign_in(at: datetime, sign_ins: Sequence[datetime]) -> datetime:
    """Shortly after the person's last sign-in of that day, where there was one."""
    number = bisect_right(sign_ins, at)
    if not number:
        return at
    wait = timedelta(seconds=20 + at.microsecond % 600)
    return min(at, sign_ins[number - 1] + wait)
