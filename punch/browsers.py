"""A browser as a device: a signed cookie that works for its owner only."""

import re
import uuid

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from activity.callers import Caller
from config.errors import NotFound, invalid
from config.inputs import CONTROL
from identity.devices import register_device
from identity.models import Device, User

COOKIE, SALT, AGE = "punch_device", "punch.browsers", 400 * 86_400
BROWSERS = ("Edg", "OPR", "Firefox", "Chrome", "Safari")
SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")
SHOWN = {"Edg": "Edge", "OPR": "Opera", "Mac OS": "Mac"}
LONGEST_NAME = 100


def allowed() -> bool:
    return bool(settings.PUNCH_WEB_DEVICES)


def name_of(request: HttpRequest) -> str:
    """What to call this browser until its owner says otherwise: `Firefox on Android`."""
    agent = request.headers.get("User-Agent", "")
    browser = next((name for name in BROWSERS if name in agent), "Browser")
    system = next((name for name in SYSTEMS if re.search(name, agent)), "")
    told = SHOWN.get(browser, browser)
    return f"{told} on {SHOWN.get(system, system)}" if system else told


def register(owner: User, name: str, *, by: Caller) -> Device:
    """A new device for this browser."""
    if not allowed():
        raise NotFound
    wanted = name.strip()
    if not wanted or len(wanted) > LONGEST_NAME or CONTROL.search(wanted):
        raise invalid("body", "device_name", "Give the device a name of at most 100 characters.")
    return register_device(owner, f"web-{uuid.uuid4()}", wanted, by=by)


def remember(answer: HttpResponse, device: Device) -> HttpResponse:
    """Let the browser carry which device it is."""
    answer.set_cookie(
        COOKIE,
        signing.dumps([device.pk, device.user_id], salt=SALT),
        max_age=AGE,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
        path="/me/punch",
    )
    return answer


def device_of(request: HttpRequest, person: User) -> Device | None:
    """The device that this browser is, if it belongs to this person and is not revoked."""
    try:
        pk, owner = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    if owner != person.pk or not allowed():
        return None
    return Device.objects.of(person).active().filter(pk=pk).first()
