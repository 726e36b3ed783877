"""`/api/v1/users/…`: people in the words of KitsuTrail, and the rules about accounts."""

import pytest

from activity.callers import Caller
from activity.models import Entry
from identity import services
from identity.models import SignIn, User
from identity.services import open_sign_in
from identity.services.people import LastAdministrator, LoginTaken
from tests.factories import PASSWORD, PersonFactory
from tests.identity.together import together

USERS = "/api/v1/users/"


@pytest.fixture
def admin(alice, signed_in):
    return signed_in(alice)


def only_row():
    return Entry.objects.get()


@pytest.mark.django_db
def test_a_person_has_exactly_six_keys(admin, uma):
    assert admin.get(f"{USERS}{uma.uuid}").json() == {
        "login": "uma",
        "firstname": "Uma",
        "lastname": "Noir",
        "email": "uma@example.org",
        "id": str(uma.uuid),
        "created_at": uma.created_at.isoformat().replace("+00:00", "Z"),
    }


@pytest.mark.django_db
def test_people_are_listed_by_creation_in_windows_with_their_total(admin, alice):
    people = [alice, *PersonFactory.create_batch(4)]
    answer = admin.get(USERS, {"offset": 1, "limit": 2})
    assert [p["login"] for p in answer.json()] == [p.username for p in people[1:3]]
    assert answer["X-Total-Count"] == "5"
    assert admin.get(USERS, {"offset": 99}).json() == []
    assert len(admin.get(USERS, {"unknown": "parameter"}).json()) == 5


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=a", "limit=1.5", "offset=-1", "offset=99999999999"]
)
def test_a_window_outside_its_bounds_names_the_field(admin, query):
    answer = admin.get(f"{USERS}?{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", query.split("=")[0]]


@pytest.mark.django_db
def test_the_number_of_queries_does_not_grow_with_the_people(admin, django_assert_num_queries):
    for _ in range(2):
        PersonFactory.create_batch(20)
        with django_assert_num_queries(4):
            admin.get(USERS)


@pytest.mark.django_db
@pytest.mark.parametrize("login", ["uma", "UMA"])
def test_a_person_is_found_by_the_whole_login_in_any_case(admin, uma, login):
    assert admin.get(f"{USERS}login/{login}").json()["id"] == str(uma.uuid)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    [
        "login/um",
        "login/nobody",
        "login/foo/",
        "5",
        "x",
        "00000000-0000-4000-8000-000000000000",
        "%00",
        "login/%00",
    ],
)
@pytest.mark.parametrize("slash", ["", "/"])
def test_nobody_is_found_by_what_names_nobody(admin, uma, path, slash):
    answer = admin.get(f"{USERS}{path.rstrip('/')}{slash}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "User not found"})


@pytest.mark.django_db
def test_making_a_person_answers_200_and_leaves_one_row(admin, alice):
    answer = admin.post(
        USERS, {"login": "Zoe.B", "firstname": "Zoé", "lastname": None, "email": "Zoe@EXAMPLE.org"}
    )
    assert answer.status_code == 200, answer.content
    made = User.objects.get(uuid=answer.json()["id"])
    assert answer.json() == {
        "login": "Zoe.B",
        "firstname": "Zoé",
        "lastname": None,
        "email": "Zoe@example.org",
        "id": str(made.uuid),
        "created_at": answer.json()["created_at"],
    }
    assert (made.roles, made.has_usable_password(), made.full_name) == (["user"], False, "Zoé")
    row = only_row()
    assert (row.domain, row.category, row.action, row.result) == (
        "identity",
        "management",
        "create_user",
        "success",
    )
    assert (row.user_id, row.user_login, row.source_admin) == (str(made.uuid), "Zoe.B", "alice")
    assert (row.object_type, row.object_id) == ("user", str(made.uuid))
    assert "Zoé" not in str(row.details)


@pytest.mark.django_db
def test_an_empty_address_is_none_and_many_may_have_none(admin):
    for login in ("one", "two"):
        assert admin.post(USERS, {"login": login, "email": ""}).json()["email"] is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"login": "UMA"}, "Login already taken"),
        ({"login": "zoe", "email": "UMA@Example.org"}, "Email already taken"),
        ({"login": "uma", "email": "uma@example.org"}, "Login already taken"),
        ({"login": "email_key"}, None),
    ],
)
def test_login_and_address_are_unique_in_any_case(admin, uma, body, detail):
    answer = admin.post(USERS, body)
    if detail is None:
        assert answer.status_code == 200
        assert admin.post(USERS, body).json() == {"detail": "Login already taken"}
        return
    assert (answer.status_code, answer.json()) == (409, {"detail": detail})
    assert not Entry.objects.exists()


