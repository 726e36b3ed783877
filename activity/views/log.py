"""The log book and one row of it."""

import json
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from activity import charts
from activity.forms import COLUMNS, USUAL_COLUMNS, LogQuery
from activity.models import Entry
from activity.queries import pages, search
from activity.views.frame import reader_page, timed


@reader_page
def log(request: HttpRequest) -> HttpResponse:
    """The log book: every filter of the audit search, in the address."""
    if typed := request.GET.get("find", "").strip():
        return HttpResponseRedirect(charts.log_link(**pages.meant_by(typed[:255]), range="all"))
    query = LogQuery(request.GET, timezone.now())
    found, bar = _search(query), query.bar(pages.suggestions())
    columns = query.cleaned_data.get("columns") or list(USUAL_COLUMNS)
    return render(
        request,
        "activity/log.html",
        {
            **timed(query, everything=True),
            "period": "" if query.custom else query.period,
            "query": query,
            "chips": list(query.chips()),
            "bar": bar,
            "more_open": query.custom or any(field.used for field in bar["more"]),
            "columns": columns,
            "all_columns": COLUMNS.items(),
            "usual_columns": USUAL_COLUMNS,
            "entries": found.rows,
            "exports": _exports(query) if found.total else [],
            "pager": pages.Pager(query.number, query.size, found.total),
        },
    )


def _exports(query: LogQuery) -> list[tuple[str, str]]:
    """Each format with the address of exactly what is listed; the export knows no "known people only"."""
    if query.cleaned_data["known"]:
        return []
    asked = query.export_query()
    formats = {"csv": _("Export CSV"), "ndjson": _("Export NDJSON")}
    address = reverse("audit-export")
    return [
        (words, f"{address}?{urlencode({**asked, 'format': form}, doseq=True)}")
        for form, words in formats.items()
    ]


def _search(query: LogQuery) -> search.Found:
    if query.errors:
        return search.Found([], 0)
    start, end = query.time_range()
    asked = search.Filter.of({**query.values(), "time_range": {"start": start, "end": end}})
    by = pages.search_known if query.cleaned_data["known"] else search.search
    return by(asked, query.number, query.size)


@reader_page
def entry(request: HttpRequest, sequence: int) -> HttpResponse:
    """One row in full, its session, and the history of the object it acted on."""
    if sequence > pages.MAX_SEQUENCE:
        raise Http404
    row = get_object_or_404(Entry, sequence=sequence)
    context = {
        "section": "activity:log",
        "entry": row,
        "details": json.dumps(row.details, indent=2, ensure_ascii=False) if row.details else "",
        "session": pages.session_of(row),
        "history": pages.history_of(row),
    }
    return render(request, "activity/entry.html", context)
