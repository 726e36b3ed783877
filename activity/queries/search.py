"""The one search of the trail: behind the API, the log book, exports and the feed."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from activity.models import Entry
from activity.queries import counting, networks

ROW = (  # the keys of a row in the dialect of KitsuTrail, in its order
    "timestamp", "audit_id", "user_id", "user_login", "provider_type", "provider_id", "provider_name",
    "provider_protocol", "trace_id", "source_ip", "source_admin", "category", "action", "result", "reason", "info",
)  # fmt: skip
EXTENDED_ROW = (*ROW, "sequence", "domain", "object_type", "object_id", "details")
NEWEST_FIRST = ("-timestamp", "-sequence")
OLDEST_FIRST = ("timestamp", "sequence")
Texts = tuple[str, ...]


@dataclass(frozen=True)
class Filter:
    """Which rows are meant: values of one field are joined by OR, fields by AND; an empty field restricts nothing.

    `start` and `end` are inclusive. Texts are compared exactly, with case; `source_ip` takes addresses and
    CIDR networks.
    """

    start: datetime | None = None
    end: datetime | None = None
    domain: Texts = ()
    category: Texts = ()
    action: Texts = ()
    result: Texts = ()
    reason: Texts = ()
    trace_id: Texts = ()
    user_id: Texts = ()
    user_login: Texts = ()
    source_admin: Texts = ()
    source_ip: Texts = ()
    provider_id: tuple[int, ...] = ()
    provider_type: Texts = ()
    provider_name: Texts = ()
    provider_protocol: Texts = ()
    object_type: Texts = ()
    object_id: Texts = ()

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Filter":
        """From validated input: a time range, and lists that may be absent or null."""
        span = values.get("time_range") or {}
        lists = {name: tuple(values.get(name) or ()) for name in LISTS}
        return cls(start=span.get("start"), end=span.get("end"), **lists)

    def restrictions(self) -> dict[str, tuple[Any, ...]]:
        """The fields that restrict, with their values."""
        return {name: values for name in LISTS if (values := getattr(self, name))}

    def between(self, start: datetime | None, end: datetime | None) -> "Filter":
        return replace(self, start=start, end=end)


LISTS = tuple(each.name for each in fields(Filter) if each.name not in {"start", "end"})


class Found(NamedTuple):
    """One page of rows, newest first, and how many rows the filter finds in all."""

    rows: list[dict[str, Any]]
    total: int


def conditions(asked: Filter) -> Q:
    """The filter without its time range."""
    named = asked.restrictions()
    addresses = named.pop("source_ip", ())
    found = Q(**{f"{name}__in": values for name, values in named.items()})
    return found & networks.condition(addresses, asked.start, asked.end) if addresses else found


def matching(asked: Filter) -> QuerySet[Entry]:
    """All rows that the filter means, in no particular order."""
    return counting.within(Entry.objects.filter(conditions(asked)).order_by(), asked.start, asked.end)


def total(asked: Filter) -> int:
    """How many rows the filter finds, exactly."""
    return counting.count(conditions(asked), asked.restrictions(), asked.start, asked.end)


def search(asked: Filter, page: int, per_page: int, columns: tuple[str, ...] = EXTENDED_ROW) -> Found:
    """Page `page` (from 1) of the rows that the filter means, newest first, with the exact total."""
    found = total(asked)
    return Found(page_of(asked, page, per_page, found, columns), found)


def page_of(
    asked: Filter, page: int, per_page: int, found: int, columns: tuple[str, ...] = EXTENDED_ROW
) -> list[dict[str, Any]]:
    """The rows of one page, newest first, of a filter that finds `found` rows."""
    offset = (page - 1) * per_page
    wanted = min(per_page, found - offset)
    if wanted <= 0:
        return []
    numbers = _numbers(matching(asked), offset, wanted, found)
    return list(Entry.objects.filter(pk__in=numbers).order_by(*NEWEST_FIRST).values(*columns))


def _numbers(rows: QuerySet[Entry], offset: int, wanted: int, found: int) -> list[int]:
    """Sequence numbers of one page, read from an index alone, and from the nearer end of it."""
    behind = found - offset - wanted
    if offset <= behind:
        return list(rows.order_by(*NEWEST_FIRST).values_list("pk", flat=True)[offset : offset + wanted])
    return list(rows.order_by(*OLDEST_FIRST).values_list("pk", flat=True)[behind : behind + wanted])
