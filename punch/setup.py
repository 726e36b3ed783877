"""What a new kiosk is told: where the API is, which kiosk it is, and its key."""

import json

from django.conf import settings
from django.http import HttpRequest

from punch.hours import CLOCK_IN
from punch.models import Kiosk


def api_url(request: HttpRequest) -> str:
    """API_URL, or the address under which this request came."""
    return settings.API_URL or request.build_absolute_uri("/").rstrip("/")


def code_text(kiosk: Kiosk, key: str, url: str) -> str:
    """The text of the set-up QR code, as kiosks of this dialect read it."""
    told = {
        "apiBaseUrl": url,
        "kioskId": kiosk.pk,
        "kioskApiKey": key,
        "kioskName": kiosk.kiosk_name,
        "location": kiosk.location,
        "punchType": CLOCK_IN,
    }
    return json.dumps(told, ensure_ascii=False)
