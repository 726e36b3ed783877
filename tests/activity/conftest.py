"""What the tests of the trail share."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from activity.signing import make_key
from identity.authentication import SESSION_KEY
from identity.models import User
from identity.services import open_sign_in

Visitor = Callable[[User], Client]


@pytest.fixture(autouse=True, scope="session")
def _a_key_to_seal_with() -> None:
    """The suite runs without DEBUG, where nobody makes keys on the way."""
    make_key(Path(settings.TRAIL_SIGNING_KEY_PATH))


@pytest.fixture
def visitor() -> Visitor:
    """A browser in which this person has signed in."""

    def sign(person: User) -> Client:
        client = Client(headers={"accept": "text/html"})
        session = client.session
        session[SESSION_KEY] = str(open_sign_in(person).sign_in.pk)
        session.save()
        client.cookies["sessionid"] = session.session_key
        return client

    return sign


@pytest.fixture
def browser(visitor: Visitor, audrey: User) -> Client:
    return visitor(audrey)
