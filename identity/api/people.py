"""`/api/v1/users/…` in the shapes of KitsuTrail."""

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from activity.api_base import TrailedView
from activity.callers import Caller
from activity.models import Domain
from config import inputs
from config.pagination import Window, answered, windowed
from config.schema import Deleted, errors, example, total_header
from identity import services
from identity.encryption import normalised
from identity.models import User
from identity.serializers import ChangedPerson, NewPerson, Person
from identity.services.people import UserNotFound

PERSON = {
    "id": "0c0f6a3e-7f0b-4d0e-9a51-1f6f4f3f2f10",
    "login": "uma",
    "firstname": "Uma",
    "lastname": "Noir",
    "email": "uma@example.org",
    "created_at": "2026-03-02T08:15:00Z",
}


class PeopleView(TrailedView):
    """Read by admin, operator and auditor, written by admin."""

    domain = Domain.IDENTITY
    acts = {"POST": "create_user", "PATCH": "update_user", "DELETE": "delete_user"}
    read_permission = "identity.read_people"
    write_permission = "identity.manage_people"
    guests = True


class PeopleList(PeopleView):
    @extend_schema(
        operation_id="people_list",
        summary="List people",
        description="Ordered by creation.",
        parameters=[Window, total_header()],
        responses={200: Person(many=True), **errors(401, 403, 422)},
        examples=[example("A person", PERSON)],
    )
    def get(self, request: Request) -> Response:
        people = User.objects.living().order_by("created_at", "uuid")
        rows, headers = windowed(people, inputs.query(Window, request))
        return answered(list(Person(rows, many=True).data), headers)

    @extend_schema(
        summary="Make an account",
        description="With the role `user` and without a password, so that nobody can sign in with it yet.",
        request=NewPerson,
        responses={200: Person, **errors(401, 403, 415, 422, e409="Login already taken")},
        examples=[
            example(
                "A new person",
                {"login": "uma", "firstname": "Uma", "lastname": "Noir", "email": "uma@example.org"},
                request_only=True,
            ),
            example("The account", PERSON),
        ],
    )
    def post(self, request: Request) -> Response:
        asked = inputs.body(NewPerson, request)
        person = services.create_user(
            asked["login"],
            first_name=asked.get("first_name") or "",
            last_name=asked.get("last_name") or "",
            email=asked.get("email"),
            by=Caller.of(request),
        )
        return Response(Person(person).data)


class PersonByLogin(PeopleView):
    @extend_schema(
        operation_id="people_retrieve_by_login",
        summary="Find a person by login",
        description="The whole login, without regard to case.",
        responses={200: Person, **errors(401, 403, e404="User not found")},
        examples=[example("A person", PERSON)],
    )
    def get(self, request: Request, login: str) -> Response:
        if inputs.UNSTORABLE.search(login):
            raise UserNotFound
        person = User.objects.living().filter(username_key=normalised(login)).first()
        if person is None:
            raise UserNotFound
        return Response(Person(person).data)


ID = OpenApiParameter("uuid", UUID, OpenApiParameter.PATH, description="The `id` of the person")


def _person(text: str) -> User:
    """The person whose id is in the path; what is no uuid names nobody."""
    try:
        return services.find(UUID(text))
    except ValueError as error:
        raise UserNotFound from error


class OnePerson(PeopleView):
    @extend_schema(
        operation_id="people_retrieve",
        summary="Show a person",
        parameters=[ID],
        responses={200: Person, **errors(401, 403, e404="User not found")},
        examples=[example("A person", PERSON)],
    )
    def get(self, request: Request, uuid: str) -> Response:
        return Response(Person(_person(uuid)).data)

    @extend_schema(
        operation_id="people_update",
        summary="Change a person",
        description="Only the fields sent change; an empty object changes nothing.",
        parameters=[ID],
        request=ChangedPerson,
        responses={
            200: Person,
            **errors(
                401,
                403,
                415,
                422,
                e404="User not found",
                e409="Cannot redefine field, login already taken",
            ),
        },
        examples=[example("The person as changed", PERSON)],
    )
    def patch(self, request: Request, uuid: str) -> Response:
        person = _person(uuid)
        asked = inputs.body(ChangedPerson, request)
        changes = {field: value or "" for field, value in asked.items()}
        return Response(Person(services.update_user(person, changes, by=Caller.of(request))).data)

    @extend_schema(
        operation_id="people_destroy",
        summary="Retire a person",
        description="The account ends with its sign-ins; login and e-mail become free, the history keeps both.",
        parameters=[ID],
        responses={
            200: Deleted,
            **errors(401, 403, e404="User not found", e409="Cannot delete the last administrator"),
        },
        examples=[example("Done", {"deleted": True})],
    )
    def delete(self, request: Request, uuid: str) -> Response:
        services.retire_user(_person(uuid), by=Caller.of(request))
        return Response({"deleted": True})
