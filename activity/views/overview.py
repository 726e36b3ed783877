"""What happened in a period, counted: overview, people, providers."""

from datetime import datetime, timedelta
from operator import add
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from activity import charts
from activity.forms import PageQuery
from activity.models import Provider
from activity.queries import pages, statistics
from activity.views.frame import figure, reader_page, timed

TAIL_COLUMNS = ["time", "person", "action", "provider", "result", "reason", "address"]


@reader_page
def overview(request: HttpRequest) -> HttpResponse:
    """The six statistics of the API as charts, each with its table."""
    query = PageQuery(request.GET, timezone.now())
    start, end = query.time_range()
    asked = query.now, query.span
    providers = statistics.providers(*asked)
    people = statistics.users_summary(*asked)
    events, failed = sum(line["events"] for line in people), sum(line["failure"] for line in people)
    context = {
        **timed(query),
        "figures": _now_figures(query.now),
        "active_people": sum(1 for line in people if line["events"]),
        "events": events,
        "failed_share": round(100 * failed / events) if events else 0,
        "charts": {
            "users": charts.by_hour(statistics.users_by_hour(*asked), start, end),
            "idp": charts.by_provider("idp", providers["idp"], start, end),
            "sp": charts.by_provider("sp", providers["sp"], start, end),
            "reasons": charts.by_reason(statistics.failure_reasons(*asked), start, end),
            "protocols": charts.by_protocol(statistics.protocols(*asked), start, end),
        },
        **people_rows(people, slice(10), query),
        "tail": pages.newest_rows(),
        "columns": TAIL_COLUMNS,
    }
    return render(request, "activity/overview.html", context)


def _now_figures(now: datetime) -> list[dict[str, Any]]:
    current = statistics.current(now)
    ends = (now - timedelta(minutes=20), now)
    recent = _("in the last 20 minutes")
    sessions = charts.log_link(
        **charts.ACCESS_EVENTS, action="authentication", result="success", **charts.period(*ends)
    )
    users = charts.known(*ends, action="access", result="success")
    people, providers = reverse("activity:people"), reverse("activity:providers")
    return [
        figure(_("Active sessions"), current.active_sessions, sessions, recent),
        figure(_("Active people"), current.active_users, users, recent),
        figure(_("People"), current.total_users, people, _("accounts in all")),
        figure(_("IdPs"), current.total_idp, providers, _("to authenticate at")),
        figure(_("SPs"), current.total_sp, providers, _("to open")),
    ]


def people_rows(summary: list[statistics.UserSummary], part: slice, query: PageQuery) -> dict[str, Any]:
    """Lines of the summary with what a page adds: name, card, last event, the list behind the number."""
    lines = summary[part]
    accounts = pages.people_by_login(line["login"] for line in lines)
    start, end = query.time_range()
    people = []
    for line in lines:
        account = accounts[line["login"]]
        uuid = str(account.uuid)
        link = charts.known(start, end, user_id=uuid)
        people.append({**line, "uuid": uuid, "name": account.full_name, "last": account.last, "link": link})
    return {"people": people, "most": max((line["events"] for line in summary), default=0)}


@reader_page
def people(request: HttpRequest) -> HttpResponse:
    """Every account with its events in the period, busiest first."""
    query = PageQuery(request.GET, timezone.now())
    summary = statistics.users_summary(query.now, query.span)
    if query.text:
        found = pages.people_found(query.text)
        summary = [line for line in summary if line["login"] in found]
    pager = pages.Pager(query.number, query.size, len(summary))
    context = {
        **timed(query),
        **people_rows(summary, slice((pager.page - 1) * pager.per_page, pager.last), query),
        "q": query.text,
        "active": sum(1 for line in summary if line["events"]),
        "pager": pager,
    }
    return render(request, "activity/people.html", context)


@reader_page
def providers(request: HttpRequest) -> HttpResponse:
    """IdPs and SPs with their successes, failures and last event."""
    query = PageQuery(request.GET, timezone.now())
    counted = statistics.providers(query.now, query.span)
    facts = pages.providers_by_id()
    groups = [_provider_group(kind, counted[kind], facts, query) for kind in Provider.Type.values]
    used = sum(1 for group in groups for line in group["providers"] if line["events"])
    context = {**timed(query), "groups": groups, "active": used, "total": len(facts)}
    return render(request, "activity/providers.html", context)


def _provider_group(
    kind: str,
    counted: statistics.ProviderEvents,
    facts: dict[int, Any],
    query: PageQuery,
) -> dict[str, Any]:
    titles = {"idp": _("Identity providers (IdP)"), "sp": _("Applications (SP)")}
    notes = {"idp": _("Where people authenticate"), "sp": _("What people open")}
    lines = [
        {
            "name": name,
            "protocol": facts[number].protocol,
            "success": success,
            "failure": failure,
            "events": success + failure,
            "last": facts[number].last,
            "link": charts.known(*query.time_range(), provider_id=number),
        }
        for name, success, failure, number in zip(
            counted.names, counted.success, counted.failure, counted.ids, strict=True
        )
        if number in facts
    ]
    most = max(map(add, counted.success, counted.failure), default=0)
    return {"type": kind, "title": titles[kind], "note": notes[kind], "providers": lines, "most": most}
