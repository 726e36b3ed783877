"""What the pages say about the seals."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from activity.models import Domain, Entry, Segment

LATE = timedelta(minutes=10)  # the background pass seals every minute


@dataclass(frozen=True)
class Standing:
    """How far the trail is sealed."""

    last: Segment | None
    segments: int
    unsealed_rows: int


def standing() -> Standing:
    """The last seal, how many there are, and how many rows came after it."""
    last = Segment.objects.defer("digests").order_by("-number").first()
    waiting = Entry.objects.filter(pk__gt=last.last_sequence if last else 0).count()
    return Standing(last, Segment.objects.count(), waiting)


def newest_segments(start: int, count: int) -> list[Segment]:
    """A page of the segments, newest first, without their digests."""
    return list(Segment.objects.defer("digests").order_by("-number")[start : start + count])


def last_bad_finding(since: datetime) -> Entry | None:
    """The newest check that found problems."""
    rows = Entry.objects.filter(domain=Domain.ACTIVITY, timestamp__gte=since, action="verify_trail")
    return rows.filter(result=Entry.Result.FAIL).order_by("-timestamp", "-sequence").first()


def overdue_since(now: datetime) -> datetime | None:
    """When the oldest row was written that should have been sealed by now; None if sealing goes on as it should."""
    last = Segment.objects.order_by("-number").values_list("last_sequence", "sealed_at").first()
    if last and last[1] > now - LATE:
        return None
    waiting = Entry.objects.filter(pk__gt=last[0] if last else 0).order_by("pk")
    oldest = waiting.values_list("timestamp", flat=True).first()
    return oldest if oldest and oldest < now - LATE else None
