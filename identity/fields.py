"""Model fields that encrypt, and fields that are derived from others when a row is saved."""

from typing import Any

from django.conf import settings
from django.db import models

from identity.encryption import blind_index, normalised, open_sealed, seal, sealed_by


class Sealed(str):
    """Ciphertext as it came from the database, not opened yet."""


class SealedAttribute:
    """Opens a text at the first look; until then the row carries ciphertext only."""

    def __init__(self, field: "EncryptedTextField") -> None:
        self.field = field

    def __get__(self, row: Any, owner: Any = None) -> Any:
        if row is None:
            return self
        if self.field.attname not in row.__dict__:
            row.refresh_from_db(fields=[self.field.attname])
        value = row.__dict__[self.field.attname]
        if isinstance(value, Sealed):
            value = open_sealed(value, self.field.context_of(row), settings.PII_ENCRYPTION_KEYS)
            row.__dict__[self.field.attname] = value
        return value

    def __set__(self, row: Any, value: Any) -> None:
        row.__dict__[self.field.attname] = value


class EncryptedTextField(models.TextField):
    """Text encrypted at rest, bound to table, column and the row's `uuid`; an empty text stays empty.

    Written by `save()` and `bulk_create()`; `update()` knows no row and is refused.
    """

    descriptor_class = SealedAttribute

    def context_of(self, row: Any) -> str:
        return f"{row._meta.db_table}.{self.column}.{row.uuid}"

    def from_db_value(self, value: str | None, *args: Any) -> str | None:
        return Sealed(value) if value else value

    def pre_save(self, model_instance: Any, add: bool) -> Any:
        value = model_instance.__dict__.get(self.attname)
        if not value or (isinstance(value, Sealed) and sealed_by(value, settings.PII_ENCRYPTION_KEYS[0])):
            return value
        if isinstance(
            value, Sealed
        ):  # a row read before its keys were rotated must not bring the old one back
            value = open_sealed(value, self.context_of(model_instance), settings.PII_ENCRYPTION_KEYS)
        return Sealed(seal(value, self.context_of(model_instance), settings.PII_ENCRYPTION_KEYS))

    def value_to_string(self, obj: Any) -> str:
        """What `dumpdata` writes: the ciphertext, so that no dump of any kind holds a name."""
        return str(self.pre_save(obj, False) or "")

    def get_prep_value(self, value: Any) -> Any:
        if value and not isinstance(value, Sealed):
            raise TypeError(f"{self.name} can only be written by saving its row")
        return str(value) if value is not None else None


class DerivedField(models.CharField):
    """A column computed from another attribute whenever its row is saved."""

    def __init__(self, *args: Any, source: str = "", **kwargs: Any) -> None:
        self.source = source
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "source": self.source}

    def derive(self, value: Any) -> str | None:
        raise NotImplementedError

    def pre_save(self, model_instance: Any, add: bool) -> Any:
        value = self.derive(getattr(model_instance, self.source))
        setattr(model_instance, self.attname, value)
        return value


class CaseKeyField(DerivedField):
    """Equal for texts that differ by case only, on every database; null when there is no text."""

    def derive(self, value: Any) -> str | None:
        return normalised(value) if value else None


class BlindIndexField(DerivedField):
    """Lets an encrypted text be found by its exact value."""

    def derive(self, value: Any) -> str | None:
        return self.index_of(value, settings.PII_INDEX_KEYS[0]) if value else None

    def index_of(self, value: str, key: str) -> str:
        return blind_index(value, self.source, key)

    def candidates(self, value: str) -> list[str]:
        """What to look for: one index per key of the ring."""
        return [self.index_of(value, key) for key in settings.PII_INDEX_KEYS]
