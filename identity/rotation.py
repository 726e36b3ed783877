"""Bringing all personal data at rest to the newest key: every encrypted field and every blind index of every app.

Before: the new key is put first into the ring and all processes are restarted. After a run without complaint the
old key can be taken out. Each row says itself whether it is done, so a run that was stopped is finished by the next.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models, transaction

from activity.callers import Caller
from activity.models import Domain
from activity.services import NOBODY, recorded
from identity.encryption import CannotOpen, open_sealed, seal, sealed_by
from identity.fields import BlindIndexField, EncryptedTextField, Sealed

ATTEMPTS = 5  # at a row that others keep changing
Progress = Callable[[int], object]
Model = type[models.Model]


@dataclass
class Outcome:
    """What a run did to one table; `unreadable` are the keys of rows that no key of the ring opens in their place."""

    table: str
    rows: int = 0
    changed: int = 0
    unreadable: list[str] = field(default_factory=list)


def encrypted_models() -> list[Model]:
    """Every table that holds personal data, in any app."""
    found = apps.get_models(include_auto_created=True)
    return [model for model in found if any(_fields(model, EncryptedTextField)) and not model._meta.proxy]


def _fields(model: Model, kind: type[models.Field]) -> Iterator[Any]:
    return (each for each in model._meta.concrete_fields if isinstance(each, kind))


def rotate(by: Caller, *, batch: int = 500, progress: Progress = lambda rows: None) -> list[Outcome]:
    """Go through all tables; a run that changed something leaves one row in the trail.

    Readers are not disturbed: a row is changed only if it is still as it was read, and the ring opens both forms.
    """
    outcomes = [_table(model, batch, progress) for model in encrypted_models()]
    with recorded("rotate_pii_keys", domain=Domain.IDENTITY, by=by, person=NOBODY) as line:
        line.kept = any(outcome.changed or outcome.unreadable for outcome in outcomes)
        line.details["changed"] = {outcome.table: outcome.changed for outcome in outcomes}
        line.details["unreadable"] = {
            each.table: len(each.unreadable) for each in outcomes if each.unreadable
        }
    return outcomes


def _table(model: Model, batch: int, progress: Progress) -> Outcome:
    outcome = Outcome(model._meta.db_table)
    for rows in _batches(model, batch):
        with transaction.atomic():
            for row in rows:
                _row(row, outcome)
        outcome.rows += len(rows)
        progress(len(rows))
    return outcome


def _batches(model: Model, batch: int) -> Iterator[list[Any]]:
    """All rows by primary key; rows that come meanwhile are sealed with the newest key already."""
    everything = model._base_manager.order_by("pk")
    rows = list(everything[:batch])
    while rows:
        yield rows
        rows = list(everything.filter(pk__gt=rows[-1].pk)[:batch])


def _row(row: Any, outcome: Outcome) -> None:
    try:
        outcome.changed += _renewed(row)
    except CannotOpen:
        outcome.unreadable.append(str(row.pk))


def _renewed(row: Any) -> bool:
    """Whether a row had to be changed; one that somebody else changed or deleted meanwhile is looked at again."""
    for _ in range(ATTEMPTS):
        seen, wanted = _difference(row)
        if not wanted:
            return False
        if type(row)._base_manager.filter(pk=row.pk, **seen).update(**wanted):
            return True
        again = type(row)._base_manager.filter(pk=row.pk).first()
        if again is None:
            return False
        row = again
    raise RuntimeError(f"{row._meta.db_table} {row.pk} does not hold still")


def _difference(row: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The ciphertexts of a row as they were read, and the columns that are to be written."""
    seen: dict[str, Any] = {}
    wanted: dict[str, Any] = {}
    ring = settings.PII_ENCRYPTION_KEYS
    for each in _fields(type(row), EncryptedTextField):
        sealed, context = row.__dict__[each.attname], each.context_of(row)
        seen[each.name] = sealed
        if sealed and not sealed_by(sealed, ring[0]):
            wanted[each.name] = Sealed(seal(open_sealed(sealed, context, ring), context, ring))
    for each in _fields(type(row), BlindIndexField):
        index = each.derive(getattr(row, each.source))
        if row.__dict__[each.attname] != index:
            wanted[each.name] = index
    return seen, wanted
