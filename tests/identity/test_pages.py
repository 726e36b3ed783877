"""The login page and the browser's session."""

import pytest
from django.test import Client, override_settings
from django.utils import timezone
from rest_framework.test import APIClient

from activity.callers import Caller
from activity.models import Entry
from identity import services
from identity.models import SignIn
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/login/"


def enter(client, username="alice", password=PASSWORD, **more):
    return client.post(LOGIN, {"username": username, "password": password, **more})


def test_the_page_asks_for_login_and_password(client):
    page = client.get(LOGIN)
    assert page.status_code == 200
    for name in ("username", "password", "csrfmiddlewaretoken"):
        assert f'name="{name}"' in page.text
    assert "no-store" in page["Cache-Control"]


def test_signing_in_opens_a_session_and_the_api_takes_it(client, alice):
    answer = enter(client)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.get("/auth/me").json()["id"] == alice.pk
    row = Entry.objects.get()
    assert (row.action, row.result, row.details["door"]) == ("sign_in", "success", "page")


@pytest.mark.parametrize(
    ("asked", "sent_to"),
    [
        ("/manage/activity/?page=2", "/manage/activity/?page=2"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("\\\\evil.example", "/"),
        ("http://testserver/x", "http://testserver/x"),
    ],
)
def test_after_signing_in_one_lands_on_this_site_only(client, alice, asked, sent_to):
    assert enter(client, next=asked)["Location"] == sent_to


@pytest.mark.parametrize(("username", "password"), [("alice", "wrong"), ("nobody", PASSWORD)])
def test_a_wrong_sign_in_says_the_same_whatever_was_wrong(client, alice, username, password):
    page = enter(client, username, password)
    assert page.status_code == 200
    assert "do not match an account" in page.text
    assert PASSWORD not in page.text
    assert not SignIn.objects.exists()


@override_settings(LOGIN_RATE_PER_MINUTE=1)
def test_too_many_attempts_are_said_politely(client, alice):
    enter(client, password="wrong")
    page = enter(client)
    assert (page.status_code, "Retry-After" in page) == (429, True)
    assert "Too many attempts" in page.text


def test_the_session_of_a_sign_in_that_ended_is_anonymous_at_once(client, alice, oscar):
    enter(client)
    services.end_sign_ins(alice, by=Caller(user=oscar))
    assert client.get("/auth/me").json() == {"detail": "Not authenticated"}
    assert "sign_in" not in client.session


def test_the_session_of_a_stopped_account_is_anonymous_at_once(client, alice, oscar):
    enter(client, "oscar")
    services.deactivate(oscar, by=Caller(user=alice))
    assert client.get("/auth/me").status_code == 401


def test_signing_in_again_starts_a_fresh_session(client, alice, oscar):
    client.get(LOGIN)
    enter(client)
    first = client.session.session_key
    enter(client, "oscar")
    assert client.session.session_key != first
    assert client.get("/auth/me").json()["id"] == oscar.pk


def test_signing_out_ends_the_sign_in_and_leaves_a_row(client, alice):
    enter(client)
    assert client.get("/accounts/logout/").status_code == 405
    assert client.post("/accounts/logout/")["Location"] == LOGIN
    assert client.get("/auth/me").status_code == 401
    assert SignIn.objects.get().end_reason == "signed_out"
    assert client.post("/accounts/logout/").status_code == 302
    rows = Entry.objects.order_by("sequence").values_list("action", "trace_id")
    assert [action for action, _ in rows] == ["sign_in", "sign_out"]
    assert len({trace for _, trace in rows}) == 1


def test_signing_out_by_the_api_ends_the_session_too(client, alice):
    enter(client)
    assert client.post("/auth/logout", {}, content_type="application/json").status_code == 204
    assert client.get("/auth/me").status_code == 401


def test_a_session_writes_only_with_the_csrf_header(alice):
    client = APIClient(enforce_csrf_checks=True)
    cookie = client.get(LOGIN).cookies["XSRF-TOKEN"]
    assert not cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    signed = {"username": "alice", "password": PASSWORD, "csrfmiddlewaretoken": cookie.value}
    assert client.post(LOGIN, signed, format="multipart").status_code == 302
    body = {"login": "zoe"}
    for header in ({}, {"HTTP_X_XSRF_TOKEN": "x" * 32}):
        refused = client.post("/api/v1/users/", body, **header)
        assert refused.status_code == 403
        assert refused.json()["detail"].startswith("CSRF")
    fresh = client.get("/auth/me").cookies["XSRF-TOKEN"].value
    assert client.post("/api/v1/users/", body, HTTP_X_XSRF_TOKEN=fresh).status_code == 200


def test_the_login_form_itself_needs_the_csrf_token(alice):
    client = Client(enforce_csrf_checks=True)
    assert enter(client).status_code == 403
    assert not Entry.objects.exists()


def test_a_session_cookie_names_the_trace_of_its_rows(client, alice):
    enter(client)
    client.post("/api/v1/users/", {"login": "zoe"}, content_type="application/json")
    assert Entry.objects.latest("sequence").trace_id == SignIn.objects.get().trace_id


def test_a_session_request_costs_three_queries_before_the_view(client, alice, django_assert_num_queries):
    enter(client)
    with django_assert_num_queries(3):  # session, sign-in with person, roles
        assert client.get("/auth/me").status_code == 200


def test_an_expired_sign_in_ends_the_session(client, alice):
    enter(client)
    SignIn.objects.update(expires_at=timezone.now())
    assert client.get("/auth/me").status_code == 401
