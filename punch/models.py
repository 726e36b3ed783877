"""Kiosks with their keys and access rows, QR tokens, punches, teams, and a thin index over the trail."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from identity.models import Device, User
from punch.hours import CLOCK_IN, CLOCK_OUT

ONLINE_FOR = timedelta(seconds=300)


class PunchType(models.TextChoices):
    CLOCK_IN = CLOCK_IN, _("Clock in")
    CLOCK_OUT = CLOCK_OUT, _("Clock out")


def valid_zone(name: str) -> None:
    """Refuse what is no IANA time zone."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise ValidationError(_("Not a known time zone")) from error


class Team(models.Model):
    """People who work together, and those who may see their presence and hours."""

    name = models.CharField(max_length=100, unique=True)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="teams", blank=True)
    managers = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="managed_teams", blank=True)

    def __str__(self) -> str:
        return self.name


class KioskQuerySet(models.QuerySet["Kiosk"]):
    def living(self) -> "KioskQuerySet":
        """Kiosks that were not deleted."""
        return self.filter(deleted_at__isnull=True)

    def silent(self, now: datetime) -> "KioskQuerySet":
        """Active kiosks said to be online that have not been heard of in time."""
        return self.living().filter(
            is_active=True, reported_online=True, last_heartbeat_at__lte=now - ONLINE_FOR
        )