BAD = [
    ({}, "login", "missing"),
    ({"login": None}, "login", "string_type"),
    ({"login": ""}, "login", "string_too_short"),
    ({"login": "a b"}, "login", "value_error"),
    ({"login": "a/b"}, "login", "value_error"),
    ({"login": "a\n"}, "login", "value_error"),
    ({"login": "a" * 151}, "login", "string_too_long"),
    ({"login": chr(0xFDFA) * 100}, "login", "string_too_long"),
    ({"login": 5}, "login", "string_type"),
    ({"login": True}, "login", "string_type"),
    ({"login": ["a"]}, "login", "string_type"),
    ({"login": "a\x00"}, "login", "value_error"),
    ({"login": "a", "firstname": "x" * 151}, "firstname", "string_too_long"),
    ({"login": "a", "lastname": 5}, "lastname", "string_type"),
    ({"login": "a", "lastname": "\x00"}, "lastname", "value_error"),
    ({"login": "a", "email": "x"}, "email", "value_error"),
    ({"login": "a", "email": f"{'x' * 250}@example.org"}, "email", "string_too_long"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("body", "field", "kind"), BAD)
def test_a_bad_person_names_the_field_and_leaves_no_row(admin, body, field, kind):
    answer = admin.post(USERS, body)
    assert answer.status_code == 422, answer.content
    error = answer.json()["detail"][0]
    assert (error["loc"], error["type"]) == (["body", field], kind) or kind in {
        e["type"] for e in answer.json()["detail"]
    }
    assert not Entry.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("raw", "kind", "status"),
    [
        (b"{", "application/json", 422),
        (b"", "application/json", 422),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b'{"login": "\\ud800"}', "application/json", 422),
        (b"login=a", "application/x-www-form-urlencoded", 415),
        (b"x" * 1_048_577, "application/json", 413),
    ],
)
def test_a_body_that_is_no_object_is_refused(admin, raw, kind, status):
    answer = admin.generic("POST", USERS, raw, content_type=kind)
    assert answer.status_code == status
    assert not Entry.objects.exists()


@pytest.mark.django_db
def test_only_the_fields_sent_change(admin, uma):
    answer = admin.patch(f"{USERS}{uma.uuid}", {"firstname": "Ursula"})
    assert answer.status_code == 200
    assert (answer.json()["firstname"], answer.json()["lastname"]) == ("Ursula", "Noir")
    uma.refresh_from_db()
    assert uma.full_name == "Ursula Noir"
    row = only_row()
    assert (row.action, row.details["fields"], row.source_admin) == ("update_user", ["first_name"], "alice")


@pytest.mark.django_db
def test_a_full_name_of_its_own_stays(admin, uma):
    uma.full_name = "Dr. U. Noir"
    uma.save()
    admin.patch(f"{USERS}{uma.uuid}", {"firstname": "Ursula"})
    uma.refresh_from_db()
    assert uma.full_name == "Dr. U. Noir"


@pytest.mark.django_db
def test_an_empty_change_changes_nothing_and_leaves_no_row(admin, uma):
    assert admin.patch(f"{USERS}{uma.uuid}", {}).json()["login"] == "uma"
    assert admin.patch(f"{USERS}{uma.uuid}", {"unknown": 1}).status_code == 200
    assert not Entry.objects.exists()


@pytest.mark.django_db
def test_emptying_names_and_address(admin, uma):
    answer = admin.patch(f"{USERS}{uma.uuid}", {"firstname": "", "lastname": None, "email": ""}).json()
    assert (answer["firstname"], answer["lastname"], answer["email"]) == (None, None, None)


