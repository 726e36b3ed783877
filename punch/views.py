"""The pages of the clock: own codes and punches, the kiosk, who is in, time sheets."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required, login_required, permission_required
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from activity.callers import Caller
from config.errors import InvalidInput, Refusal
from identity import devices
from identity.models import Device, User
from punch import attendance, browsers, qr, services, timesheets
from punch.forms import MOST_DAYS_IN_FILES, MOST_DAYS_ON_SCREEN, PresenceQuery, SheetQuery
from punch.hours import Flag
from punch.models import Kiosk, Punch
from punch.periods import this_week
from punch.queries.presence import board
from punch.queries.stamps import Kiosks
from punch.queries.timesheet import Span, own_sheet, sheets_seen_by

View = Callable[..., HttpResponseBase]
SHOWN_PUNCHES = 50
CAMERA = "camera=(self), microphone=(), geolocation=()"


def own_page(view: View) -> View:
    """For everybody signed in; never kept by caches."""
    return login_required(never_cache(view))


def team_page(view: View) -> View:
    """For readers and managers; other roles get the 403 page."""
    allowed = permission_required("punch.read_team", raise_exception=True)(view)
    return require_safe(never_cache(login_required(allowed)))


def person_of(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


# --- Own codes and punches ---
def _own_state(request: HttpRequest) -> dict[str, Any]:
    person, now = person_of(request), timezone.now()
    week = Span(*this_week(now), user_id=person.pk)
    own = own_sheet(person, week, now, Kiosks())
    return {
        "this_device": browsers.device_of(request, person),
        "devices": Device.objects.of(person).active().newest_first()[:100],
        "punches": Punch.objects.of(person).newest_first().select_related("kiosk")[:SHOWN_PUNCHES],
        "week": week,
        "seconds": own.seconds,
        "now_in": next((row for row in own.rows if row.flag == Flag.IN_PROGRESS), None),
        "suggested_name": browsers.name_of(request),
        "browsers_allowed": browsers.allowed(),
    }


@require_safe
@own_page
def my_punch(request: HttpRequest) -> HttpResponse:
    return render(request, "punch/my_punch.html", _own_state(request))


@require_POST
@own_page
def make_device(request: HttpRequest) -> HttpResponse:
    """This browser becomes a device of the person, once."""
    person = person_of(request)
    try:
        device = browsers.device_of(request, person) or browsers.register(
            person, request.POST.get("device_name", ""), by=Caller.of(request)
        )
    except Refusal as refusal:
        return _own_problem(request, refusal)
    return browsers.remember(redirect("punch:mine"), device)


@own_page
def revoke_device(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks on a page of its own and names what ends."""
    person = person_of(request)
    device = get_object_or_404(Device.objects.of(person).active(), pk=pk)
    if request.method != "POST":
        return render(request, "punch/revoke_device.html", {"device": device})
    try:
        devices.revoke_own_device(pk, owner=person, by=Caller.of(request))
    except Refusal as refusal:
        return _own_problem(request, refusal)
    return redirect("punch:mine")


def _own_problem(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    words = refusal.errors[0]["msg"] if isinstance(refusal, InvalidInput) else refusal.detail
    context = _own_state(request) | {"problem": words}
    answer = render(request, "punch/my_punch.html", context, status=refusal.status)
    for name, value in refusal.headers.items():
        answer[name] = value
    return answer


@require_POST
@own_page
def my_code(request: HttpRequest) -> HttpResponse:
    """A fresh code for this browser: JSON for the script, a page for a browser without."""
    person = person_of(request)
    device = browsers.device_of(request, person)
    plain = "text/html" in request.headers.get("Accept", "")
    try:
        token = services.issue_token(person, device.pk if device else 0)
    except Refusal as refusal:
        if plain:
            return _own_problem(request, refusal)
        return JsonResponse({"detail": refusal.detail}, status=refusal.status, headers=refusal.headers)
    drawing = qr.as_svg(token.text)
    if plain:
        context = _own_state(request) | {"code": mark_safe(drawing), "expires_at": token.expires_at}
        return render(request, "punch/my_punch.html", context)
    told = {
        "svg": drawing,
        "expires_in": token.expires_in,
        "expires_at": attendance.written(token.expires_at),
    }
    return JsonResponse(told)


# --- Kiosk ---
@login_not_required  # the tablet shows it; its key is what counts
@require_safe
def kiosk(request: HttpRequest) -> HttpResponse:
    """The full-screen scanner: no data inside, all it knows comes by its key."""
    answer = render(request, "punch/kiosk.html")
    answer["Permissions-Policy"] = CAMERA
    answer["Cache-Control"] = "no-store"
    return answer


# --- For those who look after others ---
@team_page
def presence(request: HttpRequest) -> HttpResponse:
    query = PresenceQuery(request.GET)
    now = timezone.now()
    found = board(person_of(request), now, query.words, query.kiosk_id)
    kiosks = Kiosk.objects.living().order_by("kiosk_name")
    return render(
        request, "punch/presence.html", {"board": found, "now": now, "kiosks": kiosks, "query": query}
    )


@team_page
def timesheet(request: HttpRequest) -> HttpResponse:
    query = SheetQuery(request.GET, timezone.now())
    context: dict[str, Any] = {"query": query}
    try:
        span = query.span(MOST_DAYS_ON_SCREEN)
    except Refusal as refusal:
        words = {
            "invalid_range": _("The end must not lie before the start, and a screen shows at most 62 days."),
            "invalid_datetime": _("Write days as YYYY-MM-DD."),
        }
        context["problem"] = words.get(refusal.detail, refusal.detail)
        return render(request, "punch/timesheet.html", context, status=400)
    kiosks = Kiosks()
    found = list(sheets_seen_by(person_of(request), span, timezone.now(), kiosks))
    context |= {
        "span": span,
        "sheets": found,
        "kiosks": kiosks,
        "total": sum(sheet.seconds for sheet in found),
    }
    return render(request, "punch/timesheet.html", context)


def _plain_refusals(view: View) -> View:
    """Files have no page to show a message on: the answer is the string of the API."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except Refusal as refusal:
            return JsonResponse({"detail": refusal.detail}, status=refusal.status)

    return answered


@team_page
@_plain_refusals
def timesheet_file(request: HttpRequest) -> HttpResponseBase:
    """The same rows as CSV or PDF, at most 366 days; taking them out is trailed."""
    now = timezone.now()
    query = SheetQuery(request.GET, now)
    form = attendance.chosen_format(request.GET.get("format", "csv"))
    if form == "json":
        raise attendance.FormatInvalid
    span, kiosks = query.span(MOST_DAYS_IN_FILES), Kiosks()
    found = sheets_seen_by(person_of(request), span, now, kiosks)
    answer: Any = (
        StreamingHttpResponse(timesheets.as_csv(found, kiosks), content_type="text/csv; charset=utf-8")
        if form == "csv"
        else HttpResponse(timesheets.as_pdf(found, span, kiosks), content_type="application/pdf")
    )
    attendance.record_export("timesheet", form, query.told(), by=Caller.of(request))
    answer["Content-Disposition"] = f"attachment; filename=timesheet_{span.first}_{span.last}.{form}"
    return answer
