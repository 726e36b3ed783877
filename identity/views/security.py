"""A person's own security: password, second factor, devices, sign-ins."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import segno
from django.contrib.auth.decorators import login_required
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from activity.callers import Caller
from config.errors import InvalidInput, NotSignedIn, Refusal, TooManyRequests
from identity import devices, services, totp
from identity.forms import FirstCodeForm, NewPasswordForm, PasswordForm
from identity.models import Device, SignIn, TotpSecret, User
from identity.services import second_factor
from identity.views.door import too_many_words

SHOWN = 50
View = Callable[..., HttpResponse]


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User) or hasattr(request.user, "uuid")
    return request.user  # type: ignore[return-value]


def _sign_in(request: HttpRequest) -> SignIn:
    return request.credentials.sign_in  # type: ignore[attr-defined]


def _own(view: View) -> View:
    """Only for the person who is signed in, never cached, and what was typed is kept out of error reports."""
    return login_required(never_cache(sensitive_post_parameters()(view)))


def _context(request: HttpRequest, **forms: Form) -> dict[str, Any]:
    person, now = _person(request), timezone.now()
    waiting = None if person.otp_enabled else second_factor.pending(person, now)
    live = SignIn.objects.live(now).filter(user=person).order_by("-last_seen_at")
    return {
        "password_form": forms.get("password_form") or NewPasswordForm(prefix="new"),
        "enrol_form": forms.get("enrol_form") or PasswordForm(prefix="enrol"),
        "confirm_form": forms.get("confirm_form") or FirstCodeForm(prefix="confirm"),
        "remove_form": forms.get("remove_form") or PasswordForm(prefix="remove"),
        "enrolment": _enrolment(person, waiting) if waiting else None,
        "codes_left": second_factor.codes_left(person) if person.otp_enabled else None,
        "devices": Device.objects.of(person).newest_first()[:SHOWN],
        "sign_ins": live[:SHOWN],
        "current": _sign_in(request).pk,
    }


def _enrolment(person: User, waiting: TotpSecret) -> dict[str, str]:
    code = segno.make(totp.address(waiting.secret, person.username), error="m", micro=False)
    drawn = code.svg_inline(scale=4, border=4, dark="#000", light="#fff", svgclass="qr")
    spelled = " ".join(waiting.secret[at : at + 4] for at in range(0, len(waiting.secret), 4))
    return {"svg": mark_safe(drawn), "secret": spelled}


def _answer(request: HttpRequest, status: int = 200, **context: Any) -> HttpResponse:
    return render(
        request, "identity/security.html", {**_context(request, **context), **context}, status=status
    )


def _refused(request: HttpRequest, name: str, form: Form, refusal: Refusal) -> HttpResponse:
    """The page again, with what was wrong said at the form."""
    if isinstance(refusal, TooManyRequests):
        form.add_error(None, too_many_words(refusal))
    elif isinstance(refusal, NotSignedIn):
        form.add_error("password", _("This is not your password."))
    elif isinstance(refusal, InvalidInput):
        form.add_error(refusal.errors[0]["loc"][-1], refusal.errors[0]["msg"])
    else:
        form.add_error(None, refusal.detail)
    return _answer(request, 429 if isinstance(refusal, TooManyRequests) else 200, **{name: form})


@require_safe
@_own
def overview(request: HttpRequest) -> HttpResponse:
    return _answer(request)


@require_POST
@_own
def change_password(request: HttpRequest) -> HttpResponse:
    """Every other sign-in ends; this browser goes on with a new session key."""
    form = NewPasswordForm(request.POST, prefix="new")
    if not form.is_valid():
        return _answer(request, password_form=form)
    person, by, typed = _person(request), Caller.of(request), form.cleaned_data
    try:
        services.insist_on_password(person, typed["password"], by=by)
        services.insist_on_policy(typed["new_password"], person, field="new_password")
        services.set_password(person, typed["new_password"], by=by, except_=_sign_in(request))
    except Refusal as refusal:
        return _refused(request, "password_form", form, refusal)
    request.session.cycle_key()
    return _answer(request, done=_("Your password is changed. Every other sign-in has ended."))


@require_POST
@_own
def enrol(request: HttpRequest) -> HttpResponse:
    form = PasswordForm(request.POST, prefix="enrol")
    if not form.is_valid():
        return _answer(request, enrol_form=form)
    person = _person(request)
    try:
        services.insist_on_password(person, form.cleaned_data["password"], by=Caller.of(request))
        second_factor.enrol(person)
    except Refusal as refusal:
        return _refused(request, "enrol_form", form, refusal)
    return redirect("accounts:security")


@require_POST
@_own
def confirm(request: HttpRequest) -> HttpResponse:
    """The first code turns the second factor on; the recovery codes are shown this once."""
    form = FirstCodeForm(request.POST, prefix="confirm")
    if not form.is_valid():
        return _answer(request, confirm_form=form)
    person = _person(request)
    try:
        codes = second_factor.confirm(
            person, form.cleaned_data["code"], by=Caller.of(request), except_=_sign_in(request)
        )
    except Refusal as refusal:
        return _refused(request, "confirm_form", form, refusal)
    person.otp_enabled = True
    request.session.cycle_key()
    return _answer(request, recovery_codes=codes)


@require_POST
@_own
def remove(request: HttpRequest) -> HttpResponse:
    form = PasswordForm(request.POST, prefix="remove")
    if not form.is_valid():
        return _answer(request, remove_form=form)
    person, by = _person(request), Caller.of(request)
    try:
        services.insist_on_password(person, form.cleaned_data["password"], by=by)
        second_factor.remove(person, by=by, except_=_sign_in(request))
    except Refusal as refusal:
        return _refused(request, "remove_form", form, refusal)
    person.otp_enabled = False
    request.session.cycle_key()
    return _answer(request, done=_("The second factor is off. Every other sign-in has ended."))


@require_POST
@_own
def end_sign_in(request: HttpRequest, sign_in: UUID) -> HttpResponse:
    """End one of one's own sign-ins; somebody else's does not exist."""
    found = get_object_or_404(SignIn.objects.live(timezone.now()), pk=sign_in, user=_person(request))
    services.sign_out(found, by=Caller.of(request))
    return redirect("accounts:security")


@require_POST
@_own
def end_others(request: HttpRequest) -> HttpResponse:
    ended = services.end_sign_ins(_person(request), by=Caller.of(request), except_=_sign_in(request))
    return _answer(request, done=_("Signed out everywhere else: %(count)d.") % {"count": ended})


@require_POST
@_own
def revoke_device(request: HttpRequest, device: int) -> HttpResponse:
    try:
        devices.revoke_own_device(device, owner=_person(request), by=Caller.of(request))
    except devices.DeviceNotOwned as refusal:
        raise Http404 from refusal
    except devices.AlreadyRevoked:
        return _answer(request, done=_("This device is revoked already."))
    return redirect("accounts:security")