@pytest.mark.django_db
def test_a_new_case_of_ones_own_login_is_free(admin, uma):
    assert admin.patch(f"{USERS}{uma.uuid}", {"login": "Uma"}).json()["login"] == "Uma"
    assert only_row().details["login_before"] == "uma"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "status", "detail"),
    [
        ({"login": "ALICE"}, 409, "Cannot redefine field, login already taken"),
        ({"email": "alice@EXAMPLE.org"}, 409, "Email already taken"),
    ],
)
def test_a_change_cannot_take_what_another_has(admin, uma, change, status, detail):
    answer = admin.patch(f"{USERS}{uma.uuid}", change)
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})
    assert not Entry.objects.exists()
    uma.refresh_from_db()
    assert uma.username == "uma"


@pytest.mark.django_db
@pytest.mark.parametrize("change", [{"login": None}, {"login": ""}, {"email": "x"}, {"firstname": 5}])
def test_a_bad_change_is_refused(admin, uma, change):
    assert admin.patch(f"{USERS}{uma.uuid}", change).status_code == 422
    assert not Entry.objects.exists()


@pytest.mark.django_db
def test_a_retired_person_leaves_lists_and_look_ups_and_frees_login_and_address(admin, uma):
    token = open_sign_in(uma)
    assert admin.delete(f"{USERS}{uma.uuid}").json() == {"deleted": True}
    row = only_row()
    assert (row.action, row.user_id, row.user_login, row.source_admin) == (
        "delete_user",
        str(uma.uuid),
        "uma",
        "alice",
    )
    for path in (f"{uma.uuid}", "login/uma", f"login/deleted-{uma.uuid}"):
        assert admin.get(USERS + path).status_code == 404
    assert [p["login"] for p in admin.get(USERS).json()] == ["alice"]
    admin.credentials(HTTP_AUTHORIZATION=f"Bearer {token.access}")
    assert admin.get("/auth/me").json() == {"detail": "user_not_found"}
    again = services.create_user("uma", email="uma@example.org", by=Caller.of_system())
    assert again.uuid != uma.uuid
    with pytest.raises(services.InvalidCredentials):
        services.sign_in(f"deleted-{uma.uuid}", PASSWORD, by=Caller(), door="auth")


@pytest.mark.django_db
def test_nobody_retires_themselves_or_a_person_twice(admin, alice, uma):
    answer = admin.delete(f"{USERS}{alice.uuid}")
    assert (answer.status_code, answer.json()) == (409, {"detail": "Cannot delete your own account"})
    admin.delete(f"{USERS}{uma.uuid}")
    assert admin.delete(f"{USERS}{uma.uuid}").status_code == 404
    assert Entry.objects.count() == 1


@pytest.mark.django_db
def test_the_last_administrator_stays(alice, uma):
    by = Caller.of_system()
    for act, detail in [
        (lambda: services.retire_user(alice, by=by), "Cannot delete the last administrator"),
        (lambda: services.set_roles(alice, ["user"], by=by), "Cannot remove the last administrator"),
        (lambda: services.deactivate(alice, by=by), "Cannot deactivate the last administrator"),
    ]:
        with pytest.raises(LastAdministrator, match=detail):
            act()
    PersonFactory(roles=["admin"], is_active=False)
    with pytest.raises(LastAdministrator):
        services.retire_user(alice, by=by)
    services.set_roles(uma, ["user", "admin"], by=by)
    services.retire_user(alice, by=by)


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["oscar", "audrey"])
def test_other_readers_read_and_their_refused_writes_leave_a_row(request, signed_in, uma, role):
    person = request.getfixturevalue(role)
    client = signed_in(person)
    assert client.get(USERS).status_code == 200
    calls = [
        ("create_user", client.post, USERS),
        ("update_user", client.patch, f"{USERS}{uma.uuid}"),
        ("delete_user", client.delete, f"{USERS}{uma.uuid}"),
    ]
    for action, call, path in calls:
        assert call(path).json() == {"detail": "forbidden"}
        row = Entry.objects.latest("sequence")
        assert (row.action, row.result, row.reason) == (action, "fail", "permission_denied")
        assert (row.user_id, row.user_login, row.source_admin) == (str(person.uuid), person.username, None)
        assert row.trace_id == SignIn.objects.get(user=person).trace_id
    assert Entry.objects.count() == 3


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["uma", "mona"])
def test_others_may_not_even_read(request, signed_in, role):
    client = signed_in(request.getfixturevalue(role))
    assert client.get(USERS).json() == {"detail": "forbidden"}
    assert not Entry.objects.exists()


