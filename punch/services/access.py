"""Who may punch at a kiosk: its mode, and the people granted or blocked there."""

from datetime import datetime

from django.utils import timezone

from activity.callers import Caller
from config.errors import Refusal
from identity.models import User
from punch.models import Kiosk, KioskAccess, fits
from punch.services.kiosks import kiosk_act


class AccessModeInvalid(Refusal):
    detail = f"Invalid access mode. Must be one of: {Kiosk.AccessMode.values}"


class UserNotFound(Refusal):
    status, detail = 404, "User not found"


def _person(user_id: int) -> User:
    user = User.objects.living().filter(pk=user_id).first() if fits(user_id) else None
    if user is None:
        raise UserNotFound
    return user


def change_access_mode(kiosk_id: int, mode: str, *, by: Caller) -> Kiosk:
    """Whether everybody, those granted, or all but those blocked may punch here; AccessModeInvalid."""
    with kiosk_act("kiosk_access_mode_changed", kiosk_id, by) as (line, kiosk):
        if mode not in Kiosk.AccessMode.values:
            raise AccessModeInvalid
        line.kept = kiosk.access_mode != mode
        line.details |= {"old": kiosk.access_mode, "new": mode}
        kiosk.access_mode = mode
        kiosk.save(update_fields=["access_mode"])
    return kiosk


def _set(
    action: str, kiosk_id: int, user_id: int, granted: bool, until: datetime | None, by: Caller
) -> KioskAccess:
    """One row per kiosk and person, whoever writes it first."""
    with kiosk_act(action, kiosk_id, by) as (line, kiosk):
        line.person = user = _person(user_id)
        values = {
            "granted": granted,
            "expires_at": until,
            "granted_by": by.user,
            "granted_at": timezone.now(),
        }
        access, _made = KioskAccess.objects.update_or_create(kiosk=kiosk, user=user, defaults=values)
    return access


def grant_access(kiosk_id: int, user_id: int, *, until: datetime | None = None, by: Caller) -> KioskAccess:
    """Let a person punch at a kiosk with a white list, for ever or until a moment."""
    return _set("kiosk_access_granted", kiosk_id, user_id, True, until, by)


def block_access(kiosk_id: int, user_id: int, *, by: Caller) -> KioskAccess:
    """Keep a person from punching at a kiosk with a black list."""
    return _set("kiosk_access_blocked", kiosk_id, user_id, False, None, by)


def revoke_access(kiosk_id: int, user_id: int, *, by: Caller) -> tuple[Kiosk, User, bool]:
    """Take a granted or blocked row away; whether there was one. None is no act."""
    with kiosk_act("kiosk_access_revoked", kiosk_id, by) as (line, kiosk):
        line.person = user = _person(user_id)
        line.kept = bool(KioskAccess.objects.filter(kiosk=kiosk, user=user).delete()[0])
    return kiosk, user, line.kept
