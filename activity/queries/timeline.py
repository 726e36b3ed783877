"""One person's timeline: rows of the trail and what other apps offer, newest first, read page by page.

A source is a function named in the setting `TIMELINE_SOURCES`. It takes a `Stretch` and gives at most `limit`
events, newest first; `Stretch.newest` cuts a QuerySet to that.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Model, Q, QuerySet
from django.utils.module_loading import import_string

from activity.models import Entry
from config.errors import NotFound

Row = TypeVar("Row", bound=Model)
LOWEST, HIGHEST = -(2**63), 2**63 - 1
SHOWN = (
    "timestamp", "domain", "category", "action", "result", "reason", "info", "source_ip", "source_admin",
    "provider_name", "trace_id",
)  # fmt: skip


class PersonNotFound(NotFound):
    """Neither an account nor a row of the trail bears this uuid."""

    detail = "Person not found"


@dataclass(frozen=True)
class Subject:
    """Whom a timeline is about; stands for the account where a row of the trail names a person."""

    uuid: UUID
    login: str
    firstname: str | None = None
    lastname: str | None = None
    active: bool = False
    pk: int | None = None

    def get_username(self) -> str:
        return self.login


class Event(NamedTuple):
    """Something that happened to a person: when, its number within its source, and its shape on the wire."""

    at: datetime
    number: int
    shape: dict[str, Any]


def event(at: datetime, number: int, **shown: Any) -> Event:
    """An event with all keys of the wire; what is not given is null."""
    empty: dict[str, Any] = {**dict.fromkeys(SHOWN), "object": None, "sequence": None, "details": {}}
    return Event(at, number, {**empty, "timestamp": at, **shown})


class Position(NamedTuple):
    """Where a page ended: the moment, the place of the source among the sources, the number within it."""

    at: datetime
    source: int
    number: int


@dataclass(frozen=True)
class Filters:
    """Which events are meant; `start` and `end` are inclusive, no domain means all of them."""

    domains: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None

    def want(self, domain: str) -> bool:
        return not self.domains or domain in self.domains


@dataclass(frozen=True)
class Stretch:
    """What is asked of one source: this person's `limit` newest events below a moment and number."""

    person: UUID
    limit: int
    filters: Filters = field(default_factory=Filters)
    below: tuple[datetime, int] | None = None

    def newest(self, rows: QuerySet[Row], time: str, number: str = "pk") -> QuerySet[Row]:
        """These rows, cut to the stretch; `time` and `number` are the columns that order the source."""
        filters = self.filters
        if filters.start is not None:
            rows = rows.filter(**{f"{time}__gte": filters.start})
        if filters.end is not None:
            rows = rows.filter(**{f"{time}__lte": filters.end})
        if self.below is not None:
            at, last = self.below
            # the first condition bounds the index, the second drops the rows of that moment already shown
            rows = rows.filter(
                Q(**{f"{time}__lte": at}), Q(**{f"{time}__lt": at}) | Q(**{f"{number}__lt": last})
            )
        return rows.order_by(f"-{time}", f"-{number}")[: self.limit]


Source = Callable[[Stretch], list[Event]]


def trail_of(asked: Stretch) -> list[Event]:
    """Rows of the trail about this person, in every domain."""
    rows = Entry.objects.filter(user_id=str(asked.person))
    if asked.filters.domains:
        rows = rows.filter(domain__in=asked.filters.domains)
    return [_of_entry(entry) for entry in asked.newest(rows, "timestamp", "sequence")]


def _of_entry(entry: Entry) -> Event:
    target = {"type": entry.object_type, "id": entry.object_id} if entry.object_type else None
    shown = {name: getattr(entry, name) for name in SHOWN if name != "timestamp"}
    return event(
        entry.timestamp,
        entry.sequence,
        **shown,
        object=target,
        sequence=entry.sequence,
        details=entry.details or {},
    )


def source_names() -> list[str]:
    """The trail first, then the sources of the settings in their order: the order in which ties are shown."""
    return [f"{__name__}.{trail_of.__name__}", *settings.TIMELINE_SOURCES]


def _stretch(person: UUID, filters: Filters, limit: int, after: Position | None, source: int) -> Stretch:
    """A source before the last one shown has told all of that moment, one behind it nothing yet."""
    if after is None:
        return Stretch(person, limit, filters)
    if source == after.source:
        return Stretch(person, limit, filters, (after.at, after.number))
    return Stretch(person, limit, filters, (after.at, LOWEST if source < after.source else HIGHEST))


def page_of(
    person: UUID, filters: Filters, limit: int, after: Position | None = None
) -> tuple[list[dict[str, Any]], Position | None]:
    """The `limit` newest events behind a position, and the position of the last one when more follow.

    Newest first; of one moment rows of the trail first, then the other sources; higher numbers first.
    """
    found = []
    for place, name in enumerate(source_names()):
        source: Source = import_string(name)
        told = source(_stretch(person, filters, limit + 1, after, place))
        found.append([(Position(each.at, place, each.number), each.shape) for each in told])
    merged = list(heapq.merge(*found, key=_age, reverse=True))
    shown = merged[:limit]
    return [shape for _, shape in shown], shown[-1][0] if len(merged) > limit else None


def _age(told: tuple[Position, dict[str, Any]]) -> tuple[datetime, int, int]:
    """Greatest for what is shown first."""
    position, _ = told
    return position.at, -position.source, position.number


def subject_of(uuid: UUID) -> Subject:
    """The person of this uuid; somebody deleted is known by the login that the trail copied last."""
    account = get_user_model().objects.filter(uuid=uuid).first()
    if account is not None and not account.deleted_at:
        names = account.first_name or None, account.last_name or None
        return Subject(uuid, account.get_username(), *names, account.is_active, account.pk)
    rows = Entry.objects.filter(user_id=str(uuid))
    if account is not None:  # the name of a retired account only says that it is one
        rows = rows.exclude(user_login=account.get_username())
    known = rows.filter(user_login__isnull=False).order_by("-timestamp", "-sequence")
    login = known.values_list("user_login", flat=True).first()
    if account is not None:
        return Subject(uuid, login or account.get_username(), pk=account.pk)
    if login is None and not rows.exists():
        raise PersonNotFound
    return Subject(uuid, login or str(uuid))
