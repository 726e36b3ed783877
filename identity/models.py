"""People, and the sign-ins and tokens by which they are known."""

import uuid
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from identity.encryption import normalised
from identity.fields import BlindIndexField, CaseKeyField, EncryptedTextField
from identity.roles import STAFF, Role

valid_username = RegexValidator(r"^[\w@.+-]+\Z", _("Letters, digits and @ . + - _ only"))


class UserQuerySet(models.QuerySet["User"]):
    def living(self) -> "UserQuerySet":
        """Accounts that exist for the product: all but the retired ones."""
        return self.filter(deleted_at__isnull=True)

    def named(self, full_name: str) -> "UserQuerySet":
        """People of exactly this full name, found by the blind index."""
        index = User._meta.get_field("full_name_index")
        assert isinstance(index, BlindIndexField)
        return self.filter(full_name_index__in=index.candidates(full_name))

    def called(self, login: str) -> "User | None":
        """Whom a typed login means, by e-mail or username, without regard to case.

        A username that looks like an e-mail address counts only for an account that has no other e-mail, and
        after the account whose e-mail it is; so one text never names two accounts.
        """
        key = normalised(login)
        by_name = models.Q(username_key=key)
        if "@" in key:
            by_name &= models.Q(email_key__isnull=True)
        found = self.living().filter(by_name | models.Q(email_key=key))
        return found.order_by(models.F("email_key").asc(nulls_last=True)).first()


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(username_key=normalised(username or ""))

    def create(self, **values: Any) -> "User":
        """A new account; without a password it cannot sign in."""
        password = values.pop("password", None)
        user: User = self.model(**values)
        user.set_password(password)
        user.save(force_insert=True, using=self._db)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    last_login = None  # `last_seen_at` and the sign-ins say more

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    username = models.CharField(max_length=150, validators=[valid_username])
    username_key = CaseKeyField(max_length=300, unique=True, source="username")
    email = models.EmailField(max_length=254, null=True, blank=True)
    email_key = CaseKeyField(max_length=508, unique=True, null=True, source="email")
    first_name = EncryptedTextField(default="", blank=True)
    last_name = EncryptedTextField(default="", blank=True)
    full_name = EncryptedTextField(default="", blank=True)
    full_name_index = BlindIndexField(max_length=64, null=True, db_index=True, source="full_name")
    is_active = models.BooleanField(default=True)
    otp_enabled = models.BooleanField(default=False)
    adfs_enabled = models.BooleanField(default=False)
    hardware_token_enabled = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        indexes = [
            models.Index(fields=["created_at", "uuid"], name="user_created"),
            models.Index(fields=["deleted_at", "username_key"], name="user_living"),
        ]

    def __str__(self) -> str:
        return self.username

    def save(self, *args: Any, **kwargs: Any) -> None:
        """`full_name` follows first and last name until it is given."""
        if not self.full_name:
            self.full_name = self.derived_name()
        super().save(*args, **kwargs)

    def derived_name(self) -> str:
        """First and last name, as far as they are known."""
        return " ".join(filter(None, [self.first_name, self.last_name]))

    @cached_property
    def roles(self) -> list[str]:
        """Names of the roles held, in the order of the role table; a superuser is an admin too."""
        held = set(self.groups.values_list("name", flat=True)) if self.pk else set()
        if self.is_superuser:
            held.add(Role.ADMIN.value)
        return [role.value for role in Role if role.value in held]

    @property
    def is_staff(self) -> bool:
        """Whether the Django admin opens."""
        return not STAFF.isdisjoint(self.roles)

    def get_full_name(self) -> str:
        return self.full_name or self.username

    def get_short_name(self) -> str:
        return self.first_name or self.username


class SignInQuerySet(models.QuerySet["SignIn"]):
    def live(self, now: datetime) -> "SignInQuerySet":
        return self.filter(ended_at__isnull=True, expires_at__gt=now)


