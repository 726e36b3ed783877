"""One QR code, one punch: the checks of punch.md 3.2 in their order, and the race that only one call can win."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.db import IntegrityError, transaction
from django.utils import timezone

from activity.callers import Caller
from activity.models import Domain
from activity.services import NOBODY, Line, recorded
from config.errors import Refusal, invalid
from identity import keys
from identity.models import User
from punch import qr
from punch.models import Kiosk, KioskAccess, Punch, PunchState, QrToken


class PunchRefused(Refusal):
    """A scan that was turned away; leaves its own row in the trail."""

    trailed = event = "punch_refused"


class OtherKiosk(PunchRefused):
    status, detail = 403, "kiosk_id does not match authenticated kiosk"


class Malformed(PunchRefused):
    detail = "Invalid or malformed JWT token"


class WrongType(PunchRefused):
    detail = "Invalid token type (not an ephemeral QR token)"


class FieldsMissing(PunchRefused):
    detail = "Token missing required fields (sub, device_id, nonce, jti)"


class TokenExpired(PunchRefused):
    detail = "Token has expired"


class TokenUnknown(PunchRefused):
    detail = "Token not found in tracking database (may be forged)"


class Replayed(PunchRefused):
    """This token has already made its punch."""

    trailed = event = "punch_replay_attempt"
    detail = "Token has already been used (replay attack detected)"


class DeviceUnknown(PunchRefused):
    status, detail = 404, "Device not found"


class DeviceRevoked(PunchRefused):
    status, detail = 403, "Device has been revoked"


class UserUnknown(PunchRefused):
    status, detail = 404, "User not found"


class UserInactive(PunchRefused):
    status, detail = 403, "User is not active"


class AccessDenied(PunchRefused):
    """This person may not punch at this kiosk; the reason is shown on its screen."""

    status = 403
    trailed = event = "punch_access_denied"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Accès refusé: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class Receipt:
    """A punch that was accepted, and what the kiosk shows of its maker."""

    punch: Punch
    display_name: str


def validate(
    text: str, *, kiosk: Kiosk, punch_type: str | None = None, kiosk_id: int | None = None, by: Caller
) -> Receipt:
    """Turn a scanned token into one punch at server time, or refuse by name; a refusal consumes nothing."""
    if punch_type is None and kiosk.punch_mode != Kiosk.PunchMode.AUTO:
        raise invalid("body", "punch_type", "Field required", "missing")
    with _attempt(kiosk, by) as attempt:
        if kiosk_id is not None and kiosk_id != kiosk.pk:
            raise OtherKiosk
        token = _tracked(_proven(text, attempt))
        _check_owner(token)
        _check_access(kiosk, token.user, timezone.now())
        _consume(token, kiosk)
        punch = _insert(token, kiosk, punch_type)
        attempt.succeeded(punch)
    return Receipt(punch, display_name(token.user))


@dataclass
class _Attempt:
    """One scan and its row in the making; `claims` are there once they were proven."""

    line: Line
    claims: qr.Claims | None = None

    def proven(self, claims: qr.Claims) -> None:
        """From here on the row may say whose token it was."""
        self.claims = claims
        self.line.person = User.objects.filter(pk=claims.user_id).first() or NOBODY
        self.line.details["device_id"] = claims.device_id

    def succeeded(self, punch: Punch) -> None:
        told = {"punch_type": punch.punch_type, "jti": punch.jwt_jti, "unusual": punch.unusual}
        self.line.target = ("punch", punch.pk)
        self.line.details |= told

    def refused(self, refusal: PunchRefused, kiosk: Kiosk) -> None:
        self.line.action, self.line.target = refusal.event, ("kiosk", kiosk.pk)
        self.line.details |= self._told(refusal)

    def _told(self, refusal: PunchRefused) -> dict[str, object]:
        if isinstance(refusal, Replayed) and self.claims:
            return {"jti": self.claims.jti, "nonce": self.claims.nonce, **_first_use(self.claims.jti)}
        if isinstance(refusal, AccessDenied) and self.claims:
            return {"reason": refusal.reason, "jti": self.claims.jti}
        return {"reason": refusal.detail}


def _first_use(jti: str) -> dict[str, object]:
    used = QrToken.objects.get(pk=jti)
    first = used.consumed_at
    return {
        "first_consumed_at": first.isoformat().replace("+00:00", "Z") if first else None,
        "first_kiosk_id": used.consumed_by_kiosk_id,
    }


@contextmanager
def _attempt(kiosk: Kiosk, by: Caller) -> Iterator[_Attempt]:
    """One transaction, one row; a refusal names its own event."""
    details = {"kiosk_id": kiosk.pk}
    with recorded("punch_validated", domain=Domain.PUNCH, by=by, person=NOBODY, details=details) as line:
        attempt = _Attempt(line)
        try:
            yield attempt
        except PunchRefused as refusal:
            attempt.refused(refusal, kiosk)
            raise


def _public_key(kid: str) -> RSAPublicKey | None:
    return keys.ring().public.get(kid) or keys.ring(now=True).public.get(kid)


def _proven(text: str, attempt: _Attempt) -> qr.Claims:
    """Checks 4 to 7: signed here, for this purpose, complete, in time."""
    try:
        claims = qr.read(text, _public_key, timezone.now())
    except qr.NotGenuine as error:
        raise Malformed from error
    except qr.WrongKind as error:
        raise WrongType from error
    except qr.Incomplete as error:
        raise FieldsMissing from error
    except qr.Expired as error:
        attempt.proven(error.claims)
        raise TokenExpired from error
    attempt.proven(claims)
    return claims


def _tracked(claims: qr.Claims) -> QrToken:
    """Checks 8 and 9."""
    token = (
        QrToken.objects.select_related("device", "user")
        .filter(pk=claims.jti, nonce=claims.nonce, user_id=claims.user_id, device_id=claims.device_id)
        .first()
    )
    if token is None:
        raise TokenUnknown
    if token.consumed_at is not None:
        raise Replayed
    return token


def _check_owner(token: QrToken) -> None:
    """Checks 10 and 11."""
    if token.device.user_id != token.user_id:
        raise DeviceUnknown
    if token.device.is_revoked:
        raise DeviceRevoked
    if token.user.deleted_at is not None:
        raise UserUnknown
    if not token.user.is_active:
        raise UserInactive


def _check_access(kiosk: Kiosk, user: User, now: datetime) -> None:
    """Check 12, on the kiosk as it is now."""
    current = Kiosk.objects.living().filter(pk=kiosk.pk).first()
    if current is None:
        raise AccessDenied("Kiosk inexistant")
    if not current.is_active:
        raise AccessDenied("Kiosk désactivé")
    if current.access_mode == Kiosk.AccessMode.PUBLIC:
        return
    row = KioskAccess.objects.filter(kiosk=current, user=user).first()
    reason = denial(current.access_mode, row, now)
    if reason is not None:
        raise AccessDenied(reason)


def denial(mode: str, row: KioskAccess | None, now: datetime) -> str | None:
    """Why a list keeps somebody out; None lets them in. Rows of the other kind are ignored."""
    if mode == Kiosk.AccessMode.WHITELIST:
        if row is None or not row.granted:
            return "Accès non autorisé pour ce kiosk"
        return "Accès expiré" if row.expires_at is not None and row.expires_at <= now else None
    if mode == Kiosk.AccessMode.BLACKLIST:
        return "Accès bloqué pour ce kiosk" if row is not None and not row.granted else None
    return f"Mode d'accès inconnu: {mode}"


def _consume(token: QrToken, kiosk: Kiosk) -> None:
    """The one statement that decides between any number of kiosks with the same token."""
    now = timezone.now()
    unused = QrToken.objects.filter(pk=token.pk, consumed_at__isnull=True)
    if unused.filter(expires_at__gt=now).update(consumed_at=now, consumed_by_kiosk=kiosk):
        return
    raise TokenExpired if unused.exists() else Replayed


def _insert(token: QrToken, kiosk: Kiosk, punch_type: str | None) -> Punch:
    """The punch, in the order in which the punches of this person got hold of their state."""
    PunchState.objects.bulk_create([PunchState(user_id=token.user_id)], ignore_conflicts=True)
    state = PunchState.objects.select_for_update(no_key=True).get(pk=token.user_id)
    now = max(filter(None, [timezone.now(), state.last_punched_at]))
    wanted = punch_type or state.next_type(now)
    punch = Punch(
        user_id=token.user_id,
        device_id=token.device_id,
        kiosk=kiosk,
        punch_type=wanted,
        punched_at=now,
        jwt_jti=token.jti,
        unusual=wanted == state.last_type,
        created_at=now,
    )
    try:
        with transaction.atomic():
            punch.save(force_insert=True)
    except IntegrityError as error:
        raise Replayed from error
    state.last_punch, state.last_type, state.last_punched_at = punch, wanted, now
    state.last_kiosk = kiosk
    state.save()
    return punch


def display_name(user: User) -> str:
    """First name and initial, for the seconds that a screen at the door shows it."""
    if not user.first_name:
        return user.username.split("@")[0]
    return f"{user.first_name} {user.last_name[:1]}{'.' if user.last_name else ''}".strip()
