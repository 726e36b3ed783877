"""What changes around visits: storing them outside of the fast door, sites by hand, exports."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from activity.callers import Caller
from activity.models import Domain
from activity.services import NOBODY, recorded
from config.errors import Refusal
from traffic.arrivals import Arrival
from traffic.ingest import Ask, Ledger
from traffic.ingest.quota import exempt
from traffic.ingest.writer import store
from traffic.models import Site
from traffic.queries import Extract, extract


def log_visits(arrivals: Sequence[Arrival], throttled: str | None = None) -> int:
    """Store visits in one transaction, all or nothing; the number of the last one.

    For ordinary code: the fast door collects many requests into one transaction, this is one of its own.
    """
    asked = None if exempt(throttled) else throttled
    (answer,) = store(Ledger(), [Ask(arrivals, asked)])
    if isinstance(answer, Refusal):
        raise answer
    return answer


def open_export(start: datetime, end: datetime, site: Site | None, form: str, *, by: Caller) -> Extract:
    """The visits of a period, to be handed out; that they were is in the trail before the first byte leaves."""
    about: dict[str, Any] = {"from": str(start), "to": str(end), "format": form}
    target = ("site", site.host) if site else None
    with recorded("export_visits", domain=Domain.TRAFFIC, by=by, target=target, details=about):
        found = extract(start, end, site)
        about["visits"] = found.count
    return found


def register_site(host: str, name: str, *, by: Caller, now: datetime) -> Site:
    """Add a site by hand, also beyond the limit that strangers' hosts are held to."""
    with recorded("register_site", domain=Domain.TRAFFIC, by=by, person=NOBODY, target=("site", host)):
        return Site.objects.create(host=host, name=name, created_at=now)


def rename_site(site: Site, name: str, *, by: Caller) -> Site:
    """Give a site another name; its host is what it is."""
    about = {"from": site.name, "to": name}
    with recorded(
        "rename_site", domain=Domain.TRAFFIC, by=by, person=NOBODY, target=("site", site.host), details=about
    ):
        site.name = name
        site.save(update_fields=["name"])
    return site


def delete_site(site: Site, *, by: Caller) -> None:
    """Delete a site that was never visited; the tables refuse any other."""
    with recorded("delete_site", domain=Domain.TRAFFIC, by=by, person=NOBODY, target=("site", site.host)):
        site.delete()
