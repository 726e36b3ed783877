"""What the live feed reads of the trail."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from activity.ledger import Hole
from activity.models import Entry
from activity.queries.search import EXTENDED_ROW, Filter, conditions

Values = dict[str, Any]
AT_ONCE = 100


def newest() -> int:
    """The highest sequence number, 0 for an empty trail."""
    return Entry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def recent_numbers(count: int) -> list[int]:
    """The sequence numbers of the last rows, ascending."""
    return sorted(Entry.objects.order_by("-pk").values_list("pk", flat=True)[:count])


def rows_after(number: int, limit: int) -> list[Values]:
    """The next rows by sequence."""
    return list(Entry.objects.filter(pk__gt=number).order_by("pk").values(*EXTENDED_ROW)[:limit])


def rows_in(holes: Sequence[Hole]) -> list[Values]:
    """What has appeared in these holes, by sequence."""
    found: list[Values] = []
    for start in range(0, len(holes), AT_ONCE):
        anywhere = Q(pk__in=())
        for hole in holes[start : start + AT_ONCE]:
            anywhere |= Q(pk__range=(hole.first, hole.last))
        found += Entry.objects.filter(anywhere).order_by().values(*EXTENDED_ROW)
    return sorted(found, key=lambda row: row["sequence"])


def replayed(asked: Filter, after: int, limit: int) -> list[Values]:
    """The rows after a number that a filter means, by sequence."""
    rows = Entry.objects.filter(conditions(asked), pk__gt=after)
    return list(rows.order_by("pk").values(*EXTENDED_ROW)[:limit])
