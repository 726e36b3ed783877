"""Lock-outs: so many failures of one secret within so many minutes lock it, right or wrong, for as long."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from django.conf import settings
from django.db import connection
from django.utils.crypto import salted_hmac

from config.errors import TooManyRequests
from identity.encryption import normalised
from identity.models import LockOut, User


@dataclass(frozen=True)
class Rule:
    """So many failures within the window lock for the length."""

    failures: int
    window: timedelta
    length: timedelta


def password_rule() -> Rule:
    length = timedelta(minutes=settings.LOGIN_LOCK_MINUTES)
    return Rule(settings.LOGIN_LOCK_FAILURES, length, length)


class Locked(TooManyRequests):
    """Too many failures: nothing is checked until the lock ends."""

    trailed = "locked"


# One statement, so that parallel failures cannot slip past each other; no row comes back from a locked key.
COUNT = """
INSERT INTO identity_lockout (key, failures, window_started_at, locked_until) VALUES (%(key)s, 1, %(now)s, %(first)s)
ON CONFLICT (key) DO UPDATE SET
  failures = CASE WHEN identity_lockout.window_started_at <= %(edge)s THEN 1 ELSE identity_lockout.failures + 1 END,
  window_started_at = CASE WHEN identity_lockout.window_started_at <= %(edge)s THEN %(now)s
    ELSE identity_lockout.window_started_at END,
  locked_until = CASE WHEN identity_lockout.window_started_at > %(edge)s
    AND identity_lockout.failures + 1 >= %(limit)s THEN %(until)s ELSE %(first)s END
WHERE identity_lockout.locked_until IS NULL OR identity_lockout.locked_until <= %(now)s
RETURNING failures
"""


def password_key(user: User | None, login: str) -> str:
    """The lock of an account's password, or of a typed name that nobody bears."""
    if user is not None:
        return f"password:{user.uuid}"
    return "password:" + salted_hmac("identity.lockout", normalised(login), algorithm="sha256").hexdigest()


def _wait(lock: LockOut | None, now: datetime) -> int | None:
    if lock is None or lock.locked_until is None or lock.locked_until <= now:
        return None
    return max(1, ceil((lock.locked_until - now).total_seconds()))


def lock_on(key: str, now: datetime, *, hold: bool = False) -> Locked | None:
    """The lock on this key, if there is one; `hold` keeps parallel attempts waiting until this transaction ends."""
    found = LockOut.objects.select_for_update() if hold else LockOut.objects.all()
    wait = _wait(found.filter(key=key).first(), now)
    return None if wait is None else Locked(wait)


def count_failure(key: str, now: datetime, rule: Rule) -> Locked | None:
    """Count one failure inside the open transaction; the lock, if others locked the key meanwhile."""
    until = _stored(now + rule.length)
    values = {
        "key": key,
        "now": _stored(now),
        "edge": _stored(now - rule.window),
        "until": until,
        "first": until if rule.failures <= 1 else None,
        "limit": rule.failures,
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNT, values)
        counted = cursor.fetchone()
    return None if counted else lock_on(key, now)


def _stored(moment: datetime) -> str:
    """A moment as this database's column holds it."""
    return connection.ops.adapt_datetimefield_value(moment)  # type: ignore[return-value]


def forget(key: str) -> int:
    """End the lock and its count; how many there were."""
    return LockOut.objects.filter(key=key).delete()[0]