class SignIn(models.Model):
    """One authentication of one person at one door, and all tokens that come of it.

    Its id is the claim `client_id`. Ending it ends its tokens and its browser session on their next request, in
    every process.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="sign_ins")
    door = models.CharField(max_length=20)
    trace_id = models.CharField(max_length=64)
    ip = models.CharField(max_length=45, null=True)
    agent = models.CharField(max_length=500, default="")
    created_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=40, default="")

    objects = SignInQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["user", "ended_at", "expires_at"], name="sign_in_live"),
            models.Index(fields=["expires_at"], name="sign_in_expires"),
        ]

    def __str__(self) -> str:
        return f"{self.user} at {self.door}"


class RefreshToken(models.Model):
    """One link in the chain of a sign-in's refresh tokens; each is used once (RFC 9700, 4.14)."""

    jti = models.CharField(max_length=36, primary_key=True)
    sign_in = models.ForeignKey(SignIn, models.CASCADE, related_name="refresh_tokens")
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.jti


class RevokedToken(models.Model):
    """A token that ended before its time; kept until its own expiry."""

    jti = models.CharField(max_length=255, primary_key=True)
    user_id = models.CharField(max_length=36, null=True)
    reason = models.CharField(max_length=500, default="")
    revoked_by = models.CharField(max_length=150, default="")
    revoked_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.jti


class LockOut(models.Model):
    """Failures of one secret of one name in the running window.

    `key` is `<what>:<digest>`: the account's, or that of the text typed when no account bears it, so that
    known and unknown names behave alike and no typed text is stored.
    """

    key = models.CharField(max_length=80, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    window_started_at = models.DateTimeField()
    locked_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.key


class DeviceQuerySet(models.QuerySet["Device"]):
    def of(self, owner: User) -> "DeviceQuerySet":
        return self.filter(user=owner)

    def active(self) -> "DeviceQuerySet":
        return self.filter(is_revoked=False)

    def newest_first(self) -> "DeviceQuerySet":
        return self.order_by("-registered_at", "-id")


class Device(models.Model):
    """A phone, tablet or browser that stands for its owner; a revoked fingerprint stays taken for everybody."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="devices")
    device_fingerprint = models.CharField(max_length=255)
    device_name = models.CharField(max_length=100)
    attestation_data = models.TextField(null=True, blank=True)
    registered_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(null=True)
    is_revoked = models.BooleanField(default=False)
    revoked_at = models.DateTimeField(null=True)

    objects = DeviceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["device_fingerprint"], name="device_fingerprint_once"),
        ]
        indexes = [
            models.Index(fields=["user", "is_revoked"], name="device_of_user"),
            models.Index(fields=["registered_at", "id"], name="device_registered"),
        ]

    def __str__(self) -> str:
        return self.device_name


class SocketTicket(models.Model):
    """Opens one socket within seconds, for browsers that cannot send a header; only its digest is kept."""

    digest = models.CharField(max_length=64, primary_key=True)
    sign_in = models.ForeignKey(SignIn, models.CASCADE, related_name="socket_tickets")
    jti = models.CharField(max_length=255, null=True, help_text="The access token that asked for it")
    socket_until = models.DateTimeField(help_text="When the socket it opens ends at the latest")
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.digest[:8]


class OpenSocket(models.Model):
    """A socket that a person holds open in some process, which says so every few seconds."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="open_sockets")
    room = models.CharField(max_length=40)
    process = models.CharField(max_length=32)
    seen_at = models.DateTimeField(db_index=True)

    class Meta:
        indexes = [
            models.Index(fields=["user", "room"], name="socket_of_user"),
            models.Index(fields=["process"], name="socket_of_process"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.room}"


class TotpSecret(models.Model):
    """What a person's authenticator app shares with us (RFC 6238); it counts once it is confirmed by a code."""

    uuid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="totp_secret")
    secret = EncryptedTextField()
    created_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    last_step = models.BigIntegerField(default=0, help_text="Newest time step whose code was accepted")

    def __str__(self) -> str:
        return f"second factor of {self.user}"


class RecoveryCode(models.Model):
    """Stands in for the authenticator app once; only its digest is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="recovery_code_once")]

    def __str__(self) -> str:
        return f"recovery code of {self.user}"
