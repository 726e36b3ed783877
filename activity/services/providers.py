"""Keeping the providers: each command is one transaction and one row of the trail."""

from django.db import connection
from django.utils import timezone

from activity.callers import Caller
from activity.models import Domain, Provider
from activity.services.trail import NOBODY, recorded
from config.errors import NotFound, Refusal

LIMIT = 1_000
CHANGEABLE = ("protocol", "name")
NAMING_LOCK = 7_770_002  # the advisory lock of those who add or rename a provider


class ProviderNotFound(NotFound):
    detail = "Provider not found"


class NameTaken(Refusal):
    """Another provider of this type has this name, in whatever case."""

    status, detail = 409, "Provider name already taken"


class LimitReached(Refusal):
    """There are as many providers as there may be."""

    status, detail = 409, "Provider limit reached"


def _one_at_a_time() -> None:
    """Whoever names a provider waits for the others; on SQLite a transaction is the only writer already."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [NAMING_LOCK])


def _refuse_taken(provider: Provider) -> None:
    """SQLite's own LOWER knows ASCII only, so the table's constraint is not enough there."""
    others = Provider.objects.filter(type=provider.type).exclude(pk=provider.pk)
    if provider.name.casefold() in {name.casefold() for name in others.values_list("name", flat=True)}:
        raise NameTaken


def _found(number: int) -> Provider:
    provider = Provider.objects.select_for_update().filter(pk=number).first()
    if provider is None:
        raise ProviderNotFound
    return provider


def create_provider(kind: str, protocol: str, name: str, *, by: Caller) -> Provider:
    """A new provider; NameTaken or LimitReached refuse it."""
    provider = Provider(type=kind, protocol=protocol, name=name, created_at=timezone.now())
    with recorded("create_provider", domain=Domain.ACTIVITY, by=by, person=NOBODY, provider=provider) as line:
        _one_at_a_time()
        if Provider.objects.count() >= LIMIT:
            raise LimitReached
        _refuse_taken(provider)
        provider.save(force_insert=True)
        line.target = ("provider", provider.pk)
    return provider


def update_provider(number: int, changes: dict[str, str], *, by: Caller) -> Provider:
    """Another protocol or name; NameTaken refuses it. What stays as it is leaves no row; the type is fixed."""
    target = ("provider", number)
    with recorded("update_provider", domain=Domain.ACTIVITY, by=by, person=NOBODY, target=target) as line:
        _one_at_a_time()
        provider = line.provider = _found(number)
        before = {name: getattr(provider, name) for name in CHANGEABLE if name in changes}
        line.details["before"] = {name: value for name, value in before.items() if changes[name] != value}
        line.kept = bool(line.details["before"])
        for name in before:
            setattr(provider, name, changes[name])
        _refuse_taken(provider)
        provider.save(update_fields=CHANGEABLE)
    return provider


def delete_provider(number: int, *, by: Caller) -> None:
    """The provider goes; rows of the trail keep the copy of its name."""
    target = ("provider", number)
    with recorded("delete_provider", domain=Domain.ACTIVITY, by=by, person=NOBODY, target=target) as line:
        line.provider = _found(number)
        Provider.objects.filter(pk=number).delete()
