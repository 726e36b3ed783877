"""The six answers about access activity: `(now, window)` in, plain figures out.

All count rows of domain `activity`, category `autorisation`, in `now - window <= timestamp <= now`. A row is of a
known user when it has a `user_id`; that keeps the monitoring accounts out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, TypedDict

from django.contrib.auth import get_user_model
from django.db.models import CharField, Count, F, Func, Q, QuerySet, Value
from django.db.models.functions import Coalesce

from activity.models import Domain, Entry, Provider

CURRENT = timedelta(minutes=20)
DAY = timedelta(hours=24)
HOUR = timedelta(hours=1)
UNSPECIFIED = "unspecified"

SUCCESS, FAILURE = Q(result=Entry.Result.SUCCESS), Q(result=Entry.Result.FAIL)
AUTHENTICATION, ACCESS = Q(action="authentication"), Q(action="access")
KNOWN = Q(user_id__isnull=False)


@dataclass(frozen=True)
class Current:
    active_sessions: int
    active_users: int
    total_users: int
    total_idp: int
    total_sp: int


@dataclass(frozen=True)
class Hourly:
    """One figure an hour; `labels` are the hours as `YYYY-MM-DD HH:00`, UTC."""

    authentications: list[int]
    access: list[int]
    labels: list[str]


@dataclass(frozen=True)
class ProviderEvents:
    """One slot for each existing provider of a type, the busiest first."""

    names: list[str]
    success: list[int]
    failure: list[int]
    ids: list[int]


@dataclass(frozen=True)
class Protocols:
    """Distinct users with a success, for each protocol among the providers, alphabetically."""

    protocols: list[str]
    idp: list[int]
    sp: list[int]


@dataclass(frozen=True)
class Reasons:
    """Failures of known users by reason, the most frequent first."""

    reasons: list[str]
    records: list[int]


class UserSummary(TypedDict):
    login: str
    authentication: int
    access: int
    failure: int
    events: int


class HourOf(Func):
    """The hour of a moment in UTC as text that sorts, `YYYY-MM-DD HH`, computed inside the database."""

    arity = 1
    output_field = CharField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="SUBSTR(%(expressions)s, 1, 13)", **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "TO_CHAR(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24')"
        return self.as_sql(compiler, connection, template=template, **context)


def events(now: datetime, window: timedelta) -> QuerySet[Entry]:
    """The rows that all six answers are about."""
    return Entry.objects.filter(
        domain=Domain.ACTIVITY, category="autorisation", timestamp__gte=now - window, timestamp__lte=now
    )


def people() -> QuerySet[Any]:
    """All existing accounts of the product."""
    living: Callable[[], QuerySet[Any]] = get_user_model().objects.living
    return living()


def current(now: datetime, window: timedelta = CURRENT) -> Current:
    """Sessions and users active now, and plain totals.

    Active sessions are the distinct trace ids of successful authentications, active users the distinct known
    users with a successful access.
    """
    active = events(now, window).aggregate(
        sessions=Count("trace_id", distinct=True, filter=AUTHENTICATION & SUCCESS),
        users=Count("user_id", distinct=True, filter=ACCESS & SUCCESS),
    )
    providers = Provider.objects.aggregate(
        idp=Count("pk", filter=Q(type=Provider.Type.IDP)), sp=Count("pk", filter=Q(type=Provider.Type.SP))
    )
    return Current(active["sessions"], active["users"], people().count(), providers["idp"], providers["sp"])


def users_by_hour(now: datetime, window: timedelta = DAY) -> Hourly:
    """Authentications and accesses of known users, success and failure, from the window's first hour to this one."""
    counted = (
        events(now, window)
        .filter(KNOWN)
        .annotate(hour=HourOf("timestamp"))
        .values("hour")
        .annotate(authentications=Count("pk", filter=AUTHENTICATION), access=Count("pk", filter=ACCESS))
    )
    found = {row["hour"]: row for row in counted}
    empty = {"authentications": 0, "access": 0}
    hours = _hours(now - window, now)
    slots = [found.get(hour, empty) for hour in hours]
    return Hourly(
        authentications=[slot["authentications"] for slot in slots],
        access=[slot["access"] for slot in slots],
        labels=[f"{hour}:00" for hour in hours],
    )


