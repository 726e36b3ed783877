"""`/auth/…`: making an account, signing in, who am I, refreshing, signing out."""

import json

import pytest
from django.test import override_settings

from activity.models import Entry
from identity.models import SignIn, User
from tests.factories import PASSWORD, PersonFactory

pytestmark = pytest.mark.django_db
PREFIXES = ["/auth", "/api/auth"]


def token(api, username="uma", password=PASSWORD, prefix="/auth", **fields):
    return api.post(
        f"{prefix}/token", {"username": username, "password": password, **fields}, format="multipart"
    )


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_person_signs_in_asks_who_they_are_refreshes_and_signs_out(api, uma, prefix):
    answer = token(api, prefix=prefix)
    assert answer.status_code == 200, answer.content
    pair = answer.json()
    assert set(pair) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (pair["token_type"], pair["expires_in"]) == ("bearer", 3600)
    assert answer["Cache-Control"] == "no-store"

    api.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access_token']}")
    me = api.get(f"{prefix}/me")
    assert me.json() == {
        "id": uma.pk,
        "email": "uma@example.org",
        "role": "user",
        "created_at": uma.created_at.isoformat().replace("+00:00", "Z"),
    }
    renewed = api.post(f"{prefix}/refresh", {"refresh_token": pair["refresh_token"]})
    assert renewed.status_code == 200
    assert api.post(f"{prefix}/logout").status_code == 204
    assert api.get(f"{prefix}/me").json() == {"detail": "invalid_token"}
    last = api.post(f"{prefix}/refresh", {"refresh_token": renewed.json()["refresh_token"]})
    assert (last.status_code, last.json()) == (401, {"detail": "invalid_token"})
    assert [e.action for e in Entry.objects.order_by("sequence")] == ["sign_in", "sign_out"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "JWT", "jwt", "BEARER"])
def test_both_schemes_are_taken_in_any_case(api, uma, scheme):
    access = token(api).json()["access_token"]
    assert api.get("/auth/me", HTTP_AUTHORIZATION=f"{scheme} {access}").status_code == 200


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        (None, "Not authenticated"),
        ("Basic dW1hOnB3", "Not authenticated"),
        ("Token abc", "Not authenticated"),
        ("Bearer", "invalid_token"),
        ("Bearer abc", "invalid_token"),
        ("Bearer a.b.c", "invalid_token"),
        ("JWT a b", "invalid_token"),
        ("Bearer " + "x" * 9000, "invalid_token"),
        ("Bearer é.é.é", "invalid_token"),
    ],
)
def test_a_request_without_a_good_token_is_told_so(api, db, header, detail):
    answer = api.get("/auth/me", **({"HTTP_AUTHORIZATION": header} if header else {}))
    assert (answer.status_code, answer.json()) == (401, {"detail": detail})
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("name", ["uma", "UMA", "uma@example.org", "Uma@Example.ORG"])
def test_login_and_e_mail_both_name_a_person_in_any_case(api, uma, name):
    assert token(api, name).status_code == 200


def test_a_form_is_taken_urlencoded_too_and_oauth_fields_are_ignored(api, uma):
    answer = api.post(
        "/auth/token",
        f"grant_type=password&username=uma&password={PASSWORD}&scope=&client_id=x&client_secret=y",
        content_type="application/x-www-form-urlencoded",
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("username", "password", "reason", "known"),
    [
        ("uma", "wrong", "bad_password", True),
        ("nobody", PASSWORD, "unknown_user", False),
        ("stopped", PASSWORD, "deactivated", True),
        ("generated", "x", "bad_password", True),
    ],
)
def test_refused_sign_ins_look_alike_and_the_trail_tells_them_apart(
    api, uma, username, password, reason, known
):
    PersonFactory(username="stopped", is_active=False)
    User.objects.create(username="generated")
    answer = token(api, username, password)
    assert (answer.status_code, answer.json()) == (401, {"detail": "invalid_credentials"})
    row = Entry.objects.get()
    assert (row.action, row.result, row.reason, row.user_login) == ("sign_in", "fail", reason, username)
    assert (row.user_id is not None, row.source_admin, row.source_ip) == (known, None, "127.0.0.1")
    assert PASSWORD not in json.dumps(row.details)
    assert not SignIn.objects.exists()


