"""Checking the trail against its seals: rows, digests, chain, links and signatures, in this order of doubt."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from activity import sealing
from activity.models import Entry, Segment
from activity.queries.digests import Digester, digests
from activity.sealing import Altered, Checkpoint, Problem
from activity.signing import Keys

AT_ONCE = 10_000  # rows that are read and compared together
MOST_MISSING = 1_000
Progress = Callable[[int], object]


@dataclass
class Report:
    """What a run found; `next_from` is where the next run goes on, None at the end."""

    checked_rows: int = 0
    checked_segments: int = 0
    first_sequence: int | None = None
    last_sequence: int | None = None
    unsealed_rows: int = 0
    next_from: int | None = None
    head: str = sealing.NO_HEAD.hex()
    key_id: str | None = None
    problems: list[Problem] = field(default_factory=list)
    problems_truncated: bool = False

    @property
    def ok(self) -> bool:
        return not self.problems

    def shape(self) -> dict[str, Any]:
        """The object of `/trail/verify`."""
        return {
            "ok": self.ok,
            "checked_rows": self.checked_rows,
            "checked_segments": self.checked_segments,
            "first_sequence": self.first_sequence,
            "last_sequence": self.last_sequence,
            "unsealed_rows": self.unsealed_rows,
            "next_from": self.next_from,
            "head": self.head,
            "key_id": self.key_id,
            "problems": [
                {
                    "sequence": each.sequence,
                    "segment": each.segment,
                    "kind": each.kind,
                    "with": each.other,
                    "detail": each.detail,
                }
                for each in self.problems
            ],
            "problems_truncated": self.problems_truncated,
        }


class Verification:
    """One run over the segments that cover a range of sequence numbers, which are read whole."""

    def __init__(
        self, keys: Keys, *, limit: int | None = None, progress: Progress = lambda rows: None
    ) -> None:
        self.keys, self.limit, self.progress = keys, limit, progress
        self.report, self.altered = Report(), list[Altered]()
        self.digester = Digester()
        self.before: Segment | None = None  # the segment checked last

    def run(self, start: int = 1, end: int | None = None, max_rows: int | None = None) -> Report:
        """Check the segments that hold `start` to `end`, and stop behind `max_rows` if more would follow."""
        segments = Segment.objects.filter(last_sequence__gte=start).order_by("number")
        if end is not None:
            segments = segments.filter(first_sequence__lte=end)
        self.report.key_id = next(iter(self.keys), None)
        first = segments.values_list("number", flat=True).first()
        if first is not None and start > 1:
            self.before = Segment.objects.filter(number__lt=first).order_by("-number").first()
        self._walk(segments, max_rows)
        self.report.problems += sealing.judged(self.altered)
        self._close()
        return self.report

    def _walk(self, segments: Any, max_rows: int | None) -> None:
        for batch in _batches(segments.iterator(chunk_size=20)):
            if max_rows is not None and self.report.checked_rows >= max_rows:
                self.report.next_from = batch[0].first_sequence
                return
            self._check(batch)
            self.before = batch[-1]

    def _close(self) -> None:
        report = self.report
        report.problems.sort(key=lambda each: (each.sequence is None, each.sequence or each.segment or 0))
        if self.limit is not None and len(report.problems) > self.limit:
            del report.problems[self.limit :]
            report.problems_truncated = True
        newest = Segment.objects.order_by("-number").values_list("last_sequence", flat=True).first() or 0
        report.unsealed_rows = Entry.objects.filter(pk__gt=newest).count()

    def _check(self, batch: list[Segment]) -> None:
        after = self.before.last_sequence if self.before else None
        found = dict(digests(after, batch[-1].last_sequence, digester=self.digester))
        for segment in batch:
            whole = self._check_seal(segment)
            self._check_rows(segment, found, whole)
            self._count(segment)
            self.before = segment
        self.progress(len(found))

    def _count(self, segment: Segment) -> None:
        report = self.report
        report.checked_rows += segment.rows
        report.checked_segments += 1
        report.first_sequence = report.first_sequence or segment.first_sequence
        report.last_sequence, report.head = segment.last_sequence, segment.head

    def _problem(self, kind: str, segment: int, detail: str) -> None:
        self.report.problems.append(Problem(kind, segment=segment, detail=detail))

    def _check_seal(self, segment: Segment) -> bool:
        """Whether the digests of this segment are the ones that were signed."""
        number, before = segment.number, self.before
        expected = before.number + 1 if before else 1
        for missing in range(expected, min(number, expected + MOST_MISSING)):
            self._problem("missing_segment", missing, "This segment was sealed and is gone.")
        head_before = before.head if before else sealing.NO_HEAD.hex()
        if number == expected and segment.previous_head != head_before:
            self._problem("broken_link", number, "The segment does not follow from the one before it.")
        if not self._signed(segment):
            self._problem("bad_signature", number, "No trusted key signed what this segment claims.")
        return self._digests_stand(segment)

    def _signed(self, segment: Segment) -> bool:
        try:
            claims = Checkpoint.of(segment.payload)
        except ValueError:
            return False
        key = self.keys.get(claims.key_id)
        return (
            key is not None
            and sealing.signed_by(segment.payload, segment.signature, key)
            and claims[:6] == (
                segment.number, segment.first_sequence, segment.last_sequence, segment.rows,
                segment.previous_head, segment.head,
            )
        )  # fmt: skip

    def _digests_stand(self, segment: Segment) -> bool:
        pairs = sealing.unpack(bytes(segment.digests))
        try:
            head = sealing.chain(bytes.fromhex(segment.previous_head), pairs).hex()
        except ValueError:
            head = ""
        if head == segment.head and len(pairs) == segment.rows:
            return True
        span = f"{segment.first_sequence} to {segment.last_sequence}"
        self._problem(
            "damaged_digests", segment.number, f"The digests of rows {span} do not lead to the signed head."
        )
        return False

    def _check_rows(self, segment: Segment, found: dict[int, bytes], whole: bool) -> None:
        """Compare the rows of this segment's range; digests that do not stand accuse nobody."""
        before = self.before
        adjacent = segment.number == (before.number + 1 if before else 1)
        low = (before.last_sequence if before else None) if adjacent else segment.first_sequence - 1
        here: dict[int, bytes] = {}
        for sequence in list(found):
            if sequence > segment.last_sequence:
                break
            digest = found.pop(sequence)
            if low is None or sequence > low:
                here[sequence] = digest
        sealed = dict(sealing.unpack(bytes(segment.digests)))
        if not whole or here == sealed:
            return
        for each in sealing.differences(segment.number, sealed, here):
            if isinstance(each, Altered):
                self.altered.append(each)
            else:
                self.report.problems.append(each)


def _batches(segments: Iterator[Segment]) -> Iterator[list[Segment]]:
    """Small segments are checked together: one read of rows for about `AT_ONCE` of them."""
    batch: list[Segment] = []
    rows = 0
    for segment in segments:
        if batch and rows + segment.rows > AT_ONCE:
            yield batch
            batch, rows = [], 0
        batch.append(segment)
        rows += segment.rows
    if batch:
        yield batch


def against_checkpoint(payload: str, signature: str, keys: Keys) -> list[Problem]:
    """What the table lacks or denies of a checkpoint that was kept elsewhere.

    ValueError when the file itself is not signed by a trusted key.
    """
    claims = Checkpoint.of(payload)
    key = keys.get(claims.key_id)
    if key is None or not sealing.signed_by(payload, signature, key):
        raise ValueError("no trusted key signed this checkpoint")
    segment = Segment.objects.defer("digests").filter(number=claims.segment).first()
    if segment is None:
        return [
            Problem(
                "missing_segment", segment=claims.segment,
                detail="The checkpoint names this segment; it was cut off, or an old copy was restored.",
            )
        ]  # fmt: skip
    if segment.head != claims.head:
        return [Problem("broken_link", segment=claims.segment, detail="The checkpoint names another head.")]
    return []
