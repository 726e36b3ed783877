"""`/`: the operator home for browsers, a table of contents for everybody else."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse

from activity.views import home
from config import __version__

ENDPOINTS = {"health": "health", "ready": "ready", "docs": "docs", "redoc": "redoc", "openapi": "schema"}


@login_not_required  # scripts get a table of contents; the page itself asks for a sign-in
def index(request: HttpRequest) -> HttpResponse:
    if "text/html" in request.headers.get("Accept", ""):
        return home(request)
    endpoints = {name: reverse(url_name) for name, url_name in ENDPOINTS.items()}
    endpoints |= {"activity": "/api/v1/", "auth": "/auth/", "admin": reverse("admin:index")}
    return JsonResponse({"service": "waymark", "version": __version__, "endpoints": endpoints})
