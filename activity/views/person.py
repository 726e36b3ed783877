"""One person: who it is, and what the trail says."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.admin import site
from django.contrib.auth import get_user_model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from activity import charts
from activity.forms import PageQuery
from activity.models import Entry
from activity.queries import pages
from activity.views.frame import figure, reader_page, timed


@reader_page
def person(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Who somebody is, and what the trail last said about them; somebody deleted is known by their rows."""
    query = PageQuery(request.GET, timezone.now())
    start, end = query.time_range()
    account = get_user_model().objects.filter(uuid=uuid).first()
    rows = pages.rows_of(str(uuid))
    if account is None and not rows:
        raise Http404
    context = {
        **timed(query),
        "section": "activity:people",
        "person": _card(account, str(uuid), rows),
        "figures": _person_figures(str(uuid), start, end, query.period_words()),
        "entries": rows,
        "columns": ["time", "action", "provider", "result", "reason", "address"],
        "all_link": charts.log_link(user_id=str(uuid), range="all"),
        "admin_link": _admin_link(request, account),
    }
    return render(request, "activity/person.html", context)


def _card(account: Any, uuid: str, rows: list[Entry]) -> dict[str, Any]:
    if account is None or account.deleted_at:
        login = next((row.user_login for row in rows if row.user_login), uuid)
        return {"uuid": uuid, "login": login, "state": "deleted"}
    facts = ("first_name", "last_name", "email", "roles", "otp_enabled", "created_at", "last_seen_at")
    return {
        "uuid": uuid,
        "login": account.get_username(),
        "name": account.get_full_name(),
        "state": "active" if account.is_active else "locked",
        **{name: getattr(account, name) for name in facts},
    }


def _person_figures(uuid: str, start: datetime, end: datetime, words: str) -> list[dict[str, Any]]:
    counts = pages.person_counts(uuid, start, end)
    success = {"user_id": uuid, "result": "success"}
    return [
        figure(
            _("Authentications"),
            counts["authentication"],
            charts.known(start, end, action="authentication", **success),
            words,
        ),
        figure(_("Accesses"), counts["access"], charts.known(start, end, action="access", **success), words),
        figure(
            _("Failures"), counts["failure"], charts.known(start, end, user_id=uuid, result="fail"), words
        ),
        figure(_("Events"), counts["events"], charts.known(start, end, user_id=uuid), words),
    ]


def _admin_link(request: HttpRequest, account: Any) -> str:
    """The form of the account in the admin, for who may open it."""
    if account is None or account.deleted_at or not site.is_registered(type(account)):
        return ""
    if not request.user.has_perm("identity.view_user"):
        return ""
    return reverse("admin:identity_user_change", args=[account.pk])
