"""Accounts: made, changed, given roles, stopped and retired. Every command is one row of the trail."""

import copy
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import Group
from django.db import IntegrityError, models
from django.utils import timezone

from activity.callers import Caller
from activity.models import Domain
from activity.services import recorded
from config import throttles
from config.errors import NotFound, Refusal, invalid
from config.inputs import UNSTORABLE
from identity import devices
from identity.encryption import normalised
from identity.models import SignIn, User
from identity.roles import Role
from identity.services import locks, passwords, second_factor, sign_ins

UNIQUE_COLUMN = re.compile(r"(?:Key \(|identity_user\.)(?:username_key|email_key)")
LONGEST_USERNAME = 150


class UserNotFound(NotFound):
    detail = "User not found"


class LoginTaken(Refusal):
    status, detail = 409, "Login already taken"


class EmailTaken(Refusal):
    status, detail = 409, "Email already taken"


class OwnAccount(Refusal):
    """Nobody deletes or stops themselves."""

    status, detail = 409, "Cannot delete your own account"


class LastAdministrator(Refusal):
    """Somebody must remain who can administer."""

    status, detail = 409, "Cannot delete the last administrator"


class RegistrationDisabled(Refusal):
    """This installation makes accounts itself."""

    status, detail = 403, "registration_disabled"


@contextmanager
def _unique(login: str, uuid: UUID) -> Iterator[None]:
    """The database decides who was first; the loser hears which of the two texts was taken."""
    try:
        yield
    except IntegrityError as error:
        if not UNIQUE_COLUMN.search(str(error)):
            raise
        namesakes = User.objects.filter(username_key=normalised(login)).exclude(uuid=uuid)
        raise (LoginTaken if namesakes.exists() else EmailTaken)() from error


def find(uuid: UUID) -> User:
    """The account with this uuid; UserNotFound if there is none or it is retired."""
    user = User.objects.living().filter(uuid=uuid).first()
    if user is None:
        raise UserNotFound
    return user


def _held(user: User) -> User:
    """The row of this person, kept for this transaction and as it is now."""
    row = User.objects.living().select_for_update().filter(pk=user.pk).first()
    if row is None:
        raise UserNotFound
    return row


def _groups(roles: Iterable[str]) -> models.QuerySet[Group]:
    return Group.objects.filter(name__in=[Role(role).value for role in roles])


def _written_email(email: str | None) -> str | None:
    return BaseUserManager.normalize_email(email) or None


def create_user(
    login: str,
    *,
    by: Caller,
    first_name: str = "",
    last_name: str = "",
    email: str | None = None,
    roles: Iterable[str] = (Role.USER,),
    password: str | None = None,
) -> User:
    """A new account; without a password it cannot sign in."""
    user = User(
        username=login,
        email=_written_email(email),
        first_name=first_name,
        last_name=last_name,
        password=passwords.hashed(password),
    )
    with (
        _unique(login, user.uuid),
        recorded(
            "create_user", domain=Domain.IDENTITY, by=by, person=user, target=("user", user.uuid)
        ) as line,
    ):
        user.save(force_insert=True)
        user.groups.set(_groups(roles))
        line.details["roles"] = user.roles
    return user


def _username(wanted: str, user: User) -> str:
    """An address too long for a username is replaced by the uuid; the person signs in with the address anyway."""
    return wanted if len(wanted) <= LONGEST_USERNAME else str(user.uuid)


class EmailRegistered(Refusal):
    status, detail = 400, "email_already_registered"


def register(email: str, password: str, *, by: Caller) -> User:
    """Somebody makes an account for themselves: role `user`, named by the e-mail address."""
    throttles.hit("register", by.ip or "", settings.THROTTLES["REGISTER"])
    if not settings.ALLOW_REGISTRATION:
        raise RegistrationDisabled
    written = _written_email(email) or ""
    user = User(email=written)
    user.username = _username(written, user)
    passwords.insist_on_policy(password, user)
    user.password = passwords.hashed(password)
    line = {"person": user, "login": user.username, "target": ("user", user.uuid)}
    try:
        with (
            _unique(user.username, user.uuid),
            recorded("create_user", domain=Domain.IDENTITY, by=by, **line) as row,
        ):
            user.save(force_insert=True)
            user.groups.set(_groups([Role.USER]))
            row.details["registered"] = True
    except (LoginTaken, EmailTaken) as error:
        raise EmailRegistered from error
    return user


def update_user(user: User, changes: dict[str, Any], *, by: Caller) -> User:
    """Change login, names or e-mail; only the fields named change, and none named is no act at all."""
    try:
        with (
            _unique(changes.get("login", user.username), user.uuid),
            recorded("update_user", domain=Domain.IDENTITY, by=by, target=("user", user.uuid)) as line,
        ):
            row = line.person = _held(user)
            line.kept = bool(changes)
            line.details["fields"] = sorted(changes)
            if "login" in changes:
                line.details["login_before"] = row.username
            _apply(row, changes)
    except LoginTaken as error:
        raise LoginTaken("Cannot redefine field, login already taken") from error
    return row


def _apply(row: User, changes: dict[str, Any]) -> None:
    derived = row.full_name == row.derived_name()
    row.username = changes.get("login", row.username)
    row.first_name = changes.get("first_name", row.first_name)
    row.last_name = changes.get("last_name", row.last_name)
    row.email = _written_email(changes.get("email", row.email))
    if derived:
        row.full_name = row.derived_name()
    row.save()


