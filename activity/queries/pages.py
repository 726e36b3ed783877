"""Answers that only the pages need; what the API also says comes from `search` and `statistics`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import CharField, Count, Func, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import TruncHour

from activity.models import Domain, Entry, Provider
from activity.queries import search

HOUR, DAY = timedelta(hours=1), timedelta(hours=24)
RUN_LENGTH = 5  # so many failures of one login from one address are worth a look
SUCCESS, FAIL = Q(result=Entry.Result.SUCCESS), Q(result=Entry.Result.FAIL)
MAX_SUGGESTED, MAX_SESSION, MAX_HISTORY, MAX_RUNS = 200, 100, 20, 10
MAX_SEQUENCE = 2**63 - 1
UUID_PARTS = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))


def newest_first(rows: QuerySet[Entry]) -> QuerySet[Entry]:
    return rows.order_by("-timestamp", "-sequence")


def latest_acts(limit: int = 15) -> list[Entry]:
    """The newest rows; those of monitoring accounts, which come every few minutes, would hide all others."""
    quiet = Entry.objects.exclude(domain=Domain.ACTIVITY, user_id__isnull=True, user_login__isnull=False)
    return list(newest_first(quiet)[:limit])


def newest_rows(limit: int = 10) -> list[Entry]:
    """The rows written last, newest first; the live list goes on from the highest of their numbers."""
    return list(Entry.objects.order_by("-sequence")[:limit])


def own_sign_ins(person: Any, limit: int = 20) -> list[Entry]:
    """A person's own comings and goings."""
    rows = Entry.objects.filter(user_id=str(person.uuid), domain=Domain.IDENTITY, category="autorisation")
    return list(newest_first(rows)[:limit])


@dataclass(frozen=True)
class Run:
    """Failed sign-ins of one login from one address."""

    login: str
    address: str
    failures: int
    last: datetime


def failed_runs(now: datetime) -> list[Run]:
    """Runs of the last 24 hours, longest first; at Waymark's own doors and at the IdPs."""
    rows = (
        Entry.objects.filter(FAIL, timestamp__gte=now - DAY, timestamp__lte=now)
        .filter(action__in=("sign_in", "authentication"), user_login__isnull=False)
        .values_list("user_login", "source_ip")
        .annotate(failures=Count("sequence"), last=Max("timestamp"))
        .filter(failures__gte=RUN_LENGTH)
        .order_by("-failures", "user_login")
    )
    return [Run(login, address or "", failures, last) for login, address, failures, last in rows[:MAX_RUNS]]


def of_people(start: datetime, end: datetime) -> QuerySet[Entry]:
    """What the statistics count: sign-ins and accesses of known people at IdPs and SPs, both ends included."""
    return Entry.objects.filter(
        domain=Domain.ACTIVITY,
        category="autorisation",
        user_id__isnull=False,
        timestamp__gte=start,
        timestamp__lte=end,
    )


def at_own_doors(start: datetime, end: datetime) -> QuerySet[Entry]:
    """Sign-ins to Waymark itself."""
    return Entry.objects.filter(
        domain=Domain.IDENTITY, action="sign_in", timestamp__gte=start, timestamp__lte=end
    )


def hourly(rows: QuerySet[Entry], now: datetime, hours: int = 24) -> list[int]:
    """Rows in each hour up to now, empty hours as zero."""
    counted: Mapping[datetime, int] = dict(
        rows.annotate(hour=TruncHour("timestamp", tzinfo=UTC))
        .values_list("hour")
        .annotate(number=Count("sequence"))
    )
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    return [counted.get(this_hour - HOUR * back, 0) for back in range(hours, -1, -1)]


def sign_in_counts(start: datetime, end: datetime) -> dict[str, int]:
    return at_own_doors(start, end).aggregate(
        succeeded=Count("sequence", filter=SUCCESS),
        failed=Count("sequence", filter=FAIL),
        people=Count("user_id", filter=SUCCESS, distinct=True),
    )


def activity_counts(start: datetime, end: datetime) -> dict[str, int]:
    return of_people(start, end).aggregate(
        authentications=Count("sequence", filter=Q(action="authentication")),
        accesses=Count("sequence", filter=Q(action="access")),
        failed=Count("sequence", filter=FAIL),
        people=Count("user_id", distinct=True),
        events=Count("sequence"),
    )


def person_counts(user_id: str, start: datetime, end: datetime) -> dict[str, int]:
    """One line of the summary of users: successes, successes, all failures, all rows."""
    return (
        of_people(start, end)
        .filter(user_id=user_id)
        .aggregate(
            authentication=Count("sequence", filter=SUCCESS & Q(action="authentication")),
            access=Count("sequence", filter=SUCCESS & Q(action="access")),
            failure=Count("sequence", filter=FAIL),
            events=Count("sequence"),
        )
    )


