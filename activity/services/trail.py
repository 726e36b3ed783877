"""Writing the trail: `record` is the only thing that inserts a row (besides the bulk loader of `seed`)."""

import json
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from activity import wakes
from activity.callers import Caller, normal_address
from activity.models import Domain, Entry, Provider
from config.errors import Refusal

UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
AUTORISATION = {"authentication", "access", "logout", "sign_in", "sign_out"}
MAX_DETAILS, MAX_DEPTH, MAX_AGENT = 8192, 5, 500
NOBODY = object()  # the act is about no person at all
LENGTHS = {
    column.attname: column.max_length
    for column in Entry._meta.concrete_fields
    if isinstance(column, models.CharField)
}


@dataclass
class Line:
    """A row in the making; a command may complete it until it commits.

    `person` is whom the act is about (default: the caller), `target` what was acted on as (type, id).
    """

    action: str
    domain: str
    by: Caller
    person: Any = None
    target: tuple[str, Any] | None = None
    provider: Provider | None = None
    result: str | None = Entry.Result.SUCCESS
    reason: str | None = None
    info: str | None = None
    login: str | None = None
    trace_id: str | None = None
    at: datetime | None = None
    details: dict[str, Any] = field(default_factory=dict)
    audit_id: str | None = None  # given by generators only
    kept: bool = True  # a command that changed nothing sets this to False and leaves no row


def clean_text(value: Any, length: int | None = None) -> str | None:
    """Text as the table can hold it: over-long is cut with an ellipsis, NUL and lone surrogates are replaced."""
    if value is None:
        return None
    text = UNSTORABLE.sub("\ufffd", str(value))
    return text if length is None or len(text) <= length else text[: length - 1] + "…"


def clean_details(value: Any, depth: int = 1) -> Any:
    """Only strings, integers, booleans, null, lists and objects, at most five deep; a float becomes its text."""
    if value is None or isinstance(value, bool | int):
        return value
    if depth > MAX_DEPTH:
        return "…"
    if isinstance(value, dict):
        return {clean_text(key, 100): clean_details(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [clean_details(inner, depth + 1) for inner in value]
    return clean_text(value, 2000)


def _details(line: Line) -> dict[str, Any] | None:
    details = clean_details(line.details)
    if line.by.agent:
        details["user_agent"] = clean_text(line.by.agent, MAX_AGENT)
    while len(json.dumps(details, ensure_ascii=False).encode()) > MAX_DETAILS:
        longest = max(details, key=lambda name: len(json.dumps(details[name])))
        details[longest] = "…"
    return details or None


def _category(line: Line) -> str:
    if line.domain not in (Domain.IDENTITY, Domain.ACTIVITY):
        return line.domain
    return "autorisation" if line.action in AUTORISATION else "management"


def _person_columns(line: Line) -> dict[str, Any]:
    """Whom the row is about, and who did it when that was somebody else or a system."""
    by = line.by
    person = by.user if line.person is None and line.login is None else line.person
    if person is NOBODY:
        person = None
    same = person is not None and by.user is not None and person.pk == by.user.pk
    own_attempt = line.login is not None and by.user is None and by.system is None
    return {
        "user_id": str(person.uuid) if person is not None else None,
        "user_login": person.get_username() if person is not None else line.login,
        "source_admin": None if same or own_attempt else by.login,
    }


def entry_of(line: Line) -> Entry:
    """The row that a line becomes."""
    provider = line.provider
    values = {
        "audit_id": line.audit_id or secrets.token_hex(16),
        "timestamp": line.at or timezone.now(),
        "domain": line.domain,
        "category": _category(line),
        "action": line.action,
        "trace_id": line.trace_id or line.by.trace_id,
        "result": line.result,
        "reason": line.reason,
        "info": line.info,
        "source_ip": normal_address(line.by.ip),
        "object_type": line.target[0] if line.target else None,
        "object_id": line.target[1] if line.target else None,
        "details": _details(line),
        **_person_columns(line),
    }
    if provider is not None:
        values |= {
            "provider_id": provider.pk,
            "provider_type": provider.type,
            "provider_name": provider.name,
            "provider_protocol": provider.protocol,
        }
    return Entry(**{k: clean_text(v, LENGTHS[k]) if k in LENGTHS else v for k, v in values.items()})


def write(line: Line) -> Entry:
    """Insert a line inside the open transaction, and tell the indexes that other apps keep over the trail."""
    entry = entry_of(line)
    entry.save(force_insert=True)
    for name in settings.TRAIL_INDEXES:
        import_string(name)(entry)
    transaction.on_commit(wakes.announce, robust=True)
    return entry


def write_together(lines: Iterable[Line]) -> list[Entry]:
    """Insert the lines of a generator at once, inside the open transaction.

    The indexes that other apps keep over the trail are not told: whoever generates rows writes its own.
    """
    return Entry.objects.bulk_create([entry_of(line) for line in lines], batch_size=500)


def record(action: str, *, domain: str, by: Caller, **columns: Any) -> Entry:
    """One row inside an open transaction: for workers and batches. Columns as in `Line`."""
    return write(Line(action, domain, by, **columns))


def record_refusal(line: Line, reason: str) -> Entry:
    """The `fail` row of an act that was rolled back, in a transaction of its own."""
    line.result, line.reason = Entry.Result.FAIL, reason
    with transaction.atomic(durable=True):
        return write(line)


@contextmanager
def recorded(action: str, *, domain: str, by: Caller, **columns: Any) -> Iterator[Line]:
    """One command = one transaction = one row in the trail.

    Yields the line, so that the command can add what it learns. A Refusal rolls everything back; if the refusal
    is worth remembering (`trailed`), its `fail` row is written after the rollback. Does not nest.
    """
    line = Line(action, domain, by, **columns)
    try:
        with transaction.atomic(durable=True):
            yield line
            if line.kept:
                write(line)
    except Refusal as refusal:
        if refusal.trailed:
            record_refusal(line, refusal.trailed)
        raise