@pytest.mark.django_db
def test_without_credentials_every_call_is_401(api, uma):
    for call in (api.get, api.post, api.patch, api.delete):
        for path in (USERS, f"{USERS}{uma.uuid}", f"{USERS}login/uma"):
            assert call(path).status_code in (401, 405)
    assert not Entry.objects.exists()


@pytest.mark.django_db
def test_roles_change_once_and_the_row_says_from_what_to_what(alice, uma):
    by = Caller(user=alice)
    assert services.set_roles(uma, ["manager", "user"], by=by).roles == ["manager", "user"]
    services.set_roles(uma, ["user", "manager"], by=by)
    row = only_row()
    assert (row.action, row.details["old"], row.details["new"]) == (
        "change_roles",
        ["user"],
        ["manager", "user"],
    )


@pytest.mark.django_db
def test_a_new_password_ends_every_sign_in(alice, uma):
    token = open_sign_in(uma)
    services.set_password(uma, "a new one entirely", by=Caller(user=alice))
    assert not SignIn.objects.live(token.sign_in.created_at).exists()
    assert services.sign_in("uma", "a new one entirely", by=Caller(), door="auth")


@pytest.mark.django_db
def test_stopping_letting_back_and_unlocking_are_one_row_each_and_none_when_nothing_changes(alice, uma):
    by = Caller(user=alice)
    services.locks.count_failure(
        services.locks.password_key(uma, ""), uma.created_at, services.locks.password_rule()
    )
    for act in (services.deactivate, services.activate, services.unlock):
        act(uma, by=by)
        act(uma, by=by)
    rows = Entry.objects.order_by("sequence").values_list("action", flat=True)
    assert list(rows) == ["deactivate_user", "activate_user", "unlock_user"]


@pytest.mark.django_db
def test_signing_out_everywhere_else_keeps_one_sign_in(uma):
    kept, *_ = [open_sign_in(uma) for _ in range(3)]
    assert services.end_sign_ins(uma, by=Caller(user=uma), except_=kept.sign_in) == 2
    assert list(SignIn.objects.filter(ended_at__isnull=True)) == [kept.sign_in]
    assert services.end_sign_ins(uma, by=Caller(user=uma), except_=kept.sign_in) == 0
    assert only_row().action == "sign_out"


@pytest.mark.django_db(transaction=True)
def test_parallel_creations_of_one_login_make_one_account(alice):
    by = Caller(user=alice)
    results = together(*[lambda: services.create_user("zoe", by=by)] * 8)
    assert sorted(type(r).__name__ for r in results) == ["LoginTaken"] * 7 + ["User"]
    assert Entry.objects.filter(action="create_user").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_change_to_a_login_just_taken_is_refused(alice, uma, mona):
    by = Caller(user=alice)
    for number in range(5):
        login = f"zoe{number}"
        results = together(
            lambda n=login: services.create_user(n, by=by),
            lambda n=login: services.update_user(uma, {"login": n}, by=by),
            lambda n=login: services.update_user(mona, {"login": n}, by=by),
        )
        assert sum(isinstance(result, LoginTaken) for result in results) == 2
        assert sum(isinstance(result, User) for result in results) == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_last_administrators_who_delete_each_other_one_remains(alice):
    for number in range(5):
        other = PersonFactory(username=f"root{number}", roles=["admin"])
        first = User.objects.living().filter(groups__name="admin").exclude(pk=other.pk).get()
        results = together(
            lambda a=first, b=other: services.retire_user(a, by=Caller(user=b)),
            lambda a=first, b=other: services.retire_user(b, by=Caller(user=a)),
        )
        assert sorted(type(r).__name__ for r in results) == ["LastAdministrator", "NoneType"]


@pytest.mark.django_db(transaction=True)
def test_of_two_last_administrators_demoted_and_stopped_at_once_one_remains(alice):
    other = PersonFactory(roles=["admin"])
    by = Caller.of_system()
    results = together(
        lambda: services.set_roles(alice, ["user"], by=by), lambda: services.deactivate(other, by=by)
    )
    assert sum(isinstance(result, LastAdministrator) for result in results) == 1
