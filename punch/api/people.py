"""`/admin/users…`: the accounts of the back office, on the services of identity."""

from collections.abc import Iterator
from contextlib import contextmanager

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from activity.callers import Caller
from activity.models import Domain
from config import inputs
from config.errors import Refusal
from config.inputs import Text
from config.schema import errors, example
from identity import services
from identity.models import User
from identity.roles import Role
from identity.serializers import Account, Registration
from identity.services import passwords, people
from punch.api.base import PunchView, body
from punch.models import fits
from punch.queries.people import with_roles
from punch.serializers import Page, Pong

ACCOUNT = {"id": 7, "email": "uma@example.org", "role": "user", "created_at": "2026-03-02T08:15:00Z"}
GIVEN = {Role.ADMIN, Role.MANAGER, Role.USER}


class RoleInvalid(Refusal):
    detail = "invalid_role"


class UserNotFound(Refusal):
    status, detail = 404, "user_not_found"


class NotAllowed(Refusal):
    """Nobody deletes themselves, and an administrator must remain."""

    status = 403


class NewAccount(Registration):
    role = Text(max_length=50)


class RoleChange(serializers.Serializer):
    role = Text(max_length=50)


@contextmanager
def _in_this_dialect() -> Iterator[None]:
    """Identity's refusals in Chrona's words."""
    try:
        yield
    except (people.LoginTaken, people.EmailTaken) as error:
        raise people.EmailRegistered from error
    except people.OwnAccount as error:
        raise NotAllowed("Cannot delete your own account") from error
    except people.LastAdministrator as error:
        raise NotAllowed("Cannot remove the last administrator") from error
    except people.UserNotFound as error:
        raise UserNotFound from error


def _role(text: str) -> Role:
    wanted = text.strip().lower()
    if wanted not in GIVEN:
        raise RoleInvalid
    return Role(wanted)


def _person(pk: int) -> User:
    user = User.objects.living().filter(pk=pk).first() if fits(pk) else None
    if user is None:
        raise UserNotFound
    return user


class AccountsView(PunchView):
    """Read by admin, operator and auditor, written by admin."""

    domain = Domain.IDENTITY
    read_permission = "identity.read_people"
    write_permission = "identity.manage_people"


class Ping(PunchView):
    read_permission = "identity.manage_people"

    @extend_schema(
        summary="Ask whether the back office opens",
        responses={200: Pong, **errors(401, 403)},
        examples=[example("It does", {"pong": True})],
    )
    def get(self, request: Request) -> Response:
        return Response({"pong": True})


class Accounts(AccountsView):
    acts = {"POST": "create_user"}

    @extend_schema(
        operation_id="admin_users_list",
        summary="List accounts",
        description="By id, without deleted ones.",
        parameters=[Page],
        responses={200: Account(many=True), **errors(401, 403, 422)},
        examples=[example("An account", ACCOUNT)],
    )
    def get(self, request: Request) -> Response:
        asked = inputs.query(Page, request)
        start = asked["offset"]
        found = with_roles(User.objects.living().order_by("id")[start : start + asked["limit"]])
        return Response(Account(found, many=True).data)

    @extend_schema(
        summary="Make an account with a role",
        request=NewAccount,
        responses={201: Account, **errors(401, 403, 422, e400="email_already_registered")},
        examples=[
            example(
                "An account",
                {"email": "uma@example.org", "password": "…", "role": "user"},
                request_only=True,
            ),
            example("The account", ACCOUNT, status_codes=[201]),
        ],
    )
    def post(self, request: Request) -> Response:
        asked = body(NewAccount, request)
        role = _role(asked["role"])
        person = User(email=asked["email"])
        passwords.insist_on_policy(asked["password"], person)
        email = asked["email"]
        login = email if len(email) <= people.LONGEST_USERNAME else str(person.uuid)
        with _in_this_dialect():
            user = services.create_user(
                login, email=email, password=asked["password"], roles=[role], by=Caller.of(request)
            )
        return Response(Account(user).data, status=201)


class OneAccount(AccountsView):
    acts = {"DELETE": "delete_user"}

    @extend_schema(
        operation_id="admin_users_retrieve",
        summary="Show an account",
        responses={200: Account, **errors(401, 403, e404="user_not_found")},
        examples=[example("An account", ACCOUNT)],
    )
    def get(self, request: Request, pk: int) -> Response:
        return Response(Account(_person(pk)).data)

    @extend_schema(
        operation_id="admin_users_destroy",
        summary="Retire an account",
        description="It leaves every list, its devices and sign-ins end, its e-mail is free; punches keep its id.",
        responses={
            204: None,
            **errors(401, e403="Cannot remove the last administrator", e404="user_not_found"),
        },
    )
    def delete(self, request: Request, pk: int) -> Response:
        with _in_this_dialect():
            services.retire_user(_person(pk), by=Caller.of(request))
        return Response(status=204)


class AccountRole(AccountsView):
    acts = {"PATCH": "change_roles", "POST": "change_roles"}

    @extend_schema(
        operation_id="admin_users_role_update",
        summary="Give an account a role",
        description="`admin`, `manager` or `user`; other groups of the person stay.",
        request=RoleChange,
        responses={
            200: Account,
            **errors(
                401,
                422,
                e400="invalid_role",
                e403="Cannot remove the last administrator",
                e404="user_not_found",
            ),
        },
        examples=[example("A manager", {"role": "manager"}, request_only=True), example("Done", ACCOUNT)],
    )
    def patch(self, request: Request, pk: int) -> Response:
        role = _role(body(RoleChange, request)["role"])
        user = _person(pk)
        others = [name for name in user.roles if name not in GIVEN]
        with _in_this_dialect():
            changed = services.set_roles(user, [role, *others], by=Caller.of(request))
        return Response(Account(changed).data)

    @extend_schema(
        operation_id="admin_users_role_create",
        summary="Give an account a role (as PATCH)",
        request=RoleChange,
        responses={200: Account, **errors(401, 403, 422, e400="invalid_role", e404="user_not_found")},
        examples=[example("A manager", {"role": "manager"}, request_only=True), example("Done", ACCOUNT)],
    )
    def post(self, request: Request, pk: int) -> Response:
        return self.patch(request, pk)
