"""Opening a person's timeline: bounded per viewer, and a row of the trail before anything is shown."""

import hashlib
import json
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core import signing
from django.db import DatabaseError

from activity.callers import Caller
from activity.models import Domain
from activity.queries.timeline import Filters, Position, Subject, page_of, source_names, subject_of
from activity.services.trail import recorded
from config import throttles
from config.errors import Unavailable, invalid

log = logging.getLogger("waymark.timeline")
OPENINGS = [(60, 60)]
CURSOR_SECONDS = 3600


@dataclass(frozen=True)
class Timeline:
    """One page; `next` is the cursor of the page behind it."""

    person: Subject
    items: list[dict[str, Any]]
    next: str | None


def open_timeline(
    uuid: UUID,
    filters: Filters,
    *,
    limit: int,
    cursor: str | None = None,
    reason: str | None = None,
    by: Caller,
) -> Timeline:
    """A page of this person's timeline, newest first.

    Without a cursor it is an opening, which is recorded and committed first; looking at one's own is none.
    Raises PersonNotFound, InvalidInput for a cursor that is not of this viewer, person and filters or is older
    than an hour, TooManyRequests after 60 openings a minute, and Unavailable if the opening cannot be recorded.
    """
    binding = _binding(by, uuid, filters)
    after = None if cursor is None else _read_cursor(cursor, binding)
    person = subject_of(uuid)
    if after is None and by.user.pk != person.pk:
        _record_opening(person, reason, by)
    items, last = page_of(uuid, filters, limit, after)
    return Timeline(person, items, None if last is None else _write_cursor(last, binding))


def _record_opening(person: Subject, reason: str | None, by: Caller) -> None:
    throttles.hit("timeline", str(by.user.pk), OPENINGS)
    target = ("user", person.uuid)
    try:
        with recorded("open_timeline", domain=Domain.ACTIVITY, by=by, person=person, target=target) as line:
            line.info = reason or None
    except DatabaseError as error:
        log.exception("The opening of a timeline cannot be recorded")
        raise Unavailable from error


def _binding(by: Caller, uuid: UUID, filters: Filters) -> str:
    """What a cursor is good for: this viewer, person, choice of events and order of sources."""
    span = [str(filters.start), str(filters.end)]
    meant = [by.user.pk, str(uuid), sorted(set(filters.domains)), span, source_names()]
    return "activity.timeline." + hashlib.sha256(json.dumps(meant).encode()).hexdigest()


def _write_cursor(position: Position, binding: str) -> str:
    return signing.dumps([position.at.isoformat(), position.source, position.number], salt=binding)


def _read_cursor(cursor: str, binding: str) -> Position:
    try:
        at, source, number = signing.loads(cursor, salt=binding, max_age=CURSOR_SECONDS)
    except signing.BadSignature as error:
        raise invalid("query", "cursor", "This cursor is not valid here, or no longer") from error
    return Position(datetime.fromisoformat(at), source, number)
