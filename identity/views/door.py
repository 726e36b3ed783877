"""The pages by which people come and go."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from activity.callers import Caller
from config.errors import NotSignedIn, TooManyRequests
from identity import services
from identity.authentication import SESSION_KEY
from identity.forms import CodeForm, SignInForm
from identity.models import SignIn, User
from identity.services.doors import HALF_WAY

HALF_KEY = "half_way"


def _destination(request: HttpRequest) -> str:
    """Where to go after signing in: only ever inside this site."""
    asked = request.POST.get("next") or request.GET.get("next") or ""
    inside = url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure())
    return asked if inside else settings.LOGIN_REDIRECT_URL


def too_many_words(refusal: TooManyRequests) -> str:
    minutes = -(-int(refusal.headers["Retry-After"]) // 60)
    words = ngettext(
        "Too many attempts. Try again in %(minutes)d minute.",
        "Too many attempts. Try again in %(minutes)d minutes.",
        minutes,
    )
    return words % {"minutes": minutes}


def _words(refusal: NotSignedIn | TooManyRequests) -> str:
    """What a person reads who was turned away; which part was wrong stays unsaid until the password is known."""
    if isinstance(refusal, TooManyRequests):
        return too_many_words(refusal)
    if isinstance(refusal, services.InvalidCode):
        return _("This code is not valid. Each code works once; wait for the next one.")
    if isinstance(refusal, services.MoreNeeded):
        return _("This account signs in in a way that is not set up here.")
    return _("This login and password do not match an account that can sign in.")


def open_session(request: HttpRequest, sign_in: SignIn) -> None:
    """Let this browser carry the sign-in, in a session that knows nothing of an earlier one."""
    request.session.flush()
    request.session[SESSION_KEY] = str(sign_in.pk)
    rotate_token(request)


def _remember_half_way(request: HttpRequest, user: User) -> None:
    """The password was right; for a few minutes this browser may send the code alone."""
    request.session.flush()
    until = (timezone.now() + HALF_WAY).timestamp()
    request.session[HALF_KEY] = [str(user.uuid), user.get_session_auth_hash(), until]


def _half_way(request: HttpRequest, now: datetime) -> User | None:
    """Who has shown the password in this browser and still owes the code; a new password voids that."""
    uuid, proof, until = request.session.get(HALF_KEY) or ("", "", 0)
    if until <= now.timestamp():
        return None
    user = User.objects.living().filter(uuid=uuid).first()
    return user if user is not None and user.get_session_auth_hash() == proof else None


@login_not_required
@sensitive_post_parameters("password", "code")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest, extra_context: object = None) -> HttpResponse:
    """The login page, also that of the Django admin: the password first, then the code where one is asked for."""
    owing = (
        _half_way(request, timezone.now()) if request.method == "POST" and "code" in request.POST else None
    )
    form = _form(request, owing)
    refused: NotSignedIn | TooManyRequests | None = None
    if form.is_valid():
        try:
            return _enter(request, form.cleaned_data, owing)
        except services.MoreNeeded as more:
            refused = more
            if more.factor == "otp":
                _remember_half_way(request, more.user)
                return _page(request, CodeForm())
        except (NotSignedIn, TooManyRequests) as refusal:
            refused = refusal
        form.add_error(None, _words(refused))
    return _page(request, form, refused)


def _form(request: HttpRequest, owing: User | None) -> SignInForm | CodeForm:
    if owing is not None:
        return CodeForm(request.POST)
    return SignInForm(request.POST if request.method == "POST" else None)


def _enter(request: HttpRequest, typed: dict[str, Any], owing: User | None) -> HttpResponse:
    by = Caller.of(request)
    if owing is not None:
        tokens = services.sign_in_by_code(owing, typed["code"], by=by, door="page")
    else:
        tokens = services.sign_in(typed["username"], typed["password"], by=by, door="page")
    open_session(request, tokens.sign_in)
    return HttpResponseRedirect(_destination(request))


def _page(request: HttpRequest, form: Any, refused: Any = None) -> HttpResponse:
    limited = isinstance(refused, TooManyRequests)
    context = {"form": form, "next": _destination(request), "code_wanted": isinstance(form, CodeForm)}
    response = render(request, "identity/login.html", context, status=429 if limited else 200)
    if limited:
        response["Retry-After"] = refused.headers["Retry-After"]
    return response


@login_not_required  # whoever is signed out already has reached what they want
@never_cache
@require_POST
def logout(request: HttpRequest, extra_context: object = None) -> HttpResponse:
    """End the sign-in this browser carries."""
    if request.user.is_authenticated:
        sign_in: SignIn = request.credentials.sign_in  # type: ignore[attr-defined]
        services.sign_out(sign_in, by=Caller.of(request))
        request.session.flush()
    return redirect("accounts:login")