def test_a_sign_in_is_one_row_under_its_own_trace(api, uma):
    token(api)
    row = Entry.objects.get()
    assert (row.result, row.user_id, row.category) == ("success", str(uma.uuid), "autorisation")
    assert row.trace_id == SignIn.objects.get().trace_id
    assert row.details["door"] == "auth"


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({}, ["body", "username"]),
        ({"username": "uma"}, ["body", "password"]),
        ({"username": "u" * 255, "password": "x"}, ["body", "username"]),
        ({"username": "uma", "password": "x" * 129}, ["body", "password"]),
        ({"username": "uma\x00", "password": "x"}, ["body", "username"]),
        ({"username": "uma", "password": "x", "grant_type": "client_credentials"}, ["body", "grant_type"]),
    ],
)
def test_a_form_that_is_wrong_names_the_field_and_is_no_attempt(api, uma, fields, where):
    answer = api.post("/auth/token", fields, format="multipart")
    assert answer.status_code == 422
    error = answer.json()["detail"][0]
    assert error["loc"] == where
    if where[1] == "password":
        assert "input" not in error
    assert not Entry.objects.exists()


def test_a_json_body_is_no_form(api, uma):
    answer = api.post("/auth/token", {"username": "uma", "password": PASSWORD}, format="json")
    assert answer.status_code == 422
    assert {tuple(e["loc"]) for e in answer.json()["detail"]} == {("body", "username"), ("body", "password")}


def test_registering_makes_an_ordinary_account_that_can_sign_in(api, db):
    answer = api.post("/auth/register", {"email": "Zoe@EXAMPLE.org", "password": "Passw0rd!"})
    assert answer.status_code == 201, answer.content
    assert set(answer.json()) == {"id", "email", "role", "created_at"}
    assert (answer.json()["email"], answer.json()["role"]) == ("Zoe@example.org", "user")
    assert token(api, "zoe@example.org", "Passw0rd!").status_code == 200
    row = Entry.objects.get(action="create_user")
    assert (row.user_login, row.source_admin, row.result) == ("Zoe@example.org", None, "success")


@pytest.mark.parametrize("email", ["uma@example.org", "UMA@example.ORG"])
def test_an_address_registers_once(api, uma, email):
    answer = api.post("/auth/register", {"email": email, "password": "Passw0rd!"})
    assert (answer.status_code, answer.json()) == (400, {"detail": "email_already_registered"})
    assert not Entry.objects.exists()


@override_settings(ALLOW_REGISTRATION=False)
def test_registration_can_be_closed(api, db):
    answer = api.post("/auth/register", {"email": "zoe@example.org", "password": "Passw0rd!"})
    assert (answer.status_code, answer.json()) == (403, {"detail": "registration_disabled"})


def test_a_long_address_registers(api, db):
    address = f"{'a' * 60}@{'b' * 60}.{'c' * 60}.example.org"
    assert api.post("/auth/register", {"email": address, "password": "Passw0rd!"}).status_code == 201
    assert token(api, address, "Passw0rd!").status_code == 200


