"""A kiosk is known by its API key and nothing else."""

import logging
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import OperationalError
from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from activity.callers import Caller
from activity.models import Domain
from activity.services import NOBODY, Line, record_refusal
from config import throttles
from config.errors import Refusal
from punch.kiosk_keys import key_id_of, opens
from punch.models import Kiosk, KioskKey

log = logging.getLogger("waymark.punch")
HEADER = "X-Kiosk-API-Key"
NOTED_EVERY = timedelta(minutes=1)


class KeyMissing(Refusal):
    status, detail = 401, f"Missing API key ({HEADER} header required)"


class KeyInvalid(Refusal):
    status, detail = 401, "Invalid API key"


class KioskStopped(Refusal):
    status, detail = 403, "Kiosk is not active"


def _note_use(key: KioskKey) -> None:
    """Write when a key was last used, at most once a minute; a busy database is no reason to stop a kiosk."""
    now = timezone.now()
    if key.last_used_at is not None and now - key.last_used_at < NOTED_EVERY:
        return
    old = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - NOTED_EVERY)
    try:
        KioskKey.objects.filter(old, pk=key.pk).update(last_used_at=now)
    except OperationalError:
        log.warning("The last use of key %s was not written: the database is busy", key.pk)


def _find(text: str) -> tuple[KioskKey | None, bool]:
    """The key row that a text names, and whether the text opens it."""
    row = KioskKey.objects.select_related("kiosk").filter(pk=key_id_of(text) or "").first()
    live = row is not None and row.ended_at is None
    return row, opens(text, row.digest if row is not None and live else None)


def kiosk_of(text: str) -> Kiosk | None:
    """The kiosk that a live key belongs to."""
    row, good = _find(text)
    return row.kiosk if row is not None and good else None


class KioskKeyAuthentication(BaseAuthentication):
    """`X-Kiosk-API-Key`; `request.auth` is the kiosk. Addresses count for nothing."""

    def authenticate(self, request: Request) -> tuple[Any, Kiosk]:
        text = request.headers.get(HEADER, "")
        if not text:
            raise KeyMissing
        row, good = _find(text)
        if row is None or not good:
            throttles.hit(
                "bad_key", Caller.of(request._request).ip or "", settings.PUNCH_THROTTLES["BAD_KEY"]
            )
            raise self._refused(request, KeyInvalid(), row.kiosk if row else None)
        if not row.kiosk.is_active:
            raise self._refused(request, KioskStopped(), row.kiosk)
        _note_use(row)
        return AnonymousUser(), row.kiosk

    def _refused(self, request: Request, refusal: Refusal, kiosk: Kiosk | None) -> Refusal:
        by = Caller.of(request._request)
        anonymous = Caller(ip=by.ip, agent=by.agent, trace_id=by.trace_id)
        line = Line("kiosk_auth_failed", Domain.PUNCH, anonymous, person=NOBODY)
        line.target = ("kiosk", kiosk.pk) if kiosk else None
        line.details["reason"] = refusal.detail
        record_refusal(line, "kiosk_auth_failed")
        return refusal

    def authenticate_header(self, request: Request) -> str:
        return "Kiosk"


class IsKiosk(BasePermission):
    """Let in by a kiosk's key."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.auth, Kiosk)


def kiosk_caller(request: Request) -> Caller:
    """The kiosk as the one who acts."""
    by = Caller.of(request._request)
    return Caller(ip=by.ip, agent=by.agent, trace_id=by.trace_id, system=f"kiosk {request.auth.pk}")
