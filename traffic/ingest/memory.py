"""What a writer remembers, so that an ordinary batch asks the database for nothing.

Whatever is not remembered is looked up, and made if need be, inside the transaction of the batch, under one lock
that all processes share; so limits hold and nothing is made twice. After a failure everything is forgotten.
"""

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

from django.conf import settings
from django.db.models import Count

from activity.callers import Caller
from activity.models import Domain
from activity.services import NOBODY, record
from traffic.ingest.tally import Key, KnownSite
from traffic.models import DaySalt, HourCount, Label, Site, digest_of

log = logging.getLogger("waymark.traffic")
MOST_VISITORS, MOST_ADDRESSES = 200_000, 10_000
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NEVER = datetime.min.replace(tzinfo=UTC)


def minute_of(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def labels_of(texts: Iterable[str]) -> dict[str, int]:
    """The labels that exist among these texts."""
    digests = [digest_of(text) for text in texts]
    return dict(Label.objects.filter(digest__in=digests).values_list("text", "id"))


def made_labels(texts: Iterable[str]) -> dict[str, int]:
    """A label for each of these texts; for use under the lock."""
    wanted = sorted(set(texts))
    known = labels_of(wanted)
    missing = [Label(digest=digest_of(text), text=text) for text in wanted if text not in known]
    Label.objects.bulk_create(missing, ignore_conflicts=True)
    return known | (labels_of(label.text for label in missing) if missing else {})


class Memory:
    """Sites, labels of this hour, salt and visitors of this day, as far as this writer has met them."""

    def __init__(self, lock: Callable[[], None]) -> None:
        self.lock = lock
        self.warned: datetime | None = None
        self.forget()

    def forget(self) -> None:
        self.hour = NEVER
        self.minute: datetime | None = None
        self.day: date | None = None
        self.sites: dict[str, KnownSite] = {}
        self.foreign: dict[str, KnownSite] = {}
        self.labels: dict[Key, int] = {}
        self.seen: set[int] = set()
        self.salt = b""
        self.visitors: set[tuple[int, bytes]] = set()

    def turn(self, now: datetime) -> None:
        """Drop what belongs to an earlier minute, hour or day."""
        minute, hour = minute_of(now), hour_of(now)
        if minute != self.minute:
            self.minute, self.seen = minute, set()
            self.foreign = {}  # an administrator may have added the site meanwhile
        if hour != self.hour:
            self.hour, self.labels = hour, {}
        if now.date() != self.day:
            self.day, self.visitors = now.date(), set()
            self.salt = self._salt(now.date())

    def unseen(self, sites: Iterable[int]) -> list[int]:
        """Sites whose `last_seen` has not been raised this minute."""
        return sorted(set(sites) - self.seen)

    def fresh(self, visitors: set[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """Visitors this writer has not yet stored today."""
        return sorted(visitors - self.visitors)

    def stored(self, seen: Iterable[int], visitors: Iterable[tuple[int, bytes]]) -> None:
        """Remember what a committed batch stored."""
        self.seen.update(seen)
        if len(self.visitors) < MOST_VISITORS:
            self.visitors.update(visitors)

    def _salt(self, day: date) -> bytes:
        found = DaySalt.objects.filter(day=day).first()
        if found is None:
            self.lock()
            found, _ = DaySalt.objects.get_or_create(day=day, defaults={"salt": os.urandom(32)})
        return bytes(found.salt)

    # --- Sites ------------------------------------------------------------------------------------------------
    def sites_of(self, hosts: Sequence[str], now: datetime) -> list[KnownSite]:
        """The site of each host; unknown hosts become sites while there is room, `(other)` after that."""
        missing = [
            host for host in dict.fromkeys(hosts) if host not in self.sites and host not in self.foreign
        ]
        if missing and not self._recall(missing):
            self.lock()
            self._recall(missing)
            for host in missing:
                if host not in self.sites:
                    self._register(host, now)
        return [self.sites.get(host) or self.foreign[host] for host in hosts]

    def _recall(self, hosts: Iterable[str]) -> bool:
        """Look hosts up; whether all of them are sites."""
        wanted = set(hosts)
        for site in Site.objects.filter(host__in=wanted):
            self.sites[site.host] = KnownSite(site.pk, site.host)
        return wanted <= self.sites.keys()

    def _register(self, host: str, now: datetime) -> None:
        if host == Site.NONE:
            self.sites[host] = self._made(host, now, reserved=True)
        elif Site.objects.filter(reserved=False).count() < settings.VISIT_MAX_SITES:
            self.sites[host] = self._made(host, now)
            record(
                "register_site",
                domain=Domain.TRAFFIC,
                by=Caller.of_system(),
                person=NOBODY,
                target=("site", host),
            )
        else:
            self.foreign[host] = self._other(now)

    def _made(self, host: str, now: datetime, *, reserved: bool = False) -> KnownSite:
        site, _ = Site.objects.get_or_create(host=host, defaults={"reserved": reserved, "created_at": now})
        return KnownSite(site.pk, site.host)

    def _other(self, now: datetime) -> KnownSite:
        if self.warned is None or now - self.warned >= HOUR:
            self.warned = now
            log.warning(
                "No room for more than %d sites: visits of new hosts go to %s (VISIT_MAX_SITES)",
                settings.VISIT_MAX_SITES,
                Site.OTHER,
            )
        if Site.OTHER not in self.sites:
            self.sites[Site.OTHER] = self._made(Site.OTHER, now, reserved=True)
        return self.sites[Site.OTHER]

    # --- Labels -----------------------------------------------------------------------------------------------
    def labels_for(self, keys: Iterable[Key]) -> dict[Key, int]:
        """The label under which each text is counted this hour: its own, or `(other)` when the hour is full."""
        found = {key: self.labels[key] for key in keys if key in self.labels}
        missing = [key for key in keys if key not in found]
        if missing:
            self._recall_labels(missing)
            missing = [key for key in missing if key not in self.labels]
        if missing:
            self.lock()
            self._recall_labels(missing)
            found |= self._admitted([key for key in missing if key not in self.labels])
        return found | {key: self.labels[key] for key in keys if key in self.labels}

    def _recall_labels(self, keys: Sequence[Key]) -> None:
        """Remember those that are counted in this hour already."""
        texts = labels_of({text for _, _, text in keys})
        counted = set(
            HourCount.objects.filter(
                hour=self.hour, site__in={site for site, _, _ in keys}, label__in=texts.values()
            ).values_list("site_id", "kind", "label_id")
        )
        for site, kind, text in keys:
            if (site, kind, texts.get(text)) in counted:
                self.labels[site, kind, text] = texts[text]

    def _admitted(self, keys: Sequence[Key]) -> dict[Key, int]:
        """Texts new to this hour, each counted by itself while there is room."""
        rows = HourCount.objects.filter(hour=self.hour, site__in={site for site, _, _ in keys})
        used = {(s, k): n for s, k, n in rows.values_list("site_id", "kind").annotate(n=Count("id"))}
        own: list[Key] = []
        for key in keys:
            site, kind, text = key
            taken = used.get((site, kind), 0)
            if kind not in HourCount.LIMITS or taken < HourCount.LIMITS[kind] or text == HourCount.OVERFLOW:
                used[site, kind] = taken + 1
                own.append(key)
        labels = made_labels({text for _, _, text in own})
        self.labels |= {key: labels[key[2]] for key in own}
        return self._overflowing(set(keys) - set(own))

    def _overflowing(self, keys: set[Key]) -> dict[Key, int]:
        """These are counted together. They are not remembered: invented addresses have no end."""
        if not keys:
            return {}
        return dict.fromkeys(keys, made_labels([HourCount.OVERFLOW])[HourCount.OVERFLOW])