@pytest.mark.parametrize(
    ("body", "where", "kind"),
    [
        ({}, ["body", "email"], "missing"),
        ({"email": "zoe@example.org"}, ["body", "password"], "missing"),
        ({"email": "zoe", "password": "Passw0rd!"}, ["body", "email"], "value_error"),
        ({"email": "zoe@", "password": "Passw0rd!"}, ["body", "email"], "value_error"),
        ({"email": "", "password": "Passw0rd!"}, ["body", "email"], "string_too_short"),
        ({"email": 5, "password": "Passw0rd!"}, ["body", "email"], "string_type"),
        ({"email": None, "password": "Passw0rd!"}, ["body", "email"], "string_type"),
        ({"email": "z\x07@example.org", "password": "Passw0rd!"}, ["body", "email"], "value_error"),
        ({"email": f"z@{'x.' * 130}org", "password": "Passw0rd!"}, ["body", "email"], "string_too_long"),
        (
            {"email": f"z@{chr(0xFDFA) * 60}.org", "password": "Passw0rd!"},
            ["body", "email"],
            "string_too_long",
        ),
        ({"email": "zoe@example.org", "password": "pass1234"}, ["body", "password"], "value_error"),
        ({"email": "zoe@example.org", "password": "short"}, ["body", "password"], "value_error"),
        ({"email": "zoe@example.org", "password": "zoe@example.org"}, ["body", "password"], "value_error"),
        ({"email": "zoe@example.org", "password": "x" * 129}, ["body", "password"], "string_too_long"),
        ([], ["body"], "dict_type"),
        ("text", ["body"], "dict_type"),
    ],
)
def test_a_bad_registration_names_the_field(api, db, body, where, kind):
    answer = api.post("/auth/register", body, format="json")
    assert answer.status_code == 422, answer.content
    error = answer.json()["detail"][0]
    assert (error["loc"], error["type"]) == (where, kind)
    assert not User.objects.exists()


@pytest.mark.parametrize("path", ["/auth/register", "/auth/refresh"])
@pytest.mark.parametrize(
    ("raw", "content_type", "status"),
    [
        (b"{", "application/json", 422),
        (b"", "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b'{"email": "\\ud800"}', "application/json", 422),
        (b"[" * 5000, "application/json", 422),
        (b"a=b", "application/x-www-form-urlencoded", 422),
        (b"x", "text/plain", 422),
        (b" " * 70_000, "application/json", 413),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(api, db, path, raw, content_type, status):
    answer = api.generic("POST", path, raw, content_type=content_type)
    assert answer.status_code == status
    if status == 422:
        assert answer.json()["detail"][0]["loc"][0] == "body"


@pytest.mark.parametrize(
    ("path", "verb"),
    [("token", "get"), ("register", "put"), ("me", "post"), ("refresh", "delete"), ("logout", "get")],
)
def test_a_wrong_verb_is_405(api, db, path, verb):
    answer = getattr(api, verb)(f"/auth/{path}/")
    assert (answer.status_code, answer.json()) == (405, {"detail": "Method Not Allowed"})


def test_an_ended_token_in_the_header_does_not_close_the_refresh_door(api, uma):
    pair = token(api).json()
    api.credentials(HTTP_AUTHORIZATION="Bearer a.b.c")
    assert api.post("/auth/refresh", {"refresh_token": pair["refresh_token"]}).status_code == 200


def test_signing_out_ends_the_sign_in_of_the_refresh_token_sent_along_if_it_is_ones_own(api, uma, alice):
    mine, other, foreign = token(api).json(), token(api).json(), token(api, "alice").json()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {mine['access_token']}")
    assert api.post("/auth/logout", {"refresh_token": other["refresh_token"]}).status_code == 204
    assert api.get("/auth/me", HTTP_AUTHORIZATION=f"Bearer {other['access_token']}").status_code == 401
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {foreign['access_token']}")
    assert api.post("/auth/logout", {"refresh_token": mine["refresh_token"]}).status_code == 204
    assert SignIn.objects.filter(ended_at__isnull=True).count() == 0


def test_the_role_shown_is_the_strongest_of_three(signed_in, alice, mona, oscar):
    assert [signed_in(p).get("/auth/me").json()["role"] for p in (alice, mona, oscar)] == [
        "admin",
        "manager",
        "user",
    ]


def test_an_account_without_an_address_shows_an_empty_one(signed_in, db):
    assert signed_in(PersonFactory(email=None)).get("/auth/me").json()["email"] == ""


def test_who_am_i_costs_two_queries(signed_in, uma, django_assert_num_queries):
    client = signed_in(uma)
    with django_assert_num_queries(2):
        client.get("/auth/me")
