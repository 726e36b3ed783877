"""Who asks, and from where (contract README 2: client address)."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory

from activity.callers import Caller, client_address, normal_address


def request_from(address, forwarded=None, **headers):
    if forwarded is not None:
        headers["HTTP_X_FORWARDED_FOR"] = forwarded
    return RequestFactory().get("/", REMOTE_ADDR=address, **headers)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7 ", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:0DB8:0000::0001", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("203.0.113.007", None),
        ("somewhere", None),
        ("", None),
        (None, None),
    ],
)
def test_an_address_is_stored_in_its_shortest_form(written, stored):
    assert normal_address(written) == stored


def test_the_address_is_the_sockets_unless_a_trusted_proxy_speaks(settings):
    settings.TRUSTED_PROXIES = []
    assert client_address(request_from("192.0.2.1", "203.0.113.7")) == "192.0.2.1"
    settings.TRUSTED_PROXIES = ["192.0.2.0/24"]
    assert client_address(request_from("192.0.2.1", "203.0.113.7")) == "203.0.113.7"
    assert client_address(request_from("198.51.100.1", "203.0.113.7")) == "198.51.100.1"


def test_behind_proxies_the_last_hop_that_is_none_of_them_counts(settings):
    settings.TRUSTED_PROXIES = ["192.0.2.0/24", "10.0.0.0/8"]
    assert client_address(request_from("192.0.2.1", "1.2.3.4, 203.0.113.7, 10.1.1.1")) == "203.0.113.7"
    assert client_address(request_from("192.0.2.1", "nonsense")) == "192.0.2.1"
    assert client_address(request_from("192.0.2.1")) == "192.0.2.1"


def test_a_caller_carries_the_trace_of_the_sign_in_where_it_is_known():
    request = request_from("192.0.2.1", HTTP_USER_AGENT="Firefox")
    request.user, request.id = AnonymousUser(), "request-7"
    caller = Caller.of(request)
    assert (caller.user, caller.login, caller.agent, caller.trace_id) == (
        None,
        "guest",
        "Firefox",
        "request-7",
    )
    request.sign_in_trace = "trace-of-the-sign-in"
    assert Caller.of(request).trace_id == "trace-of-the-sign-in"


def test_a_request_without_an_id_still_has_a_trace():
    assert len(Caller.of(request_from("192.0.2.1")).trace_id) == 32


def test_a_part_of_the_system_calls_under_its_own_name():
    caller = Caller.of_system("init-system")
    assert (caller.login, caller.ip, caller.user) == ("init-system", "127.0.0.1", None)
    assert caller.trace_id != Caller.of_system().trace_id
