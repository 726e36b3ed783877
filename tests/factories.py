"""Rows for tests, by factory-boy."""

import secrets
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import factory
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group

from activity.models import Domain, Entry, Provider
from identity.models import User

PASSWORD = "correct horse battery"


@cache
def hashed(password: str) -> str:
    """Hashing is slow on purpose; one hash serves the whole cast."""
    return make_password(password)


class PersonFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"person{n}")
    email = factory.LazyAttribute(lambda o: f"{o.username}@example.org")
    first_name = "Pat"
    last_name = factory.Sequence(lambda n: f"Person{n}")

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **values: Any) -> User:
        password = values.pop("password", PASSWORD)
        person = User(**values, password=hashed(password))
        person.save()
        return person

    @factory.post_generation
    def roles(self, create: bool, extracted: Any, **kwargs: Any) -> None:
        names = extracted if extracted is not None else ["user"]
        self.groups.set(Group.objects.filter(name__in=names))


class ProviderFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Provider

    type = "idp"
    protocol = "SAML"
    name = factory.Sequence(lambda n: f"Provider {n}")
    created_at = factory.LazyFunction(lambda: datetime.now(UTC) - timedelta(days=400))


class EntryFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Entry

    audit_id = factory.LazyFunction(lambda: secrets.token_hex(16))
    trace_id = factory.LazyFunction(lambda: secrets.token_hex(16))
    timestamp = factory.LazyFunction(lambda: datetime.now(UTC) - timedelta(minutes=1))
    domain = Domain.ACTIVITY
    category = "autorisation"
    action = "access"
    result = "success"
    source_ip = "203.0.113.7"
