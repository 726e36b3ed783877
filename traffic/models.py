"""Visits as they were reported, and the roll-ups from which every number is read.

The writer (`traffic.ingest`) fills all of these in one transaction; no statistic ever reads `Visit`.
"""

from hashlib import sha256

from django.db import models


def digest_of(text: str) -> bytes:
    """What a label is found by, however long its text."""
    return sha256(text.encode()).digest()


class Site(models.Model):
    """The host of a page; `(none)` and `(other)` are reserved for visits that belong to no host of their own."""

    NONE, OTHER = "(none)", "(other)"

    host = models.CharField(max_length=253, unique=True)
    name = models.CharField(max_length=120, blank=True)
    reserved = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    first_seen = models.DateTimeField(null=True, blank=True)
    last_seen = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=~models.Q(host=""), name="site_host_not_empty")]

    def __str__(self) -> str:
        return self.name or self.host


class Visit(models.Model):
    """One reported page view. Never edited; only pruning empties or deletes it."""

    received_at = models.DateTimeField()
    site = models.ForeignKey(Site, models.PROTECT, db_index=False, related_name="+")
    user_id = models.CharField(max_length=255)
    person = models.UUIDField(null=True)
    page_url = models.CharField(max_length=2048)
    user_agent = models.CharField(max_length=1024, null=True)
    ip_address = models.CharField(max_length=45, null=True)
    referrer = models.CharField(max_length=2048, null=True)
    bot = models.BooleanField()

    class Meta:
        # No others: each index costs every visit. On PostgreSQL the first one is a BRIN (0001_start).
        indexes = [
            models.Index(fields=["received_at"], name="visit_received"),
            models.Index(
                fields=["person", "received_at"],
                name="visit_person",
                condition=models.Q(person__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.page_url} at {self.received_at:%Y-%m-%d %H:%M:%S}"


class VisitTotal(models.Model):
    """One row: how many visits were ever logged. Deleting old rows does not lower it."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    total = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="visit_total_one_row")]

    def __str__(self) -> str:
        return str(self.total)


class SecondCount(models.Model):
    """Visits of all sites in one second, bots included; kept for 8 days."""

    second = models.DateTimeField(primary_key=True)
    visits = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.second:%Y-%m-%d %H:%M:%S}: {self.visits}"


class MinuteCount(models.Model):
    """Visits of people, and those of bots, on a site in one minute; kept for 35 days."""

    site = models.ForeignKey(Site, models.PROTECT, db_index=False, related_name="+")
    minute = models.DateTimeField()
    visits = models.PositiveIntegerField()
    bots = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["site", "minute"], name="minute_count_once")]
        indexes = [models.Index(fields=["minute"], name="minute_count_minute")]

    def __str__(self) -> str:
        return f"{self.minute:%Y-%m-%d %H:%M}: {self.visits} + {self.bots}"


class Label(models.Model):
    """A text that hours are counted by: a path, a referrer's host, a browser; empty for the whole site."""

    LONGEST = 512

    digest = models.BinaryField(max_length=32, unique=True)
    text = models.CharField(max_length=LONGEST)

    def __str__(self) -> str:
        return self.text


class HourCount(models.Model):
    """Visits on a site in one hour by page, by referrer, by browser, and in total; kept for good."""

    class Kind(models.TextChoices):
        TOTAL = "total"
        PAGE = "page"
        REFERRER = "referrer"
        BROWSER = "browser"

    OVERFLOW = "(other)"
    LIMITS = {Kind.PAGE.value: 2_000, Kind.REFERRER.value: 500}

    site = models.ForeignKey(Site, models.PROTECT, db_index=False, related_name="+")
    hour = models.DateTimeField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    label = models.ForeignKey(Label, models.PROTECT, db_index=False, related_name="+")
    visits = models.PositiveIntegerField()
    bots = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["site", "hour", "kind", "label"], name="hour_count_once"),
            models.CheckConstraint(
                condition=models.Q(kind__in=["total", "page", "referrer", "browser"]),
                name="hour_count_kind_known",
            ),
        ]
        indexes = [models.Index(fields=["kind", "hour"], name="hour_count_kind")]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H}h {self.kind}: {self.visits} + {self.bots}"


class DaySalt(models.Model):
    """The secret that makes one day's visitor hashes; deleted two days after, which cuts every link."""

    day = models.DateField(primary_key=True)
    salt = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return f"{self.day}"


class DayVisitor(models.Model):
    """Somebody was on this site on this day."""

    day = models.DateField()
    site = models.ForeignKey(Site, models.PROTECT, db_index=False, related_name="+")
    hash = models.BinaryField(max_length=16)

    class Meta:
        # The day comes first because old days are deleted as a whole.
        constraints = [models.UniqueConstraint(fields=["day", "site", "hash"], name="day_visitor_once")]

    def __str__(self) -> str:
        return f"a visitor on {self.day}"


class DayCount(models.Model):
    """How many different visitors a site had on a day; kept for good."""

    site = models.ForeignKey(Site, models.PROTECT, db_index=False, related_name="+")
    day = models.DateField()
    visitors = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["site", "day"], name="day_count_once")]

    def __str__(self) -> str:
        return f"{self.day}: {self.visitors}"
