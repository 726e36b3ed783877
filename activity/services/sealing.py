"""Sealing: what was written since the last seal becomes the next segments, chained and signed."""

from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from activity import sealing
from activity.callers import Caller
from activity.models import Domain, Entry, Segment
from activity.queries.digests import digests
from activity.queries.verifying import Report, Verification
from activity.services.counting import horizon
from activity.services.trail import NOBODY, record
from activity.signing import signing_key, trusted_keys
from config import throttles

ROWS_A_SEGMENT = 10_000
VERIFY_RUNS = [(10, 60)]
MOST_PROBLEMS = 1_000


class Overtaken(Exception):
    """Another process sealed these rows, or the trail was flushed, while they were read."""


def seal(now: datetime | None = None) -> int:
    """Seal all rows below every open writer; how many segments that made."""
    known = horizon()
    if not known:
        return 0
    key, moment, made = signing_key(), now or timezone.now(), 0
    while _seal_next(known, key, moment):
        made += 1
    return made


def seal_full_segments(now: datetime | None = None) -> int:
    """Seal early when enough rows for a whole segment wait."""
    last = Segment.objects.aggregate(last=Max("last_sequence"))["last"] or 0
    newest = Entry.objects.aggregate(newest=Max("sequence"))["newest"] or 0
    return seal(now) if newest - last >= ROWS_A_SEGMENT else 0


def _seal_next(known: int, key: Ed25519PrivateKey, now: datetime) -> bool:
    """Make the next segment; whether there was one to make, and this process made it."""
    last = Segment.objects.defer("digests").order_by("-number").first()
    pairs = list(digests(last.last_sequence if last else 0, known, ROWS_A_SEGMENT))
    if not pairs:
        return False
    segment = _segment(last, pairs, key, now)
    try:
        with transaction.atomic(durable=True):
            segment.save(force_insert=True)
            _refuse_if_overtaken(last, pairs)
    except (IntegrityError, Overtaken):
        return False
    return True


def _segment(
    last: Segment | None, pairs: list[sealing.Pair], key: Ed25519PrivateKey, now: datetime
) -> Segment:
    previous = bytes.fromhex(last.head) if last else sealing.NO_HEAD
    claims = sealing.Checkpoint(
        segment=last.number + 1 if last else 1,
        first_sequence=pairs[0][0],
        last_sequence=pairs[-1][0],
        rows=len(pairs),
        previous_head=previous.hex(),
        head=sealing.chain(previous, pairs).hex(),
        sealed_at=now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        key_id=sealing.key_id(key.public_key()),
    )
    columns: dict[str, Any] = {**claims._asdict(), "number": claims.segment, "sealed_at": now}
    del columns["segment"], columns["v"]
    payload = claims.payload()
    return Segment(
        **columns, digests=sealing.pack(pairs), payload=payload, signature=sealing.sign(payload, key)
    )


def _refuse_if_overtaken(last: Segment | None, pairs: list[sealing.Pair]) -> None:
    """A flush that came in between has taken rows or segments away: this seal would hang in the air."""
    ends = {pairs[0][0], pairs[-1][0]}
    rows_stand = Entry.objects.filter(pk__in=ends).count() == len(ends)
    link_stands = last is None or Segment.objects.filter(number=last.number, head=last.head).exists()
    if not (rows_stand and link_stands):
        raise Overtaken


def verify(start: int, max_rows: int, *, by: Caller) -> Report:
    """Check the segments from a number on: ten runs a minute per person, at most 1,000 problems are named."""
    throttles.hit("verify", str(by.user.pk) if by.user is not None else by.login, VERIFY_RUNS)
    report = Verification(trusted_keys(), limit=MOST_PROBLEMS).run(start, max_rows=max_rows)
    report_verification(report, by=by)
    return report


def report_verification(report: Report, *, by: Caller) -> None:
    """A run that found problems is a row of the trail, whoever ran it."""
    if report.ok:
        return
    kinds = sorted({problem.kind for problem in report.problems})
    numbers = [problem.sequence for problem in report.problems[:20] if problem.sequence is not None]
    with transaction.atomic(durable=True):
        record(
            "verify_trail",
            domain=Domain.ACTIVITY,
            by=by,
            person=NOBODY if by.user is None else by.user,
            result=Entry.Result.FAIL,
            reason="problems_found",
            details={"problems": len(report.problems), "kinds": kinds, "sequences": numbers},
        )
