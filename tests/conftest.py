"""The cast that every test shares, and clients that are signed in as one of them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.core.cache import cache
from django.core.management.commands import flush
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from rest_framework.test import APIClient

from activity.append_only import unlocked
from identity.models import User
from identity.roles import plant_roles
from tests.factories import PersonFactory

# The suite shares two cores with browsers and databases: laws count, wall clocks do not.
settings.register_profile("waymark", deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)
settings.load_profile("waymark")


@pytest.fixture(autouse=True, scope="session")
def _flushing_lifts_the_triggers() -> Iterator[None]:
    """Tests with real transactions empty all tables afterwards, which the trail refuses as it should."""
    original = flush.Command.handle

    def handle(self: flush.Command, **options: Any) -> None:
        with transaction.atomic(), unlocked():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:  # pending trigger events would forbid the TRUNCATE
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            original(self, **options)
        plant_roles(apps)

    flush.Command.handle = handle  # type: ignore[method-assign]
    yield
    flush.Command.handle = original  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def _no_memories() -> Iterator[None]:
    cache.clear()
    return


@pytest.fixture
def alice(db: None) -> User:
    """Alice administers."""
    return PersonFactory(username="alice", first_name="Alice", last_name="Martin", roles=["admin"])


@pytest.fixture
def oscar(db: None) -> User:
    """Oscar operates."""
    return PersonFactory(username="oscar", first_name="Oscar", last_name="Petit", roles=["operator"])


@pytest.fixture
def audrey(db: None) -> User:
    """Audrey audits."""
    return PersonFactory(username="audrey", first_name="Audrey", last_name="Blanc", roles=["auditor"])


@pytest.fixture
def mona(db: None) -> User:
    """Mona manages a team."""
    return PersonFactory(username="mona", first_name="Mona", last_name="Roux", roles=["manager"])


@pytest.fixture
def uma(db: None) -> User:
    """Uma is an ordinary user."""
    return PersonFactory(username="uma", first_name="Uma", last_name="Noir", roles=["user"])


@pytest.fixture
def api() -> APIClient:
    """A client nobody is signed in with."""
    return APIClient()


@pytest.fixture
def signed_in() -> Callable[[User], APIClient]:
    """A client that carries a fresh access token of this person."""
    from identity.services import open_sign_in

    def sign(person: User) -> APIClient:
        client = APIClient()
        tokens = open_sign_in(person)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.access}")
        return client

    return sign


@pytest.fixture
def sockets(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that answer for sockets keep no connection when they have answered."""
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
