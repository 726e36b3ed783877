"""A reported visit, read and judged.

The quick look accepts what is plainly right. Everything else goes to the serializer, which alone knows how to say
what is wrong; so both doors, and the document of the API, follow one set of rules.
"""

import json
import re
from functools import lru_cache
from json.decoder import JSONDecoder
from typing import Any, NamedTuple, NoReturn
from uuid import UUID

from config.errors import InvalidInput, Refusal
from config.inputs import checked, errors_of
from traffic.agents import recognised
from traffic.places import origin, place
from traffic.serializers import (
    CONTROL,
    MAX_AGENT,
    MAX_AT_ONCE,
    MAX_URL,
    MAX_USER,
    VisitReport,
    VisitReports,
    normal_ip,
)

ANONYMOUS = "anon"
FIELDS = ("user_id", "page_url", "user_agent", "ip_address", "referrer")
CANONICAL_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MAX_ERRORS = 20
known_address = lru_cache(maxsize=4096)(normal_ip)
JSON_INVALID = [{"type": "json_invalid", "loc": ["body"], "msg": "JSON decode error"}]


class NotJSON(Refusal):
    status, detail = 415, "Unsupported Media Type"


class Arrival(NamedTuple):
    """A visit before it has a time and a number."""

    user_id: str
    page_url: str
    agent: str | None
    address: str | None
    referrer: str | None
    host: str
    path: str
    source: str
    browser: str
    bot: bool
    person: UUID | None


class Reporter(NamedTuple):
    """Who reports: what fills the gaps of a visit."""

    agent: str | None
    address: str | None


def header_agent(raw: bytes | str | None) -> str | None:
    """A `User-Agent` header as it is stored: cut, and every byte that is not printable ASCII replaced."""
    if not raw:
        return None
    text = raw.decode("ascii", "replace") if isinstance(raw, bytes) else raw
    if not text.isascii():
        text = "".join(c if c.isascii() else "\ufffd" for c in text)
    return CONTROL.sub("\ufffd", text)[:MAX_AGENT]


def _constant(name: str) -> NoReturn:
    raise ValueError(name)


decoder = JSONDecoder(parse_constant=_constant)


def decoded(body: bytes) -> Any:
    """The JSON in a body; NaN and Infinity are none."""
    try:
        return decoder.decode(body.decode())
    except (ValueError, RecursionError):
        raise InvalidInput(JSON_INVALID) from None


def check_type(content_type: str) -> None:
    """JSON, or the plain text that a browser's beacon sends without asking first."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in {"application/json", "text/plain"} and not (kind.endswith("+json") and "/" in kind):
        raise NotJSON


def plainly_right(fields: Any) -> bool:
    """Whether a quick look finds nothing to object to; never true of what the serializer refuses."""
    if type(fields) is not dict:
        return False
    user, page, agent, address, referrer = map(fields.get, FIELDS)
    agent = "" if agent is None else agent
    address = "" if address is None else address
    referrer = "" if referrer is None else referrer
    return (
        type(user) is type(page) is type(agent) is type(address) is type(referrer) is str
        and len(user) <= MAX_USER
        and len(page) <= MAX_URL
        and len(agent) <= MAX_AGENT
        and len(referrer) <= MAX_URL
        and not CONTROL.search(f"{user}{page}{agent}{referrer}")
        and bool(user.strip() and page.strip())
        and (not address or known_address(address) is not None)
    )


def arrival(fields: dict[str, Any], reporter: Reporter) -> Arrival:
    """A visit out of fields that were found right."""
    user, page = fields["user_id"], fields["page_url"]
    agent = fields.get("user_agent") or reporter.agent
    address = fields.get("ip_address")
    referrer = fields.get("referrer") or None
    host, path = place(page)
    browser, bot = recognised(agent)
    return Arrival(
        user,
        page,
        agent,
        known_address(address) if address else reporter.address,
        referrer,
        host,
        path,
        origin(referrer, host),
        browser,
        bot,
        UUID(user) if len(user) == 36 and CANONICAL_UUID.fullmatch(user) else None,
    )


def read_visit(body: bytes, reporter: Reporter) -> Arrival:
    """The visit in a body, or InvalidInput that names every wrong field."""
    fields = decoded(body)
    if not plainly_right(fields):
        fields = checked(VisitReport, fields)
    return arrival(fields, reporter)


def _faults(position: int, entry: Any) -> list[dict[str, Any]]:
    serializer = VisitReport(data=entry)
    if serializer.is_valid():
        return []
    loc: list[str | int] = ["body", "visits", position]
    return list(errors_of(serializer, serializer.errors, loc, entry))


def read_visits(body: bytes, reporter: Reporter) -> list[Arrival]:
    """All visits in a body, or InvalidInput that names the first faults; one fault refuses them all."""
    fields = decoded(body)
    entries = fields.get("visits") if isinstance(fields, dict) else None
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_AT_ONCE:
        checked(
            VisitReports,
            {**fields, "visits": entries[: MAX_AT_ONCE + 1]} if isinstance(entries, list) else fields,
        )
    faults: list[dict[str, Any]] = []
    for position, entry in enumerate(entries or []):
        if not plainly_right(entry):
            faults += _faults(position, entry)
        if len(faults) >= MAX_ERRORS:
            break
    if faults:
        raise InvalidInput(faults[:MAX_ERRORS])
    return [arrival(entry, reporter) for entry in entries or []]


def shown(refusal: Refusal) -> bytes:
    """The body of a refusal in this dialect."""
    detail = refusal.errors if isinstance(refusal, InvalidInput) else refusal.detail
    return json.dumps({"detail": detail}, separators=(",", ":")).encode()
