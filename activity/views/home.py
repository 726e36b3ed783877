"""The first page: the last 24 hours."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from activity import charts
from activity.queries import following, pages, seals
from activity.views.frame import figure

DAY = timedelta(hours=24)


def _change(now: int, before: int) -> str:
    """The difference to the day before, in words."""
    if now == before:
        return _("as on the day before")
    if not before:
        return _("none on the day before")
    return _("%(percent)+d %% on the day before") % {"percent": round(100 * (now - before) / before)}


@never_cache
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """What happened in the last 24 hours and what needs attention; for people without a reader role, their own."""
    if not request.user.has_perm("activity.read_trail"):
        return render(request, "own.html", {"entries": pages.own_sign_ins(request.user)})
    now = timezone.now()
    attention = _proof_in_doubt(now) + [
        {
            "run": run,
            "link": charts.log_link(
                user_login=run.login,
                source_ip=run.address or None,
                result="fail",
                **charts.period(now - DAY, now),
            ),
        }
        for run in pages.failed_runs(now)
    ]
    context = {
        "attention": attention,
        "panels": [_sign_in_panel(now), _activity_panel(now)],
        "newest": following.newest(),  # read before the list: what comes in between is shown by both, once
        "latest": pages.latest_acts(),
    }
    return render(request, "home.html", context)


def _proof_in_doubt(now: datetime) -> list[dict[str, Any]]:
    """That the trail was found changed, or is no longer sealed."""
    link = reverse("activity:integrity")
    found, since = seals.last_bad_finding(now - DAY), seals.overdue_since(now)
    doubts = []
    if found:
        words = _("A check of the trail found rows that are not as they were sealed")
        doubts.append({"words": words, "link": link, "last": found.timestamp})
    if since:
        words = _("Rows of the trail wait for their seal: is the server running its background pass?")
        doubts.append({"words": words, "link": link, "since": since})
    return doubts


def _sign_in_panel(now: datetime) -> dict[str, Any]:
    today, before = pages.sign_in_counts(now - DAY, now), pages.sign_in_counts(now - 2 * DAY, now - DAY)
    link = charts.log_link(domain="identity", action="sign_in")
    succeeded, failed = f"{link}&result=success", f"{link}&result=fail"
    return {
        "title": _("Sign-ins to Waymark"),
        "link": link,
        "link_words": _("All sign-ins"),
        "figures": [
            figure(
                _("Successful"),
                today["succeeded"],
                succeeded,
                _change(today["succeeded"], before["succeeded"]),
            ),
            figure(_("Failed"), today["failed"], failed, _change(today["failed"], before["failed"])),
            figure(_("People"), today["people"], succeeded, _change(today["people"], before["people"])),
        ],
        "hours": pages.hourly(pages.at_own_doors(now - DAY, now), now),
        "spark_label": _("Sign-ins by the hour"),
    }


def _activity_panel(now: datetime) -> dict[str, Any]:
    today, before = pages.activity_counts(now - DAY, now), pages.activity_counts(now - 2 * DAY, now - DAY)
    labels: dict[str, tuple[str, dict[str, Any]]] = {
        "authentications": (_("Authentications"), {"action": "authentication"}),
        "accesses": (_("Accesses"), {"action": "access"}),
        "failed": (_("Failed"), {"result": "fail"}),
        "people": (_("People"), {}),
    }
    return {
        "title": _("Activity"),
        "link": reverse("activity:overview"),
        "link_words": _("Overview"),
        "figures": [
            figure(
                words,
                today[name],
                charts.known(now - DAY, now, **filters),
                _change(today[name], before[name]),
            )
            for name, (words, filters) in labels.items()
        ],
        "hours": pages.hourly(pages.of_people(now - DAY, now), now),
        "spark_label": _("Authentications and accesses by the hour"),
    }
