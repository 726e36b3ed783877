"""Signing in: one order of checks behind every door, one row of the trail for every answered attempt."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NoReturn

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from activity.callers import Caller
from activity.models import Domain, Entry
from activity.services import Line, recorded, write
from config import throttles
from config.errors import NotSignedIn, Refusal
from identity import totp
from identity.models import User
from identity.services import locks, passwords, second_factor
from identity.services.sign_ins import Tokens, open_sign_in

HALF_WAY = timedelta(minutes=5)  # how long a browser may take from the password to the code


class InvalidCredentials(NotSignedIn):
    """Whatever was wrong, a stranger hears the same; the trail knows."""

    def __init__(self, reason: str) -> None:
        super().__init__("invalid_credentials")
        self.trailed = reason


class InvalidCode(InvalidCredentials):
    """The password was right, the one-time code was not, or was used before."""


class MoreNeeded(NotSignedIn):
    """The account asks for `factor`: `otp`, `adfs` or `hardware_token`."""

    detail, trailed = "otp_required", "mfa_required"

    def __init__(self, factor: str, user: User) -> None:
        super().__init__()
        self.factor, self.user = factor, user


@dataclass
class Attempt:
    """One knock at one door, with the row it will leave and the locks it has to pass."""

    user: User | None
    line: Line
    now: datetime
    password_key: str

    @property
    def keys(self) -> list[str]:
        return [self.password_key, *([second_factor.key_of(self.user)] if self.user else [])]

    def refuse(self, refusal: Refusal, counted: tuple[str, locks.Rule] | None = None) -> NoReturn:
        """Count the failure and leave its row, in one transaction; then say no."""
        with transaction.atomic(durable=True):
            if counted is not None:
                refusal = locks.count_failure(counted[0], self.now, counted[1]) or refusal
            self.line.result, self.line.reason = Entry.Result.FAIL, refusal.trailed
            write(self.line)
        raise refusal

    def stop_if_locked(self, key: str) -> None:
        if locked := locks.lock_on(key, self.now):
            self.refuse(locked)


def _attempt(user: User | None, login: str, by: Caller, door: str) -> Attempt:
    throttles.hit("login", by.ip or "", [(settings.LOGIN_RATE_PER_MINUTE, 60)])
    by = replace(by, user=None)  # who was signed in before does not matter
    line = Line("sign_in", Domain.IDENTITY, by, person=user, login=login, details={"door": door})
    return Attempt(user, line, timezone.now(), locks.password_key(user, login))


def sign_in(login: str, password: str | None, *, by: Caller, door: str, otp: str | None = None) -> Tokens:
    """Open a sign-in for whoever knows the password, and the code where one is asked for.

    Order (pools.md 2.3): throttle of the address, lock of the name, password, second factor, state of the account.
    """
    attempt = _attempt(User.objects.called(login), login, by, door)
    attempt.stop_if_locked(attempt.password_key)
    if password is None:
        attempt.refuse(_without_password(attempt.user, otp))
    right = passwords.is_right(attempt.user, password)
    if attempt.user is None or not right:
        reason = "unknown_user" if attempt.user is None else "bad_password"
        attempt.refuse(InvalidCredentials(reason), (attempt.password_key, locks.password_rule()))
    return _past_password(attempt, attempt.user, otp, _renewed(attempt.user, password))


def sign_in_by_code(user: User, otp: str, *, by: Caller, door: str) -> Tokens:
    """The second step of a door that asks for the password first and the code afterwards."""
    attempt = _attempt(user, user.get_username(), by, door)
    attempt.stop_if_locked(attempt.password_key)
    return _past_password(attempt, user, otp, None)


def _without_password(user: User | None, otp: str | None) -> Refusal:
    """A client may ask which factor an account wants by sending no password; nothing is checked or used up."""
    factor = _missing_factors(user)[:1] if user is not None and not otp else []
    return MoreNeeded(factor[0], user) if factor and user else InvalidCredentials("password_missing")


def _missing_factors(user: User) -> list[str]:
    names = ["otp", "adfs", "hardware_token"]
    return [name for name in names if getattr(user, f"{name}_enabled")]


def _renewed(user: User, password: str) -> str | None:
    """A stronger hash of the same password, where the stored one is of yesterday's strength."""
    return passwords.hashed(password) if passwords.outdated(user) else None


def _past_password(attempt: Attempt, user: User, otp: str | None, renewed: str | None) -> Tokens:
    missing = _missing_factors(user)
    if "otp" in missing:
        _insist_on_code(attempt, user, otp)
        missing.remove("otp")
    if missing:
        attempt.refuse(MoreNeeded(missing[0], user))
    if not user.is_active:
        attempt.refuse(InvalidCredentials("deactivated"))
    return _opened(attempt, user, renewed)


def _insist_on_code(attempt: Attempt, user: User, otp: str | None) -> None:
    """Use the code up, or refuse; five wrong ones lock the factor, whoever sends them."""
    if not totp.compact(otp or ""):
        attempt.refuse(MoreNeeded("otp", user))
    key = second_factor.key_of(user)
    attempt.stop_if_locked(key)
    with transaction.atomic(durable=True):
        wrong = second_factor.what_is_wrong(user, otp or "", attempt.now)
    if wrong:
        attempt.refuse(InvalidCode(wrong), (key, second_factor.LOCK))


def _opened(attempt: Attempt, user: User, renewed: str | None) -> Tokens:
    line = attempt.line
    with recorded(
        "sign_in", domain=Domain.IDENTITY, by=line.by, person=user, login=line.login, details=line.details
    ) as row:
        for key in attempt.keys:  # a lock that came meanwhile wins
            if locked := locks.lock_on(key, attempt.now, hold=True):
                raise locked
            locks.forget(key)
        if renewed:
            User.objects.filter(pk=user.pk, password=user.password).update(password=renewed)
        opened = open_sign_in(user, door=line.details["door"], by=line.by, now=attempt.now)
        row.trace_id, row.target = opened.sign_in.trace_id, ("sign_in", opened.sign_in.pk)
    return opened


def insist_on_password(user: User, password: str, *, by: Caller) -> None:
    """Before something that matters, a signed-in person shows the password again; the same lock counts."""
    now, key = timezone.now(), locks.password_key(user, "")
    line = Line("confirm_password", Domain.IDENTITY, by, person=user)
    attempt = Attempt(user, line, now, key)
    attempt.stop_if_locked(key)
    if not passwords.is_right(user, password):
        attempt.refuse(InvalidCredentials("bad_password"), (key, locks.password_rule()))