class Kiosk(models.Model):
    """A tablet at a door; known only by its key."""

    class AccessMode(models.TextChoices):
        PUBLIC = "public", _("Everybody")
        WHITELIST = "whitelist", _("Only those granted")
        BLACKLIST = "blacklist", _("All but those blocked")

    class PunchMode(models.TextChoices):
        CLIENT = "client", _("The screen says in or out")
        AUTO = "auto", _("The server toggles")

    kiosk_name = models.CharField(max_length=100)
    location = models.CharField(max_length=255)
    ip_address = models.CharField(max_length=45, null=True, blank=True)
    device_fingerprint = models.CharField(max_length=255)
    public_key = models.TextField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    access_mode = models.CharField(max_length=20, choices=AccessMode.choices, default=AccessMode.PUBLIC)
    punch_mode = models.CharField(max_length=10, choices=PunchMode.choices, default=PunchMode.CLIENT)
    time_zone = models.CharField(max_length=64, null=True, blank=True, validators=[valid_zone])
    app_version = models.CharField(max_length=50, null=True)
    device_info = models.CharField(max_length=255, null=True)
    last_heartbeat_at = models.DateTimeField(null=True)
    reported_online = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, editable=False)

    objects = KioskQuerySet.as_manager()

    class Meta:
        constraints = [
            *(
                models.UniqueConstraint(
                    fields=[field], condition=Q(deleted_at__isnull=True), name=f"kiosk_{field}_living"
                )
                for field in ("kiosk_name", "device_fingerprint", "ip_address")
            ),
            models.CheckConstraint(
                condition=Q(access_mode__in=["public", "whitelist", "blacklist"]), name="kiosk_access_known"
            ),
            models.CheckConstraint(condition=Q(punch_mode__in=["client", "auto"]), name="kiosk_mode_known"),
        ]
        indexes = [models.Index(fields=["created_at", "id"], name="kiosk_created")]

    def __str__(self) -> str:
        return self.kiosk_name

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which the days of its punches are counted."""
        return ZoneInfo(self.time_zone or settings.PUNCH_TIME_ZONE)

    def online(self, now: datetime) -> bool:
        return self.last_heartbeat_at is not None and now - self.last_heartbeat_at < ONLINE_FOR

    def silent_seconds(self, now: datetime) -> int | None:
        """How long it has been offline; null when it is online or was never seen."""
        if self.last_heartbeat_at is None or self.online(now):
            return None
        return int((now - self.last_heartbeat_at).total_seconds())


class KioskKey(models.Model):
    """An API key of a kiosk: only its public half and the digest of the whole are kept."""

    key_id = models.CharField(max_length=12, primary_key=True)
    kiosk = models.ForeignKey(Kiosk, models.PROTECT, related_name="keys")
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kiosk"], condition=Q(ended_at__isnull=True), name="kiosk_key_one_alive"
            )
        ]

    def __str__(self) -> str:
        return self.key_id


class KioskAccess(models.Model):
    """One person at one kiosk: granted (until `expires_at`) or blocked."""

    kiosk = models.ForeignKey(Kiosk, models.PROTECT, related_name="access_rows")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="kiosk_access")
    granted = models.BooleanField()
    granted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    granted_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "kiosk access"
        constraints = [models.UniqueConstraint(fields=["kiosk", "user"], name="kiosk_access_once")]

    def __str__(self) -> str:
        return f"{self.user} at {self.kiosk}"


class QrToken(models.Model):
    """A QR code that was issued; consumed by at most one punch."""

    jti = models.CharField(max_length=36, primary_key=True)
    nonce = models.CharField(max_length=36)
    user = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    device = models.ForeignKey(Device, models.PROTECT, related_name="+", db_index=False)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    consumed_at = models.DateTimeField(null=True)
    consumed_by_kiosk = models.ForeignKey(Kiosk, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        indexes = [
            models.Index(fields=["expires_at"], name="qr_expires"),
            models.Index(fields=["device", "expires_at"], name="qr_of_device"),
        ]

    def __str__(self) -> str:
        return self.jti


class PunchQuerySet(models.QuerySet["Punch"]):
    def of(self, user: User) -> "PunchQuerySet":
        return self.filter(user=user)

    def between(self, start: datetime | None, end: datetime | None) -> "PunchQuerySet":
        """Those from `start` on and before `end`; null leaves that side open."""
        found = self.filter(punched_at__gte=start) if start else self
        return found.filter(punched_at__lt=end) if end else found

    def newest_first(self) -> "PunchQuerySet":
        return self.order_by("-punched_at", "-id")

    def oldest_first(self) -> "PunchQuerySet":
        return self.order_by("punched_at", "id")


class Punch(models.Model):
    """One clock-in or clock-out at server time. Inserted only, never changed."""

    user = models.ForeignKey(User, models.PROTECT, related_name="punches", db_index=False)
    device = models.ForeignKey(Device, models.PROTECT, related_name="+", db_index=False)
    kiosk = models.ForeignKey(Kiosk, models.PROTECT, related_name="+", db_index=False)
    punch_type = models.CharField(max_length=10, choices=PunchType.choices)
    punched_at = models.DateTimeField()
    jwt_jti = models.CharField(max_length=36)
    unusual = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    objects = PunchQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "punches"
        constraints = [
            models.UniqueConstraint(fields=["jwt_jti"], name="punch_jti_once"),
            models.CheckConstraint(
                condition=Q(punch_type__in=[CLOCK_IN, CLOCK_OUT]), name="punch_type_known"
            ),
        ]
        indexes = [
            models.Index(fields=["user", "punched_at", "id"], name="punch_of_user"),
            models.Index(fields=["punched_at", "id"], name="punch_time"),
            models.Index(fields=["kiosk", "punched_at"], name="punch_at_kiosk"),
        ]

    def __str__(self) -> str:
        return f"{self.punch_type} {self.punched_at:%Y-%m-%d %H:%M}"


class PunchState(models.Model):
    """Where a person stands; its row is the lock that puts the punches of one person in order."""

    user = models.OneToOneField(User, models.PROTECT, primary_key=True, related_name="punch_state")
    last_punch = models.ForeignKey(Punch, models.PROTECT, null=True, related_name="+", db_index=False)
    last_type = models.CharField(max_length=10, choices=PunchType.choices, null=True)
    last_punched_at = models.DateTimeField(null=True)
    last_kiosk = models.ForeignKey(Kiosk, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        indexes = [models.Index(fields=["last_type", "last_punched_at"], name="state_last")]

    def __str__(self) -> str:
        return f"{self.user}: {self.last_type}"

    def next_type(self, now: datetime) -> str:
        """What a punch without a type means: out after an in of at most PUNCH_MAX_SHIFT_HOURS, else in."""
        shift = timedelta(hours=settings.PUNCH_MAX_SHIFT_HOURS)
        inside = self.last_type == CLOCK_IN and self.last_punched_at and now - self.last_punched_at <= shift
        return CLOCK_OUT if inside else CLOCK_IN


class AuditEntry(models.Model):
    """A thin index over the trail's rows of this dialect, which are the authority; plain ids as in the trail."""

    sequence = models.BigIntegerField(primary_key=True)
    event_type = models.CharField(max_length=100)
    user = models.BigIntegerField(null=True)
    actor = models.BigIntegerField(null=True)
    device = models.BigIntegerField(null=True)
    kiosk = models.BigIntegerField(null=True)
    user_agent = models.CharField(max_length=500, null=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["created_at", "sequence"], name="audit_time"),
            *(
                models.Index(fields=[field, "created_at", "sequence"], name=f"audit_{field}")
                for field in ("event_type", "user", "device", "kiosk")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.created_at:%Y-%m-%d %H:%M}"


def fits(pk: Any) -> bool:
    """Whether a number from a path can be an id at all."""
    return isinstance(pk, int) and 1 <= pk <= 2_147_483_647
