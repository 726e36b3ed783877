"""Checking and choosing passwords. Hashing is slow on purpose, so it has its own bounded room."""

import os
from functools import lru_cache
from threading import BoundedSemaphore

from django.conf import settings
from django.contrib.auth import password_validation
from django.contrib.auth.hashers import check_password, identify_hasher, make_password
from django.core.exceptions import ValidationError

from config.errors import invalid
from identity.models import User

_room = BoundedSemaphore(os.cpu_count() or 1)


@lru_cache(maxsize=4)
def _nobodys_hash(hashers: tuple[str, ...]) -> str:
    """What the password of an unknown account is compared with: same method, same cost."""
    return make_password("nobody's password")


def hashed(password: str | None) -> str:
    """The stored form; None makes an account that cannot sign in."""
    with _room:
        return make_password(password)


def is_right(user: User | None, password: str) -> bool:
    """Whether this is the person's password; takes as long for nobody as for somebody."""
    nobody = _nobodys_hash(tuple(settings.PASSWORD_HASHERS))
    usable = user is not None and user.has_usable_password()
    with _room:
        matches = check_password(password, user.password if user is not None and usable else nobody)
    return matches and usable


def outdated(user: User) -> bool:
    """Whether the stored hash was made with weaker parameters than today's."""
    return identify_hasher(user.password).must_update(user.password)


def insist_on_policy(password: str, user: User | None = None, field: str = "password") -> None:
    """InvalidInput at the field unless the validators in the settings accept this password."""
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise invalid("body", field, " ".join(error.messages)) from error
