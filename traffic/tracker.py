"""`/tracker.js`: what a website includes to report its visits."""

import hashlib
from functools import cache
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import condition, require_safe

SOURCE = Path(settings.BASE_DIR) / "config" / "static" / "tracker.src.js"


@cache
def script() -> str:
    """The source without its comments and indentation, which is what makes it small enough."""
    lines = (line.strip() for line in SOURCE.read_text("utf-8").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//")) + "\n"


def etag(request: HttpRequest) -> str:
    """Changes with the script."""
    return f'"{hashlib.sha256(script().encode()).hexdigest()[:32]}"'


@login_not_required
@require_safe
@condition(etag_func=etag)
def tracker(request: HttpRequest) -> HttpResponse:
    """The script, for any site."""
    response = HttpResponse(script(), content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = "public, max-age=86400"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response
