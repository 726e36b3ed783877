"""Whether the trail is as it was written: its seals, and a check of them."""

import json
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from activity import sealing, services
from activity.callers import Caller
from activity.forms import PageQuery
from activity.models import Segment
from activity.queries import pages, seals
from activity.queries.verifying import Report
from activity.signing import KeyUnreadable, signing_key
from activity.views.frame import for_readers, reader_page
from config.errors import TooManyRequests

ROWS_A_RUN = 200_000
KINDS = {
    "altered": (_("altered"), _("This row is not as it was sealed.")),
    "deleted": (_("deleted"), _("This row was sealed and is gone.")),
    "inserted": (_("inserted"), _("This row was not there when its range was sealed.")),
    "swapped": (_("swapped"), _("This row was sealed under another number.")),
    "bad_signature": (_("bad signature"), _("No trusted key signed what this segment claims.")),
    "broken_link": (_("broken link"), _("The segment does not follow from the one before it.")),
    "missing_segment": (_("missing segment"), _("This segment was sealed and is gone.")),
    "damaged_digests": (
        _("damaged digests"),
        _("The digests of this segment do not lead to its signed head."),
    ),
}


@dataclass(frozen=True)
class Finding:
    """A problem in the words of the page."""

    problem: sealing.Problem

    @property
    def kind(self) -> str:
        return str(KINDS[self.problem.kind][0])

    @property
    def words(self) -> str:
        return str(KINDS[self.problem.kind][1])

    @property
    def stands(self) -> bool:
        """Whether there is a row to look at."""
        return bool(self.problem.sequence and self.problem.sequence > 0 and self.problem.kind != "deleted")


@require_http_methods(["GET", "HEAD", "POST"])
@for_readers
def integrity(request: HttpRequest) -> HttpResponse:
    """Last seal, head, what waits for its seal; a POST checks the rows from `from_sequence` on."""
    if request.method != "POST":
        return _page(request)
    start = _number(request.POST.get("from_sequence", ""))
    try:
        report = services.verify(start, ROWS_A_RUN, by=Caller.of(request))
    except TooManyRequests as refusal:
        return _page(request, status=429, wait=int(refusal.headers["Retry-After"]))
    except KeyUnreadable:
        return _page(request, status=503, keyless=True)
    return _page(request, report=report)


def _number(text: str) -> int:
    """Where a check begins; what is no number of a row means the first."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 1
    return min(max(number, 1), pages.MAX_SEQUENCE)


def _page(
    request: HttpRequest, *, report: Report | None = None, status: int = 200, **context: Any
) -> HttpResponse:
    query = PageQuery(request.GET, timezone.now())
    standing = seals.standing()
    pager = pages.Pager(query.number, query.cleaned_data.get("per_page") or 10, standing.segments)
    context |= {
        "section": "activity:integrity",
        "standing": standing,
        "segments": seals.newest_segments((pager.page - 1) * pager.per_page, pager.per_page),
        "pager": pager,
        "key_id": _key_id(),
        "report": report,
        "findings": [Finding(problem) for problem in report.problems] if report else [],
    }
    return render(request, "activity/integrity.html", context, status=status)


def _key_id() -> str:
    """The id of the present key; empty where there is none to sign with."""
    try:
        return sealing.key_id(signing_key().public_key())
    except KeyUnreadable:
        return ""


def _download(name: str, text: str, kind: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type=kind, headers=headers)


@reader_page
def checkpoint(request: HttpRequest, number: int) -> HttpResponse:
    """One signed checkpoint as the file that `verify_trail --checkpoint` takes."""
    if number > pages.MAX_SEQUENCE:
        raise Http404
    segment = get_object_or_404(Segment.objects.only("number", "payload", "signature"), number=number)
    text = json.dumps({"payload": segment.payload, "signature": segment.signature}, indent=1) + "\n"
    return _download(f"waymark-checkpoint-{number}.json", text, "application/json")


@reader_page
def key(request: HttpRequest) -> HttpResponse:
    """The public key as the file that `verify_trail --public-key` takes."""
    try:
        public = signing_key().public_key()
    except KeyUnreadable as error:
        raise Http404 from error
    text = b64encode(sealing.raw(public)).decode() + "\n"
    return _download(f"waymark-trail-key-{sealing.key_id(public)}.txt", text, "text/plain")
