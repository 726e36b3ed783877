"""What every request passes through: an id, the common headers, CORS, the size limit, both slash spellings."""

import logging
import re
import time
import uuid
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.urls import is_valid_path
from django.utils.cache import patch_vary_headers

from config.errors import Refusal, plain_answer
from config.logs import current_request_id

access_log = logging.getLogger("waymark.access")
SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
Next = Callable[[HttpRequest], HttpResponse]


class RequestIds:
    """Each request has an id: the caller's if it is sane, else a new one. It is in the answer and in the logs."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        asked = request.headers.get("X-Request-ID", "")
        request.id = asked if SANE_ID.match(asked) else uuid.uuid4().hex  # type: ignore[attr-defined]
        token = current_request_id.set(request.id)  # type: ignore[attr-defined]
        started = time.perf_counter()
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = request.id  # type: ignore[attr-defined]
            milliseconds = (time.perf_counter() - started) * 1000
            access_log.info(
                "%s %s %s %.1f ms", request.method, request.path, response.status_code, milliseconds
            )
            return response
        finally:
            current_request_id.reset(token)


class SecurityHeaders:
    """No sniffing, no framing, no foreign scripts; the API readers need room for their generated styles."""

    base = (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    )
    docs = base + "; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; font-src 'self' data:"
    docs_paths = ("/docs", "/redoc")

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        browsable = getattr(getattr(response, "accepted_renderer", None), "format", "") == "api"
        policy = self.docs if browsable or request.path.startswith(self.docs_paths) else self.base
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("X-Frame-Options", "DENY")
        response.headers.setdefault("Referrer-Policy", settings.SECURE_REFERRER_POLICY)
        response.headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
        return response


class CrossOrigin:
    """CORS for the origins named in ALLOWED_ORIGINS (Fetch standard); all others get no CORS header."""

    exposed = "X-Total-Count, X-Request-ID, Retry-After, X-Last-Sequence, ETag"

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        origin = request.headers.get("Origin", "")
        preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        allowed = origin in settings.ALLOWED_ORIGINS or "*" in settings.ALLOWED_ORIGINS
        response = HttpResponse(status=204) if preflight and allowed else self.get_response(request)
        patch_vary_headers(response, ["Origin"])
        if origin and allowed:
            self._allow(response, origin, preflight)
        return response

    def _allow(self, response: HttpResponse, origin: str, preflight: bool) -> None:
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Expose-Headers"] = self.exposed
        if settings.ALLOW_CREDENTIALS and origin in settings.ALLOWED_ORIGINS:
            response["Access-Control-Allow-Credentials"] = "true"
        if preflight:
            response["Access-Control-Allow-Methods"] = ", ".join(settings.ALLOWED_METHODS)
            response["Access-Control-Allow-Headers"] = ", ".join(settings.ALLOWED_HEADERS)
            response["Access-Control-Max-Age"] = "600"


class TooLarge(Refusal):
    status, detail = 413, "Request body too large"


class BodyLimit:
    """A body over the limit of its path is refused before a byte of it is read."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        limit = next(size for prefix, size in settings.BODY_LIMITS if request.path.startswith(prefix))
        if _content_length(request) > limit:
            return plain_answer(request, TooLarge())
        return self.get_response(request)


def _content_length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


class BothSpellings:
    """A path answers with and without its trailing slash, without a redirect."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if not is_valid_path(path):
            other = path[:-1] if path.endswith("/") else f"{path}/"
            if is_valid_path(other):
                request.path_info = other
        return self.get_response(request)


class CsrfCookie:
    """Whoever is signed in by a session gets the CSRF cookie with every answer, so that scripts can send it."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.COOKIES.get(settings.SESSION_COOKIE_NAME):
            get_token(request)
        return self.get_response(request)
