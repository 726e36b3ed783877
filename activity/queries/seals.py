"""What the pages say about the seals."""

from dataclasses import dataclass

from activity.models import Entry, Segment


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