def _hours(start: datetime, end: datetime) -> list[str]:
    first = start.replace(minute=0, second=0, microsecond=0)
    return [f"{first + n * HOUR:%Y-%m-%d %H}" for n in range((end - first) // HOUR + 1)]


def providers(now: datetime, window: timedelta = DAY) -> dict[str, ProviderEvents]:
    """For `idp` and `sp`: successes and failures of known users at each existing provider.

    Most events first, then by name; idle ones come last by that.
    """
    counted = (
        events(now, window)
        .filter(KNOWN, provider_id__isnull=False)
        .values("provider_id")
        .annotate(success=Count("pk", filter=SUCCESS), failure=Count("pk", filter=FAILURE))
    )
    found = {row["provider_id"]: (row["success"], row["failure"]) for row in counted}
    by_type: dict[str, list[tuple[str, int, int, int]]] = {each.value: [] for each in Provider.Type}
    for kind, name, number in Provider.objects.values_list("type", "name", "pk"):
        by_type[kind].append((name, *found.get(number, (0, 0)), number))
    return {kind: _ranked(slots) for kind, slots in by_type.items()}


def _ranked(slots: list[tuple[str, int, int, int]]) -> ProviderEvents:
    slots.sort(key=lambda slot: (-slot[1] - slot[2], slot[0], slot[3]))
    return ProviderEvents(
        names=[slot[0] for slot in slots],
        success=[slot[1] for slot in slots],
        failure=[slot[2] for slot in slots],
        ids=[slot[3] for slot in slots],
    )


def protocols(now: datetime, window: timedelta = DAY) -> Protocols:
    """Distinct users with a success by protocol and type of provider; every protocol in use has its slot."""
    counted = (
        events(now, window)
        .filter(SUCCESS, KNOWN)
        .values_list("provider_type", "provider_protocol")
        .annotate(users=Count("user_id", distinct=True))
    )
    found = {(kind, protocol): users for kind, protocol, users in counted}
    names = sorted(Provider.objects.order_by().values_list("protocol", flat=True).distinct())
    return Protocols(
        protocols=names,
        idp=[found.get((Provider.Type.IDP, name), 0) for name in names],
        sp=[found.get((Provider.Type.SP, name), 0) for name in names],
    )


def failure_reasons(now: datetime, window: timedelta = DAY) -> Reasons:
    """Failures of known users by reason; most frequent first, then by name; no reason counts as `unspecified`."""
    counted = (
        events(now, window)
        .filter(KNOWN, FAILURE)
        .values(said=Coalesce(F("reason"), Value(UNSPECIFIED)))
        .annotate(records=Count("pk"))
    )
    ranked = sorted((-row["records"], row["said"]) for row in counted)
    return Reasons(reasons=[said for _, said in ranked], records=[-records for records, _ in ranked])


def users_summary(now: datetime, window: timedelta = DAY) -> list[UserSummary]:
    """What every existing user did: successes by kind, all failures, all rows; busiest first, then by login."""
    counted = (
        events(now, window)
        .filter(KNOWN)
        .values("user_id")
        .annotate(
            authentication=Count("pk", filter=AUTHENTICATION & SUCCESS),
            access=Count("pk", filter=ACCESS & SUCCESS),
            failure=Count("pk", filter=FAILURE),
            events=Count("pk"),
        )
    )
    found = {row["user_id"]: row for row in counted}
    rows = [
        _summary(login, found.get(str(uuid), {})) for uuid, login in people().values_list("uuid", "username")
    ]
    rows.sort(key=itemgetter("login"))
    rows.sort(key=itemgetter("events"), reverse=True)
    return rows


def _summary(login: str, counted: Mapping[str, Any]) -> UserSummary:
    return UserSummary(
        login=login,
        authentication=counted.get("authentication", 0),
        access=counted.get("access", 0),
        failure=counted.get("failure", 0),
        events=counted.get("events", 0),
    )
