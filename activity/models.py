"""The trail: one append-only table of what happened, and the providers it names.

Rows carry plain copies and no foreign keys, so history outlives what it speaks of.
"""

from django.db import models
from django.db.models.functions import Lower


class Domain(models.TextChoices):
    IDENTITY = "identity"
    ACTIVITY = "activity"
    TRAFFIC = "traffic"
    PUNCH = "punch"
    POOLS = "pools"
    COMPLIANCE = "compliance"


def one_of(column: str, *values: str) -> models.Q:
    """A condition by OR: for IN in a check SQLite builds a table at each insert, a fifth of its cost."""
    return models.Q(*((column, value) for value in values), _connector=models.Q.OR)


class Entry(models.Model):
    """One act. Database triggers refuse to change or delete it (`activity.append_only`)."""

    class Result(models.TextChoices):
        SUCCESS = "success"
        FAIL = "fail"

    sequence = models.BigAutoField(primary_key=True)
    audit_id = models.CharField(max_length=32)
    timestamp = models.DateTimeField()
    domain = models.CharField(max_length=16, choices=Domain.choices)
    category = models.CharField(max_length=32)
    action = models.CharField(max_length=64)
    trace_id = models.CharField(max_length=64)
    result = models.CharField(max_length=16, choices=Result.choices, null=True)
    reason = models.CharField(max_length=64, null=True)
    info = models.CharField(max_length=255, null=True)
    user_id = models.CharField(max_length=36, null=True)
    user_login = models.CharField(max_length=150, null=True)
    source_ip = models.CharField(max_length=45, null=True)
    source_admin = models.CharField(max_length=150, null=True)
    provider_id = models.IntegerField(null=True)
    provider_type = models.CharField(max_length=8, null=True)
    provider_name = models.CharField(max_length=120, null=True)
    provider_protocol = models.CharField(max_length=16, null=True)
    object_type = models.CharField(max_length=40, null=True)
    object_id = models.CharField(max_length=64, null=True)
    details = models.JSONField(null=True)

    class Meta:
        verbose_name_plural = "entries"
        constraints = [
            # not unique=True: on PostgreSQL that adds a second, unused index for LIKE, which slows every insert
            models.UniqueConstraint(fields=["audit_id"], name="entry_audit_id_once"),
            models.CheckConstraint(condition=one_of("domain", *Domain.values), name="entry_domain_known"),
            models.CheckConstraint(
                condition=models.Q(result__isnull=True) | one_of("result", "success", "fail"),
                name="entry_result_known",
            ),
        ]
        indexes = [
            models.Index(fields=["timestamp", "sequence"], name="entry_time"),
            models.Index(
                fields=["user_id", "timestamp", "sequence"],
                name="entry_user",
                condition=models.Q(user_id__isnull=False),
            ),
            models.Index(fields=["user_login", "timestamp", "sequence"], name="entry_login"),
            models.Index(
                fields=["provider_id", "timestamp", "sequence"],
                name="entry_provider",
                condition=models.Q(provider_id__isnull=False),
            ),
            models.Index(fields=["trace_id"], name="entry_trace"),
            models.Index(fields=["domain", "timestamp", "sequence"], name="entry_domain"),
            models.Index(fields=["source_ip", "timestamp"], name="entry_address"),
            models.Index(
                fields=["object_type", "object_id", "sequence"],
                name="entry_object",
                condition=models.Q(object_type__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.result or ''} by {self.user_login or self.source_admin or 'nobody'}"


class Segment(models.Model):
    """A sealed stretch of the trail: one digest a row, chained, signed. Append-only like the trail itself."""

    number = models.BigIntegerField(primary_key=True)
    first_sequence = models.BigIntegerField()
    last_sequence = models.BigIntegerField(unique=True)
    rows = models.PositiveIntegerField()
    digests = models.BinaryField(help_text="For each row 8 bytes of sequence and 32 bytes of digest")
    previous_head = models.CharField(max_length=64)
    head = models.CharField(max_length=64)
    sealed_at = models.DateTimeField()
    key_id = models.CharField(max_length=64)
    payload = models.TextField(help_text="The canonical JSON that was signed")
    signature = models.CharField(max_length=128)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(number__gte=1), name="segment_number_from_one"),
        ]

    def __str__(self) -> str:
        return f"segment {self.number}: {self.first_sequence} to {self.last_sequence}"


class Block(models.Model):
    """A stretch of the trail, 4096 sequence numbers wide, in which no row can appear any more.

    Block 1 covers the numbers 1 to 4096, and so on. Its rows are counted once, so that totals need not be.
    """

    WIDTH = 4096

    number = models.BigIntegerField(primary_key=True)
    rows = models.PositiveIntegerField()
    first_at = models.DateTimeField(null=True, help_text="Timestamp of the oldest row")
    last_at = models.DateTimeField(null=True, help_text="Timestamp of the newest row")

    class Meta:
        indexes = [models.Index(fields=["first_at", "last_at"], name="block_time")]

    def __str__(self) -> str:
        return f"block {self.number}: {self.rows} rows"


class Tally(models.Model):
    """How many rows of a block share these values."""

    block = models.ForeignKey(Block, models.CASCADE, related_name="tallies")
    rows = models.PositiveIntegerField()
    domain = models.CharField(max_length=16)
    category = models.CharField(max_length=32)
    action = models.CharField(max_length=64)
    result = models.CharField(max_length=16, null=True)
    reason = models.CharField(max_length=64, null=True)
    source_admin = models.CharField(max_length=150, null=True)
    provider_id = models.IntegerField(null=True)
    provider_type = models.CharField(max_length=8, null=True)
    provider_name = models.CharField(max_length=120, null=True)
    provider_protocol = models.CharField(max_length=16, null=True)

    class Meta:
        verbose_name_plural = "tallies"

    def __str__(self) -> str:
        return f"{self.rows} × {self.action} {self.result or ''}"


class Provider(models.Model):
    """Where people authenticate (an IdP) or what they open (an SP)."""

    class Type(models.TextChoices):
        IDP = "idp", "IdP"
        SP = "sp", "SP"

    class Protocol(models.TextChoices):
        SAML = "SAML"
        OIDC = "OIDC"
        OAUTH2 = "OAuth2"
        LDAP = "LDAP"
        INTERNAL = "Internal"
        KERBEROS = "Kerberos"

    id = models.AutoField(primary_key=True)
    type = models.CharField(max_length=8, choices=Type.choices)
    protocol = models.CharField(max_length=16, choices=Protocol.choices)
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(type__in=["idp", "sp"]), name="provider_type_known"),
            models.CheckConstraint(
                condition=models.Q(protocol__in=["SAML", "OIDC", "OAuth2", "LDAP", "Internal", "Kerberos"]),
                name="provider_protocol_known",
            ),
            models.UniqueConstraint("type", Lower("name"), name="provider_name_once_per_type"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.get_type_display()}, {self.protocol})"


class SeedState(models.Model):
    """How far the generator has come in one domain, so that the next run goes on from there."""

    domain = models.CharField(max_length=16, primary_key=True, choices=Domain.choices)
    seed = models.BigIntegerField()
    users = models.PositiveIntegerField()
    rows = models.PositiveBigIntegerField(null=True, help_text="What --rows asked for; null = natural volume")
    until = models.DateTimeField(help_text="High-water mark: nothing generated is later")
    version = models.CharField(max_length=16)
    digest = models.CharField(max_length=64)
    state = models.JSONField(default=dict, help_text="Where each person's stream stands")

    def __str__(self) -> str:
        return f"{self.domain} up to {self.until:%Y-%m-%d %H:%M}"