def _insist_on_another_administrator(user: User, refusal: Refusal) -> None:
    """Some other active account administers; the lock on the role lets one such command pass at a time."""
    Group.objects.select_for_update().get(name=Role.ADMIN.value)
    administers = models.Q(groups__name=Role.ADMIN.value) | models.Q(is_superuser=True)
    others = User.objects.living().filter(administers, is_active=True).exclude(pk=user.pk)
    if Role.ADMIN in _held(user).roles and not others.exists():
        raise refusal


def _insist_on_somebody_else(user: User, by: Caller, refusal: Refusal) -> None:
    if by.user is not None and by.user.pk == user.pk:
        raise refusal


def retire_user(user: User, *, by: Caller) -> None:
    """The account leaves every list and look-up, its sign-ins end, login and e-mail become free; its uuid stays."""
    now = timezone.now()
    with recorded(
        "delete_user", domain=Domain.IDENTITY, by=by, person=user, target=("user", user.uuid)
    ) as line:
        _insist_on_somebody_else(user, by, OwnAccount())
        _insist_on_another_administrator(user, LastAdministrator())
        row = _held(user)
        line.person = copy.copy(row)  # the trail keeps the login as it was
        line.details["sign_ins"] = sign_ins.end_all(row, "user_retired", now)
        devices.retire_devices(row)
        row.username, row.email = f"deleted-{row.uuid}", f"deleted-{row.uuid}@deleted.invalid"
        row.is_active, row.is_superuser, row.deleted_at = False, False, now
        row.set_unusable_password()
        row.save()
        row.groups.clear()


def set_roles(user: User, roles: Iterable[str], *, by: Caller) -> User:
    """Give a person exactly these roles; the same roles again are no act."""
    wanted = [role.value for role in Role if role in {Role(name) for name in roles}]
    with recorded(
        "change_roles", domain=Domain.IDENTITY, by=by, person=user, target=("user", user.uuid)
    ) as line:
        if Role.ADMIN not in wanted:
            _insist_on_another_administrator(user, LastAdministrator("Cannot remove the last administrator"))
        row = _held(user)
        line.kept = row.roles != wanted
        line.details |= {"old": row.roles, "new": wanted}
        row.groups.set(_groups(wanted))
        if row.is_superuser and Role.ADMIN not in wanted:
            row.is_superuser = False
            row.save(update_fields=["is_superuser"])
        del row.roles
    return row


def set_password(user: User, password: str, *, by: Caller, except_: SignIn | None = None) -> None:
    """A new password; every sign-in of the person ends (but the browser it was changed in), and so does a lock."""
    encoded = passwords.hashed(password)
    with recorded(
        "change_password", domain=Domain.IDENTITY, by=by, person=user, target=("user", user.uuid)
    ) as line:
        row = _held(user)
        row.password = encoded
        row.save(update_fields=["password"])
        locks.forget(locks.password_key(row, row.username))
        line.details["sign_ins"] = sign_ins.end_all(row, "password_changed", timezone.now(), except_=except_)


def deactivate(user: User, *, by: Caller) -> None:
    """Stop an account: it cannot sign in, and its sign-ins end."""
    now: datetime = timezone.now()
    with recorded(
        "deactivate_user", domain=Domain.IDENTITY, by=by, person=user, target=("user", user.uuid)
    ) as line:
        _insist_on_somebody_else(user, by, OwnAccount("Cannot deactivate your own account"))
        _insist_on_another_administrator(user, LastAdministrator("Cannot deactivate the last administrator"))
        row = _held(user)
        line.kept = row.is_active
        line.details["sign_ins"] = sign_ins.end_all(row, "deactivated", now)
        row.is_active = False
        row.save(update_fields=["is_active"])


def activate(user: User, *, by: Caller) -> None:
    """Let a stopped account sign in again."""
    with recorded(
        "activate_user", domain=Domain.IDENTITY, by=by, person=user, target=("user", user.uuid)
    ) as line:
        row = _held(user)
        line.kept = not row.is_active
        row.is_active = True
        row.save(update_fields=["is_active"])


def unlock(user: User, *, by: Caller) -> None:
    """End the locks that wrong passwords and codes put on an account, and forget them."""
    with recorded(
        "unlock_user", domain=Domain.IDENTITY, by=by, person=user, target=("user", user.uuid)
    ) as line:
        keys = [locks.password_key(user, user.username), second_factor.key_of(user)]
        line.kept = sum(map(locks.forget, keys)) > 0


def equip(
    email: str,
    password: str,
    *,
    by: Caller,
    username: str | None = None,
    roles: Iterable[str] | None = None,
    add: Iterable[str] = (),
) -> tuple[User, bool]:
    """Make the account of this address, or set password and roles of the one that has it; whether it was made.

    For the operator at the terminal: any text with one `@` is an address, and `add` leaves other roles in place.
    """
    if email.count("@") != 1 or email != email.strip() or UNSTORABLE.search(email) or len(email) > 254:
        raise invalid("body", "email", "An e-mail address has exactly one @")
    user = User.objects.living().filter(email_key=normalised(email)).first()
    if user is None:
        wanted = [*(roles or ()), *add]
        name = username or email[:LONGEST_USERNAME]
        return create_user(name, email=email, roles=wanted, password=password, by=by), True
    wanted = [*(user.roles if roles is None else roles), *add]
    if set(wanted) != set(user.roles):
        user = set_roles(user, wanted, by=by)
    if username and username != user.username:
        user = update_user(user, {"login": username}, by=by)
    if not user.is_active:
        activate(user, by=by)
    set_password(user, password, by=by)
    return user, False
