"""`/`: the operator home for browsers, a table of contents for everybody else."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse

from activity.views import home
from config import __version__

ENDPOINTS = {
    "GET /health": "Whether Waymark is alive and its database answers",
    "GET /docs": "The API to try out; GET /redoc to read, GET /openapi.json for programs",
    "POST /auth/token": "Sign in (form: username, password)",
    "POST /visit": "Log a visit",
    "GET /stats": "Totals of visits",
    "GET /tracker.js": "The script by which a website reports its visits",
    "POST /api/v1/audit/": "Search the trail",
    "GET /api/v1/stats/current": "What goes on now",
    "POST /punch/validate": "Validate a QR code at a kiosk",
    "GET /kiosk/": "The kiosk's page",
    "GET /admin/": "Administration",
}


@login_not_required  # scripts get a table of contents; the page itself asks for a sign-in
def index(request: HttpRequest) -> HttpResponse:
    if "text/html" in request.headers.get("Accept", ""):
        return home(request)
    return JsonResponse({"service": "waymark", "version": __version__, "endpoints": ENDPOINTS})
