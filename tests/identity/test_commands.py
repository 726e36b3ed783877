"""`create_admin` and `create_user`."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from activity.callers import Caller
from activity.models import Entry
from identity import services
from identity.models import SignIn, User
from identity.services import open_sign_in

pytestmark = pytest.mark.django_db


def run(name, **options):
    out, err = StringIO(), StringIO()
    call_command(name, stdout=out, stderr=err, **options)
    return out.getvalue() + err.getvalue()


def signs_in(login, password):
    return services.sign_in(login, password, by=Caller(), door="auth").sign_in.user


def test_an_administrator_is_made(monkeypatch):
    assert "Made: admin-e2e@local" in run("create_admin", email="admin-e2e@local", password="Passw0rd!")
    person = signs_in("admin-e2e@local", "Passw0rd!")
    assert (person.roles, person.is_staff) == (["admin"], True)
    row = Entry.objects.get(action="create_user")
    assert (row.user_login, row.source_admin) == ("admin-e2e@local", "system")


def test_an_account_is_promoted_with_a_new_password_and_its_sign_ins_end(uma):
    token = open_sign_in(uma)
    services.deactivate(uma, by=Caller.of_system())
    assert "Promoted: uma" in run("create_admin", email="UMA@example.org", password="An0ther one!")
    assert signs_in("uma", "An0ther one!").roles == ["admin", "user"]
    assert SignIn.objects.get(pk=token.sign_in.pk).ended_at


def test_the_environment_can_name_the_administrator(monkeypatch):
    monkeypatch.setenv("ADMIN_EMAIL", "root@example.org")
    monkeypatch.setenv("ADMIN_PASSWORD", "Passw0rd!")
    run("create_admin", username="root")
    assert signs_in("root", "Passw0rd!").email == "root@example.org"


@pytest.mark.parametrize(
    "options",
    [{}, {"email": "a@b"}, {"password": "Passw0rd!"}]
    + [{"email": e, "password": "Passw0rd!"} for e in ("ab", "a@b@c", " a@b", "a@b\x00", "a@" + "b" * 300)],
)
def test_without_address_or_password_nothing_is_made(options):
    with pytest.raises(CommandError):
        run("create_admin", **options)
    assert not User.objects.exists()


def test_a_login_that_is_taken_is_said_to_be_so(uma):
    with pytest.raises(CommandError, match="Login already taken"):
        run("create_admin", email="other@example.org", password="Passw0rd!", username="UMA")


def test_a_user_is_made_with_roles_and_later_given_others():
    run(
        "create_user", email="zoe@example.org", password="Passw0rd!", username="zoe", role=["manager", "user"]
    )
    assert signs_in("zoe", "Passw0rd!").roles == ["manager", "user"]
    said = run("create_user", email="zoe@example.org", password="N3xt one!!", role=["auditor"])
    assert "Set: zoe (auditor)" in said
    assert signs_in("zoe@example.org", "N3xt one!!").roles == ["auditor"]


def test_a_user_without_a_role_is_an_ordinary_one():
    run("create_user", email="zoe@example.org", password="Passw0rd!")
    assert signs_in("zoe@example.org", "Passw0rd!").roles == ["user"]


def test_a_weak_password_is_taken_with_a_warning():
    assert "too common" in run("create_user", email="zoe@example.org", password="pass1234")
    assert signs_in("zoe@example.org", "pass1234")
