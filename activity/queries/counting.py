"""Exact totals that do not grow with the trail: kept counts of whole blocks, plus the rows at the edges.

Blocks that lie inside the time range as a whole are summed from their tallies. Blocks that it cuts, and the
newest rows that no block covers yet, are counted row by row. A restriction that the tallies do not know (a person,
an address, a session) is selective and counted from its index.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import F, Max, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from activity.models import Block, Entry, Tally

FEW_EDGES = 24  # a range that cuts more blocks than this is counted as a whole
TALLIED = frozenset(field.attname for field in Tally._meta.concrete_fields if hasattr(Entry, field.attname))


def within(rows: QuerySet[Entry], start: datetime | None, end: datetime | None) -> QuerySet[Entry]:
    """The rows of a time range, both ends inclusive."""
    if start is not None:
        rows = rows.filter(timestamp__gte=start)
    if end is not None:
        rows = rows.filter(timestamp__lte=end)
    return rows


def count(
    found: Q, restricted: dict[str, tuple[Any, ...]], start: datetime | None, end: datetime | None
) -> int:
    """How many rows of this time range meet the condition `found`, which says what `restricted` lists."""
    if restricted.keys() <= TALLIED:
        kept = _from_blocks(restricted, start, end)
        if kept is not None:
            return kept
    return within(Entry.objects.filter(found), start, end).count()


def _from_blocks(
    restricted: dict[str, tuple[Any, ...]], start: datetime | None, end: datetime | None
) -> int | None:
    """The total by way of the blocks; None where they are of no help."""
    whole, cut = _blocks(start, end)
    edges = list(cut.values_list("number", flat=True)[: FEW_EDGES + 1])
    newest = Block.objects.aggregate(last=Max("number"))["last"]
    if newest is None or len(edges) > FEW_EDGES or not whole.exists():
        return None
    return _kept(whole, restricted) + _row_by_row(edges, newest, restricted, start, end)


def _blocks(start: datetime | None, end: datetime | None) -> tuple[QuerySet[Block], QuerySet[Block]]:
    """The blocks that lie inside the time range, and those that it cuts."""
    inside, outside = Q(rows__gt=0), Q(rows=0)
    if start is not None:
        inside &= Q(first_at__gte=start)
        outside |= Q(last_at__lt=start)
    if end is not None:
        inside &= Q(last_at__lte=end)
        outside |= Q(first_at__gt=end)
    return Block.objects.filter(inside), Block.objects.exclude(inside).exclude(outside)


def _kept(whole: QuerySet[Block], restricted: dict[str, tuple[Any, ...]]) -> int:
    if not restricted:
        return whole.aggregate(total=Sum("rows"))["total"] or 0
    named = Q(**{f"{name}__in": values for name, values in restricted.items()})
    return Tally.objects.filter(named, block__in=whole).aggregate(total=Sum("rows"))["total"] or 0


def _row_by_row(
    edges: Iterable[int],
    newest: int,
    restricted: dict[str, tuple[Any, ...]],
    start: datetime | None,
    end: datetime | None,
) -> int:
    """Rows of the cut blocks and behind the newest one.

    The other conditions stand on expressions, for no index but that of the sequence numbers is to be used: a
    planner without statistics would rather read the time range's whole index.
    """
    width = Block.WIDTH
    stretches = [Q(pk__gt=(number - 1) * width, pk__lte=number * width) for number in edges]
    rows = Entry.objects.filter(reduce(or_, stretches, Q(pk__gt=newest * width)))
    named: dict[str, Any] = {f"the_{name}__in": values for name, values in restricted.items()}
    if start is not None:
        named["the_timestamp__gte"] = start
    if end is not None:
        named["the_timestamp__lte"] = end
    columns = {key.removeprefix("the_").rsplit("__", 1)[0] for key in named}
    return (
        rows.alias(**{f"the_{name}": Coalesce(F(name), F(name)) for name in columns}).filter(**named).count()
    )
