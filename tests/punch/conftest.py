"""Kiosks, devices and codes for the cast; throttles out of the way unless a test is about them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from django.test import Client
from rest_framework.test import APIClient

from activity.callers import Caller
from identity.devices import register_device
from identity.models import Device, User
from punch import services
from punch.models import Kiosk
from tests.factories import PASSWORD

SYSTEM = Caller.of_system("test")


@pytest.fixture(autouse=True)
def _no_throttles(settings) -> Iterator[None]:
    settings.PUNCH_THROTTLES = {name: [] for name in ("QR", "VALIDATE", "HEARTBEAT", "BAD_KEY")}
    return


@dataclass
class Booth:
    """A kiosk, its key, and a client that carries it."""

    kiosk: Kiosk
    key: str

    @property
    def client(self) -> APIClient:
        client = APIClient()
        client.credentials(HTTP_X_KIOSK_API_KEY=self.key)
        return client

    def scan(self, text: str, punch_type: str | None = "clock_in", **more):
        asked = {"qr_token": text, **more}
        if punch_type is not None:
            asked["punch_type"] = punch_type
        return self.client.post("/punch/validate", asked)


def booth(name: str = "Door", **values) -> Booth:
    access = values.pop("access_mode", None)
    kiosk = services.create_kiosk({"kiosk_name": name, "location": "Hall", **values}, by=SYSTEM)
    if access:
        kiosk = services.change_access_mode(kiosk.pk, access, by=SYSTEM)
    _kiosk, key = services.generate_key(kiosk.pk, by=SYSTEM)
    return Booth(kiosk, key.text)


def phone(owner: User, fingerprint: str | None = None) -> Device:
    return register_device(owner, fingerprint or f"phone-of-{owner.username}", "Phone", by=SYSTEM)


def code(device: Device) -> str:
    return services.issue_token(device.user, device.pk).text


@pytest.fixture
def door(db: None) -> Booth:
    """A kiosk whose screen says in or out."""
    return booth()


@pytest.fixture
def gate(db: None) -> Booth:
    """A kiosk in mode auto."""
    return booth("Gate", punch_mode="auto")


@pytest.fixture
def umas_phone(uma: User) -> Device:
    return phone(uma)


@pytest.fixture
def new_booth(db: None) -> Callable[..., Booth]:
    return booth


@pytest.fixture
def as_person(db: None) -> Callable[[User], Client]:
    """A browser in which this person is signed in."""

    def sign(person: User) -> Client:
        client = Client(headers={"Accept": "text/html"})
        client.post("/accounts/login/", {"username": person.username, "password": PASSWORD})
        assert client.session.get("sign_in"), "the login page let them in"
        return client

    return sign