class UuidText(Func):
    """A UUID as rows of the trail write it: lower hex with dashes."""

    arity = 1
    output_field = CharField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """SQLite keeps 32 digits; text put together from them compares like any other."""
        column, params = compiler.compile(self.source_expressions[0])
        parts = [f"SUBSTR({column}, {start}, {length})" for start, length in UUID_PARTS]
        return "(" + " || '-' || ".join(parts) + ")", tuple(params) * len(parts)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="CAST(%(expressions)s AS text)", **context)


def _newest_time(**condition: Any) -> Subquery:
    """One step into an index for each outer row, however long its history is."""
    return Subquery(newest_first(Entry.objects.filter(**condition)).values("timestamp")[:1])


def people_by_login(logins: Iterable[str]) -> dict[str, Any]:
    """Living accounts with their (decrypted) names and, as `last`, when the trail last spoke of them."""
    people = get_user_model().objects.filter(deleted_at__isnull=True, username__in=list(logins))
    people = people.annotate(last=_newest_time(user_id=UuidText(OuterRef("uuid"))))
    return {person.get_username(): person for person in people}


def providers_by_id() -> dict[int, Any]:
    """All providers with, as `last`, when they were last used."""
    return {
        each.pk: each for each in Provider.objects.annotate(last=_newest_time(provider_id=OuterRef("pk")))
    }


def people_found(text: str) -> set[str]:
    """Logins of living accounts that contain this text, or whose full name it is."""
    people = get_user_model().objects
    by_name = people.named(text).values("pk")
    found = people.filter(Q(username__icontains=text) | Q(pk__in=by_name), deleted_at__isnull=True)
    return set(found.values_list("username", flat=True))


def session_of(entry: Entry) -> list[Entry]:
    """The rows that share this row's trace, oldest first."""
    return list(Entry.objects.filter(trace_id=entry.trace_id).order_by("timestamp", "sequence")[:MAX_SESSION])


def history_of(entry: Entry) -> list[Entry]:
    """What happened to the object this row acted on, newest first."""
    if not entry.object_type or not entry.object_id:
        return []
    rows = Entry.objects.filter(object_type=entry.object_type, object_id=entry.object_id)
    return list(rows.order_by("-sequence")[:MAX_HISTORY])


def rows_of(user_id: str, limit: int = 25) -> list[Entry]:
    """The newest rows about one person, in every domain."""
    return list(newest_first(Entry.objects.filter(user_id=user_id))[:limit])


def search_known(asked: search.Filter, page: int, per_page: int) -> search.Found:
    """As the audit search, but rows of known people only: the list behind a number of the statistics."""
    rows = search.matching(asked).filter(user_id__isnull=False)
    start = (page - 1) * per_page
    numbers = list(rows.order_by(*search.NEWEST_FIRST).values_list("pk", flat=True)[start : start + per_page])
    page_rows = Entry.objects.filter(pk__in=numbers).order_by(*search.NEWEST_FIRST)
    return search.Found(list(page_rows.values(*search.EXTENDED_ROW)), rows.count())


@dataclass(frozen=True)
class Pager:
    """Where a page stands in its list."""

    page: int
    per_page: int
    total: int
    sizes: Sequence[int] = (10, 20, 50, 100)

    @property
    def pages(self) -> int:
        return max(-(-self.total // self.per_page), 1)

    @property
    def first(self) -> int:
        return min((self.page - 1) * self.per_page + 1, self.total)

    @property
    def last(self) -> int:
        return min(self.page * self.per_page, self.total)

    @property
    def previous(self) -> int | None:
        return self.page - 1 if self.page > 1 else None

    @property
    def next(self) -> int | None:
        return self.page + 1 if self.page < self.pages else None


ACTIONS = (
    *("authentication", "access", "logout", "sign_in", "sign_out"),
    *("create_user", "update_user", "delete_user", "create_provider", "update_provider", "delete_provider"),
    *("open_timeline", "export_trail", "verify_trail", "flush_trail"),
)
REASONS = (
    *("unknown_user", "account_locked", "permission_denied", "timeout"),
    *("bad_password", "locked", "deactivated", "refresh_reused"),
)


def suggestions() -> dict[str, Sequence[str]]:
    """What the filter bar offers while somebody types."""
    people = get_user_model().objects.filter(deleted_at__isnull=True).order_by("username_key")
    return {
        "user_login": list(people.values_list("username", flat=True)[:MAX_SUGGESTED]),
        "provider_name": list(
            Provider.objects.order_by("name").values_list("name", flat=True)[:MAX_SUGGESTED]
        ),
        "action": ACTIONS,
        "reason": REASONS,
        "category": ("autorisation", "management", *Domain.values[2:]),
    }


def is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def meant_by(text: str) -> dict[str, str]:
    """Which filter a text typed into the search field stands for: address, session, user id or login."""
    if is_network(text):
        return {"source_ip": text}
    bare = text.lower().replace("-", "")
    if len(bare) == 32 and all(sign in "0123456789abcdef" for sign in bare):
        return {"user_id": text.lower()} if "-" in text else {"trace_id": text.lower()}
    person = get_user_model().objects.called(text)
    return {"user_login": person.get_username() if person else text}
