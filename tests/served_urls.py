"""Slow, large and endless answers, on which the server can be watched, before the site's own addresses."""

import os
import time
from collections.abc import Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

import config.urls


def worker(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(os.getpid()))


def slow(request: HttpRequest) -> HttpResponse:
    (settings.VAR_DIR / "slow-began").touch()
    time.sleep(float(request.GET["seconds"]))
    return HttpResponse("done")


@csrf_exempt
def measure(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"length": len(request.body), "spoofed": request.META.get("HTTP_X_FORWARDED_FOR")})


def endless(request: HttpRequest) -> StreamingHttpResponse:
    def chunks() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 65_536
        finally:
            (settings.VAR_DIR / "endless-ended").touch()

    return StreamingHttpResponse(chunks())


def counted(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(b"y" * 1000 for _ in range(300))


urlpatterns = [
    path("test/worker", worker),
    path("test/slow", slow),
    path("test/measure", measure),
    path("test/endless", endless),
    path("test/counted", counted),
    *config.urls.urlpatterns,
]
