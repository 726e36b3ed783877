"""What Traffic Tracker's own paths promise to other origins and to cookies."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

Next = Callable[[HttpRequest], HttpResponse]
ANY_ORIGIN = frozenset({"/visit", "/visit/"})
COOKIELESS = ANY_ORIGIN | {"/stats", "/stats/", "/health", "/health/"}


class OpenDoor:
    """`/visit` answers every origin and never with credentials; the dialect neither reads nor sets a cookie.

    `traffic.ingest` says the same under ASGI, where its requests do not come this way.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        json_root = request.path == "/" and "text/html" not in request.headers.get("Accept", "")
        if request.path in COOKIELESS or json_root:
            request.META.pop("HTTP_COOKIE", None)
        if request.path not in ANY_ORIGIN:
            return self.get_response(request)
        if request.method == "OPTIONS":
            return self._open(self._preflight())
        return self._open(self.get_response(request))

    def _preflight(self) -> HttpResponse:
        response = HttpResponse(status=204)
        response["Allow"] = "POST, OPTIONS"
        response["Access-Control-Allow-Methods"] = "POST"
        response["Access-Control-Allow-Headers"] = "content-type"
        response["Access-Control-Max-Age"] = "86400"
        return response

    def _open(self, response: HttpResponse) -> HttpResponse:
        response["Access-Control-Allow-Origin"] = "*"
        for name in ("Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"):
            if name in response:
                del response[name]
        return response
