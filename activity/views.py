"""The pages of the trail, for readers; each reads its whole state from the address."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from operator import add
from typing import Any
from uuid import UUID

from django.contrib.admin import site
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required, permission_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from activity import charts
from activity.forms import COLUMNS, USUAL_COLUMNS, LogQuery, PageQuery
from activity.models import Entry, Provider
from activity.queries import pages, search, statistics

View = Callable[..., HttpResponse]
DAY = timedelta(hours=24)


def reader_page(view: View) -> View:
    """A page for readers of the trail: strangers are sent to sign in, other roles are refused."""
    allowed = permission_required("activity.read_trail", raise_exception=True)(view)
    return require_safe(never_cache(login_required(allowed)))


def _periods(*, everything: bool = False) -> list[tuple[str, str]]:
    short = {"1h": _("1 h"), "24h": _("24 h"), "7d": _("7 d"), "30d": _("30 d"), "all": _("All")}
    return [(key, words) for key, words in short.items() if everything or key != "all"]


def _timed(query: PageQuery, *, everything: bool = False) -> dict[str, Any]:
    """What the period picker of a page shows."""
    return {
        "periods": _periods(everything=everything),
        "period": query.period,
        "period_words": query.period_words(),
    }


def _figure(label: str, value: int, link: str, change: str = "") -> dict[str, Any]:
    return {"label": label, "value": value, "link": link, "change": change}


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
    attention = [
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
        "latest": pages.latest_acts(),
    }
    return render(request, "home.html", context)


def _sign_in_panel(now: datetime) -> dict[str, Any]:
    today, before = pages.sign_in_counts(now - DAY, now), pages.sign_in_counts(now - 2 * DAY, now - DAY)
    link = charts.log_link(domain="identity", action="sign_in")
    succeeded, failed = f"{link}&result=success", f"{link}&result=fail"
    return {
        "title": _("Sign-ins to Waymark"),
        "link": link,
        "link_words": _("All sign-ins"),
        "figures": [
            _figure(
                _("Successful"),
                today["succeeded"],
                succeeded,
                _change(today["succeeded"], before["succeeded"]),
            ),
            _figure(_("Failed"), today["failed"], failed, _change(today["failed"], before["failed"])),
            _figure(_("People"), today["people"], succeeded, _change(today["people"], before["people"])),
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
            _figure(
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


@reader_page
def overview(request: HttpRequest) -> HttpResponse:
    """The six statistics of the API as charts, each with its table."""
    query = PageQuery(request.GET, timezone.now())
    start, end = query.time_range()
    asked = query.now, query.span
    counts = pages.activity_counts(start, end)
    providers = statistics.providers(*asked)
    context = {
        **_timed(query),
        "figures": _now_figures(query.now),
        "active_people": counts["people"],
        "events": counts["events"],
        "failed_share": round(100 * counts["failed"] / counts["events"]) if counts["events"] else 0,
        "charts": {
            "users": charts.by_hour(statistics.users_by_hour(*asked), start, end),
            "idp": charts.by_provider("idp", providers["idp"], start, end),
            "sp": charts.by_provider("sp", providers["sp"], start, end),
            "reasons": charts.by_reason(statistics.failure_reasons(*asked), start, end),
            "protocols": charts.by_protocol(statistics.protocols(*asked), start, end),
        },
        **_people_rows(statistics.users_summary(*asked), slice(10), query),
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
        _figure(_("Active sessions"), current.active_sessions, sessions, recent),
        _figure(_("Active people"), current.active_users, users, recent),
        _figure(_("People"), current.total_users, people, _("accounts in all")),
        _figure(_("IdPs"), current.total_idp, providers, _("to authenticate at")),
        _figure(_("SPs"), current.total_sp, providers, _("to open")),
    ]


def _people_rows(summary: list[statistics.UserSummary], part: slice, query: PageQuery) -> dict[str, Any]:
    """Lines of the summary with what a page adds: name, card, last event, the list behind the number."""
    lines = summary[part]
    accounts = pages.people_by_login(line["login"] for line in lines)
    start, end = query.time_range()
    last = pages.last_seen((str(account.uuid) for account in accounts.values()), start, end)
    people = []
    for line in lines:
        account = accounts[line["login"]]
        uuid = str(account.uuid)
        link = charts.known(start, end, user_id=uuid)
        people.append({**line, "uuid": uuid, "name": account.full_name, "last": last.get(uuid), "link": link})
    return {"people": people, "most": max((line["events"] for line in summary), default=0)}


@reader_page
def log(request: HttpRequest) -> HttpResponse:
    """The log book: every filter of the audit search, in the address."""
    if typed := request.GET.get("find", "").strip():
        return HttpResponseRedirect(charts.log_link(**pages.meant_by(typed[:255]), range="all"))
    query = LogQuery(request.GET, timezone.now())
    found, bar = _search(query), query.bar(pages.suggestions())
    columns = query.cleaned_data.get("columns") or list(USUAL_COLUMNS)
    return render(
        request,
        "activity/log.html",
        {
            **_timed(query, everything=True),
            "period": "" if query.custom else query.period,
            "query": query,
            "chips": list(query.chips()),
            "bar": bar,
            "more_open": query.custom or any(field.used for field in bar["more"]),
            "columns": columns,
            "all_columns": COLUMNS.items(),
            "usual_columns": USUAL_COLUMNS,
            "entries": found.rows,
            "pager": pages.Pager(query.number, query.size, found.total),
        },
    )


def _search(query: LogQuery) -> search.Found:
    if query.errors:
        return search.Found([], 0)
    start, end = query.time_range()
    asked = search.Filter.of({**query.values(), "time_range": {"start": start, "end": end}})
    by = pages.search_known if query.cleaned_data["known"] else search.search
    return by(asked, query.number, query.size)


@reader_page
def entry(request: HttpRequest, sequence: int) -> HttpResponse:
    """One row in full, its session, and the history of the object it acted on."""
    if sequence > pages.MAX_SEQUENCE:
        raise Http404
    row = get_object_or_404(Entry, sequence=sequence)
    context = {
        "section": "activity:log",
        "entry": row,
        "details": json.dumps(row.details, indent=2, ensure_ascii=False) if row.details else "",
        "session": pages.session_of(row),
        "history": pages.history_of(row),
    }
    return render(request, "activity/entry.html", context)


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
        **_timed(query),
        **_people_rows(summary, slice((pager.page - 1) * pager.per_page, pager.last), query),
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
    facts = {provider.pk: provider for provider in Provider.objects.all()}
    last = pages.provider_last(*query.time_range())
    groups = [_provider_group(kind, counted[kind], facts, last, query) for kind in Provider.Type.values]
    context = {**_timed(query), "groups": groups, "active": len(last), "total": len(facts)}
    return render(request, "activity/providers.html", context)


def _provider_group(
    kind: str,
    counted: statistics.ProviderEvents,
    facts: dict[int, Provider],
    last: dict[int, datetime],
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
            "last": last.get(number),
            "link": charts.known(*query.time_range(), provider_id=number),
        }
        for name, success, failure, number in zip(
            counted.names, counted.success, counted.failure, counted.ids, strict=True
        )
        if number in facts
    ]
    most = max(map(add, counted.success, counted.failure), default=0)
    return {"type": kind, "title": titles[kind], "note": notes[kind], "providers": lines, "most": most}


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
        **_timed(query),
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
        _figure(
            _("Authentications"),
            counts["authentication"],
            charts.known(start, end, action="authentication", **success),
            words,
        ),
        _figure(_("Accesses"), counts["access"], charts.known(start, end, action="access", **success), words),
        _figure(
            _("Failures"), counts["failure"], charts.known(start, end, user_id=uuid, result="fail"), words
        ),
        _figure(_("Events"), counts["events"], charts.known(start, end, user_id=uuid), words),
    ]


def _admin_link(request: HttpRequest, account: Any) -> str:
    """The form of the account in the admin, for who may open it."""
    if account is None or account.deleted_at or not site.is_registered(type(account)):
        return ""
    if not request.user.has_perm("identity.view_user"):
        return ""
    return reverse("admin:identity_user_change", args=[account.pk])
