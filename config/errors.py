"""Refusals, and the one place where refusals, Django's and DRF's errors become an answer."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from rest_framework import exceptions
from rest_framework.response import Response

log = logging.getLogger("waymark.errors")


class Refusal(Exception):
    """A command says no. `status` and `detail` are the answer.

    `trailed` is the reason its `fail` row in the trail carries; None leaves no row.
    `headers` are added to the answer.
    """

    status = 400
    detail = "Bad Request"
    trailed: str | None = None

    def __init__(self, detail: str | None = None, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail or self.detail)
        self.detail = detail or self.detail
        self.headers = dict(headers or {})


class NotSignedIn(Refusal):
    """No credentials, or ones that have ended."""

    status, detail = 401, "Not authenticated"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class Forbidden(Refusal):
    """The caller's roles do not allow this act."""

    status, detail, trailed = 403, "forbidden", "permission_denied"


class NotFound(Refusal):
    status, detail = 404, "Not Found"


class TooManyRequests(Refusal):
    """A throttle or a lock; `retry_after` in whole seconds."""

    status = 429

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            f"Rate limit exceeded: retry in {retry_after} seconds", headers={"Retry-After": str(retry_after)}
        )


class Unavailable(Refusal):
    """What must be read or written cannot be reached now."""

    status, detail = 503, "Service temporarily unavailable"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"Retry-After": "2"})


class InvalidInput(Refusal):
    """A body or query whose fields are wrong; `errors` are `{"type", "loc", "msg", "input"?}`."""

    status, detail = 422, "Unprocessable Content"

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        self.errors = list(errors)


def invalid(loc: str, field: str, msg: str, kind: str = "value_error") -> InvalidInput:
    """One wrong field, found by a service."""
    return InvalidInput([{"type": kind, "loc": [loc, field], "msg": msg}])


def as_refusal(error: Exception) -> Refusal | None:
    """The refusal that an error of Django, DRF or the database stands for; None for a defect of ours."""
    match error:
        case Refusal():
            return error
        case exceptions.ParseError():
            return InvalidInput([{"type": "json_invalid", "loc": ["body"], "msg": "JSON decode error"}])
        case exceptions.NotAuthenticated():
            return NotSignedIn()
        case exceptions.AuthenticationFailed():
            return NotSignedIn(str(error.detail))
        case exceptions.PermissionDenied() | PermissionDenied():
            return Forbidden(str(error) if str(error).startswith("CSRF") else None)
        case Http404() | exceptions.NotFound():
            return NotFound()
        case exceptions.MethodNotAllowed():
            return _named(405, "Method Not Allowed")
        case exceptions.UnsupportedMediaType():
            return _named(415, "Unsupported Media Type")
        case exceptions.Throttled():
            return TooManyRequests(int(getattr(error, "wait", None) or 1))
        case exceptions.APIException():
            return _named(error.status_code, str(error.detail))
        case OperationalError() | InterfaceError():
            log.exception("The database cannot be reached")
            return Unavailable()
    return None


def _named(status: int, detail: str) -> Refusal:
    refusal = Refusal(detail)
    refusal.status = status
    return refusal


def detail_shape(refusal: Refusal, request: HttpRequest) -> dict[str, Any]:
    """The shape of the activity, traffic and punch dialects: `{"detail": str | [errors]}`."""
    return {"detail": refusal.errors if isinstance(refusal, InvalidInput) else refusal.detail}


Shape = Callable[[Refusal, HttpRequest], dict[str, Any]]


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler: one answer for every refusal; a view may promise another envelope by `error_shape`."""
    refusal = as_refusal(error)
    if refusal is None:
        return None
    view, request = context.get("view"), context["request"]
    headers = {**getattr(view, "allow_headers", {}), **refusal.headers}
    if refusal.status == 405 and view is not None:
        headers["Allow"] = ", ".join(view.allowed_methods)
    shape: Shape = getattr(view, "error_shape", None) or detail_shape
    response = Response(shape(refusal, request), status=refusal.status, headers=headers)
    response.exception = True
    return response


def _is_page(request: HttpRequest) -> bool:
    return "text/html" in request.headers.get("Accept", "")


def plain_answer(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """An answer outside of DRF: a page for a browser, the dialect's JSON for everybody else."""
    if _is_page(request):
        template = {403: "403.html", 404: "404.html"}.get(refusal.status, "error.html")
        context = {"status": refusal.status, "detail": refusal.detail}
        response: HttpResponse = render(request, template, context, status=refusal.status)
    else:
        response = JsonResponse(detail_shape(refusal, request), status=refusal.status)
    for name, value in refusal.headers.items():
        response[name] = value
    return response


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return plain_answer(request, NotFound())


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return plain_answer(request, Forbidden())


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return plain_answer(request, _named(400, "Bad Request"))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return plain_answer(request, Forbidden("CSRF token missing or incorrect"))


def server_error(request: HttpRequest) -> HttpResponse:
    """A defect of ours: says that it happened and under which id it stands in the log, nothing else."""
    request_id = getattr(request, "id", "")
    if _is_page(request):
        return render(request, "500.html", {"request_id": request_id}, status=500)
    return JsonResponse({"detail": "Internal Server Error", "request_id": request_id}, status=500)
