"""The second factor: enrolled, confirmed, asked for, taken away."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from activity.callers import Caller
from activity.models import Domain
from activity.services import recorded
from config.errors import NotFound, Refusal, invalid
from identity import totp
from identity.models import RecoveryCode, SignIn, TotpSecret, User
from identity.services import locks, sign_ins

LOCK = locks.Rule(failures=5, window=timedelta(minutes=10), length=timedelta(minutes=15))
ENROLMENT_LIFE = timedelta(minutes=15)


class AlreadyEnrolled(Refusal):
    status, detail = 409, "The second factor is on already"


class NoEnrolment(NotFound):
    detail = "No enrolment is under way"


def key_of(user: User) -> str:
    """The lock of a person's second factor, whatever session or address tries."""
    return f"otp:{user.uuid}"


def pending(user: User, now: datetime) -> TotpSecret | None:
    """The secret that waits for its first code."""
    return TotpSecret.objects.filter(
        user=user, confirmed_at__isnull=True, created_at__gt=now - ENROLMENT_LIFE
    ).first()


def enrol(user: User) -> TotpSecret:
    """A fresh secret; nothing is asked of the person until a code confirms it, so this is no act of the trail."""
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(
            pk=user.pk
        )  # two tabs at once: the later secret counts
        if TotpSecret.objects.filter(user=user, confirmed_at__isnull=False).exists():
            raise AlreadyEnrolled
        TotpSecret.objects.filter(user=user).delete()
        return TotpSecret.objects.create(user=user, secret=totp.new_secret(), created_at=timezone.now())


def confirm(user: User, code: str, *, by: Caller, except_: SignIn | None = None) -> list[str]:
    """Turn the second factor on; the recovery codes are shown this once. All sign-ins of the person end."""
    now = timezone.now()
    with recorded(
        "enable_second_factor", domain=Domain.IDENTITY, by=by, person=user, target=("user", user.uuid)
    ) as line:
        waiting = pending(user, now)
        if waiting is None:
            raise NoEnrolment
        step = totp.step_of(waiting.secret, totp.compact(code), now)
        if step is None:
            raise invalid("body", "code", "This code is not the one of this moment")
        won = TotpSecret.objects.filter(pk=waiting.pk, confirmed_at__isnull=True)
        if not won.update(confirmed_at=now, last_step=step):
            raise AlreadyEnrolled
        User.objects.filter(pk=user.pk).update(otp_enabled=True)
        line.details["sign_ins"] = sign_ins.end_all(user, "factor_changed", now, except_=except_)
        codes = totp.new_recovery_codes()
        _keep(user, codes)
    return codes


def _keep(user: User, codes: list[str]) -> None:
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create(
        RecoveryCode(user=user, digest=totp.digest(code, str(user.uuid))) for code in codes
    )


def remove(user: User, *, by: Caller, except_: SignIn | None = None) -> bool:
    """Take the second factor away, by the person or an operator; whether there was one. All sign-ins end."""
    with recorded(
        "reset_second_factor", domain=Domain.IDENTITY, by=by, person=user, target=("user", user.uuid)
    ) as line:
        there = User.objects.filter(pk=user.pk, otp_enabled=True).update(otp_enabled=False) > 0
        TotpSecret.objects.filter(user=user).delete()
        RecoveryCode.objects.filter(user=user).delete()
        locks.forget(key_of(user))
        line.kept = there
        if there:
            line.details["sign_ins"] = sign_ins.end_all(
                user, "factor_changed", timezone.now(), except_=except_
            )
    return there


def what_is_wrong(user: User, code: str, now: datetime) -> str | None:
    """Use a one-time or recovery code up, inside the open transaction; the reason if it cannot be.

    The conditional updates let each code pass once, also of two that arrive together.
    """
    typed = totp.compact(code)
    secret = TotpSecret.objects.filter(user=user, confirmed_at__isnull=False).first()
    step = totp.step_of(secret.secret, typed, now) if secret else None
    if secret is not None and step is not None:
        fresh = TotpSecret.objects.filter(pk=secret.pk, last_step__lt=step).update(last_step=step)
        return None if fresh else "otp_reused"
    mine = RecoveryCode.objects.filter(user=user, digest=totp.digest(typed, str(user.uuid)))
    if mine.filter(used_at__isnull=True).update(used_at=now):
        return None
    return "otp_reused" if mine.exists() else "otp_mismatch"


def codes_left(user: User) -> int:
    return RecoveryCode.objects.filter(user=user, used_at__isnull=True).count()
