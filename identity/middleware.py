"""A browser session lives exactly as long as the sign-in it carries."""

from collections.abc import Callable

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from identity.authentication import by_session
from identity.models import User


def person_of(request: HttpRequest) -> User | AnonymousUser:
    """The person of this session, read when first asked for; leaves `credentials` and `sign_in_trace` behind."""
    credentials = by_session(request.session, timezone.now())
    if credentials is None:
        return AnonymousUser()
    request.credentials = credentials  # type: ignore[attr-defined]
    request.sign_in_trace = credentials.sign_in.trace_id  # type: ignore[attr-defined]
    return credentials.sign_in.user


class LiveSignIn:
    """Replaces Django's `request.user`: whose sign-in has ended is anonymous, in every process at once."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.user = SimpleLazyObject(lambda: person_of(request))  # type: ignore[assignment]
        return self.get_response(request)
