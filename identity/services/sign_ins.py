"""The register of sign-ins: opened, refreshed, ended."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from activity.callers import Caller
from activity.models import Domain, Entry
from activity.services import clean_text, record, recorded
from config import throttles
from config.errors import NotSignedIn
from identity import tokens
from identity.models import LockOut, RefreshToken, RevokedToken, SignIn, SignInQuerySet, SocketTicket, User

REUSE_GRACE = timedelta(seconds=20)  # two tabs may refresh at once


class InvalidToken(NotSignedIn):
    """A token that opens nothing (any more)."""

    detail = "invalid_token"


@dataclass(frozen=True)
class Tokens:
    """What a successful sign-in hands out; `expires_in` is the life of the access token in seconds."""

    access: str
    refresh: str
    expires_in: int
    sign_in: SignIn


def open_sign_in(
    user: User, *, door: str = "system", by: Caller | None = None, now: datetime | None = None
) -> Tokens:
    """A new sign-in with its first pair of tokens, inside the caller's transaction. Asks and records nothing."""
    moment = now or timezone.now()
    made = SignIn.objects.create(
        user=user,
        door=door,
        trace_id=secrets.token_hex(16),
        ip=by.ip if by else None,
        agent=(clean_text(by.agent, 500) or "") if by else "",
        created_at=moment,
        last_seen_at=moment,
        expires_at=moment + timedelta(days=settings.REFRESH_TOKEN_EXPIRE_DAYS),
    )
    User.objects.filter(pk=user.pk).update(last_seen_at=moment)
    return _issue(made, user, moment)


def _issue(sign_in: SignIn, user: User, now: datetime) -> Tokens:
    access = tokens.AccessToken.issue(sign_in, user, now)
    refresh = tokens.RefreshToken.issue(sign_in, user, now)
    RefreshToken.objects.create(
        jti=refresh["jti"],
        sign_in=sign_in,
        issued_at=now,
        expires_at=now + timedelta(days=settings.REFRESH_TOKEN_EXPIRE_DAYS),
    )
    return Tokens(str(access), str(refresh), access["exp"] - access["iat"], sign_in)


def refresh(token: str, *, by: Caller) -> Tokens:
    """Change a refresh token for a new pair.

    Each is used once; a second use within the grace is another tab of the same person, a later one is theft and
    ends the whole sign-in (OAuth 2.0 Security Best Current Practice, RFC 9700, 4.14.2).
    """
    throttles.hit("refresh", by.ip or "", settings.THROTTLES["REFRESH"])
    claims = tokens.refresh_claims(token)
    if claims is None:
        raise InvalidToken
    now = timezone.now()
    with transaction.atomic(durable=True):
        pair = _exchanged(claims["jti"], by, now)
    if pair is None:
        raise InvalidToken
    return pair


def _exchanged(jti: str, by: Caller, now: datetime) -> Tokens | None:
    row = RefreshToken.objects.select_related("sign_in__user").filter(pk=jti).first()
    if row is None or not row.sign_in.user.is_active:
        return None
    first_use = RefreshToken.objects.filter(pk=jti, used_at__isnull=True).update(used_at=now)
    if not first_use:
        row.refresh_from_db(fields=["used_at"])
        assert row.used_at is not None
        if now - row.used_at > REUSE_GRACE:
            _end_stolen(row.sign_in, by, now)
            return None
    expiry = now + timedelta(days=settings.REFRESH_TOKEN_EXPIRE_DAYS)
    alive = SignIn.objects.live(now).filter(pk=row.sign_in_id).update(expires_at=expiry, last_seen_at=now)
    return _issue(row.sign_in, row.sign_in.user, now) if alive else None


def _end_stolen(sign_in: SignIn, by: Caller, now: datetime) -> None:
    if _end(SignIn.objects.filter(pk=sign_in.pk), "refresh_reused", now):
        record(
            "refresh_reused",
            domain=Domain.IDENTITY,
            by=by,
            person=sign_in.user,
            target=("sign_in", sign_in.pk),
            trace_id=sign_in.trace_id,
            result=Entry.Result.FAIL,
            reason="refresh_reused",
        )


def _end(sign_ins: SignInQuerySet, reason: str, now: datetime) -> int:
    return sign_ins.live(now).update(ended_at=now, end_reason=reason)


def sign_out(
    sign_in: SignIn, *, by: Caller, jti: str | None = None, refresh_token: str | None = None
) -> None:
    """End this sign-in with all its tokens and its session; also that of another refresh token of this person."""
    now = timezone.now()
    claims = tokens.refresh_claims(refresh_token) if refresh_token else None
    with recorded(
        "sign_out",
        domain=Domain.IDENTITY,
        by=by,
        person=sign_in.user,
        target=("sign_in", sign_in.pk),
        trace_id=sign_in.trace_id,
    ):
        ending = [sign_in.pk, *([claims["client_id"]] if claims else [])]
        _end(SignIn.objects.filter(pk__in=ending, user=sign_in.user_id), "signed_out", now)
        if jti is not None:
            expiry = now + timedelta(minutes=settings.ACCESS_TOKEN_EXPIRE_MINUTES)
            _revoke(jti, sign_in.user, "signed_out", by, now, expiry)


def _revoke(
    jti: str, user: User | None, reason: str, by: Caller, now: datetime, expires_at: datetime
) -> None:
    RevokedToken.objects.bulk_create(
        [
            RevokedToken(
                jti=jti,
                user_id=str(user.uuid) if user else None,
                reason=reason[:500],
                revoked_by=by.login[:150],
                revoked_at=now,
                expires_at=expires_at,
            )
        ],
        ignore_conflicts=True,
    )


def revoke(jti: str, expires_at: datetime, *, by: Caller, user: User | None = None, reason: str = "") -> None:
    """Put one token on the revocation list until it would have expired."""
    with recorded(
        "revoke_token", domain=Domain.IDENTITY, by=by, person=user, target=("token", jti), info=reason or None
    ):
        _revoke(jti, user, reason, by, timezone.now(), expires_at)


def end_all(user: User, reason: str, now: datetime, *, except_: SignIn | None = None) -> int:
    """End a person's sign-ins inside the open transaction of the command that is the reason."""
    sign_ins = SignIn.objects.filter(user=user)
    if except_ is not None:
        sign_ins = sign_ins.exclude(pk=except_.pk)
    return _end(sign_ins, reason, now)


def end_sign_ins(user: User, *, by: Caller, except_: SignIn | None = None) -> int:
    """Sign a person out everywhere (else); how many sign-ins ended. Nothing to end leaves no row."""
    with recorded("sign_out", domain=Domain.IDENTITY, by=by, person=user, target=("user", user.uuid)) as line:
        ended = end_all(user, "signed_out", timezone.now(), except_=except_)
        line.details["sign_ins"] = ended
        line.kept = ended > 0
    return ended


def purge_expired(now: datetime) -> int:
    """Delete what can no longer matter: expired tokens and sessions, old counts, sign-ins that ended long ago."""
    outlived = [
        RefreshToken.objects.filter(expires_at__lt=now),
        RevokedToken.objects.filter(expires_at__lt=now),
        LockOut.objects.filter(window_started_at__lt=now - timedelta(days=1)),
        SocketTicket.objects.filter(expires_at__lt=now),
        Session.objects.filter(expire_date__lt=now),
        SignIn.objects.filter(expires_at__lt=now - timedelta(days=90)),
    ]
    return sum(rows.delete()[0] for rows in outlived)
