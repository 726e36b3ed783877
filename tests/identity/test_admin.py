"""People in the Django admin."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from activity.models import Entry
from identity.models import LockOut, SignIn
from identity.services import locks, open_sign_in
from tests.factories import PASSWORD, PersonFactory

pytestmark = pytest.mark.django_db
PEOPLE = "/admin/identity/user/"


@pytest.fixture
def desk():
    """A browser in which somebody is signed in."""

    def sign(person):
        client = Client()
        client.post("/accounts/login/", {"username": person.username, "password": PASSWORD})
        return client

    return sign


def act(client, action, *people, **more):
    data = {"action": action, "_selected_action": [p.pk for p in people], **more}
    return client.post(PEOPLE, data, follow=True)


def found(client, typed):
    page = client.get(PEOPLE, {"q": typed})
    return {person.username for person in page.context["cl"].queryset}


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("uma", {"uma"}),
        ("UM", {"uma"}),
        ("uma@exa", {"uma"}),
        ("uma noir", {"uma"}),
        ("Uma  NOIR", {"uma"}),
        ("noir", set()),
        ("example.org", set()),
        ("%", set()),
        ("\x00", {"uma", "alice"}),
        ("", {"uma", "alice"}),
    ],
)
def test_people_are_found_by_the_start_of_login_or_address_and_by_full_name(desk, alice, uma, typed, names):
    assert found(desk(alice), typed) == names


def test_a_retired_person_is_not_listed(desk, alice):
    PersonFactory(deleted_at=timezone.now())
    assert found(desk(alice), "") == {"alice"}


def test_the_list_costs_the_same_queries_for_many_people(desk, alice, django_assert_max_num_queries):
    client = desk(alice)
    for _ in range(2):
        PersonFactory.create_batch(20)
        with django_assert_max_num_queries(10):
            client.get(PEOPLE)


def test_a_person_is_shown_with_sign_ins_and_cannot_be_edited(desk, alice, uma):
    open_sign_in(uma, door="kiosk")
    page = desk(alice).get(f"{PEOPLE}{uma.pk}/change/")
    assert page.status_code == 200
    assert "Uma Noir" in page.text
    assert "kiosk" in page.text
    assert 'name="_save"' not in page.text
    assert desk(alice).get(f"{PEOPLE}add/").status_code == 403
    assert desk(alice).post(f"{PEOPLE}{uma.pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(
    ("role", "status"), [("alice", 200), ("oscar", 200), ("audrey", 200), ("uma", 302), ("mona", 302)]
)
def test_the_admin_opens_for_admin_operator_and_auditor(request, desk, role, status):
    assert desk(request.getfixturevalue(role)).get(PEOPLE).status_code == status


def test_who_lacks_the_role_gets_a_page_that_says_so(desk, uma):
    assert desk(uma).get(PEOPLE, follow=True).status_code == 403


def test_a_stranger_finds_the_login_page_under_admin_too(client, alice):
    page = client.get("/admin/login/")
    assert (page.status_code, "<form" in page.text) == (200, True)
    signed = {"username": "alice", "password": PASSWORD, "next": "/admin/"}
    assert client.post("/admin/login/", signed)["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200
    assert client.get("/admin/login/")["Location"] == reverse("admin:index")
    client.post("/admin/logout/")
    assert SignIn.objects.get().ended_at is not None


def test_deactivating_asks_first_and_names_what_will_end(desk, oscar, uma):
    client = desk(oscar)
    open_sign_in(uma)
    page = act(client, "deactivate", uma)
    assert "1 live sign-in" in page.text
    uma.refresh_from_db()
    assert uma.is_active
    act(client, "deactivate", uma, confirmed="yes")
    uma.refresh_from_db()
    assert not uma.is_active
    assert not SignIn.objects.live(timezone.now()).filter(user=uma).exists()
    row = Entry.objects.get(action="deactivate_user")
    assert (row.user_login, row.source_admin) == ("uma", "oscar")
    act(client, "activate", uma)
    uma.refresh_from_db()
    assert uma.is_active


def test_signing_people_out_and_unlocking_leave_one_row_each(desk, oscar, uma, mona):
    client = desk(oscar)
    open_sign_in(uma)
    open_sign_in(mona)
    act(client, "sign_out", uma, mona, confirmed="yes")
    assert Entry.objects.filter(action="sign_out", source_admin="oscar").count() == 2
    locks.count_failure(locks.password_key(uma, ""), timezone.now(), locks.password_rule())
    act(client, "unlock", uma)
    assert not LockOut.objects.exists()
    assert Entry.objects.get(action="unlock_user").user_login == "uma"


def test_a_refusal_of_the_service_is_shown(desk, alice):
    page = act(desk(alice), "deactivate", alice, confirmed="yes")
    assert "Cannot deactivate your own account" in page.text


def test_an_auditor_is_offered_no_act(desk, audrey, uma):
    client = desk(audrey)
    assert 'name="action"' not in client.get(PEOPLE).text
    act(client, "deactivate", uma, confirmed="yes")
    uma.refresh_from_db()
    assert uma.is_active


def test_roles_are_not_edited_here(desk, alice):
    assert desk(alice).get("/admin/auth/group/").status_code == 404
