"""Demo accounts: the people of the generator and, for a developer, one account per role (activity.md 6.1)."""

from collections.abc import Iterable
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import transaction

from activity.generator import Person, cast_of
from activity.generator.clock import moment
from activity.models import Domain, SeedState
from activity.seed import Settled, state_of
from identity.encryption import normalised
from identity.models import SignIn, User
from identity.roles import Role

AT_ONCE = 500


def _account(person: Person, taken_emails: set[str]) -> User:
    email = person.email if normalised(person.email or "") not in taken_emails else None
    return User(
        uuid=UUID(person.uuid),
        username=person.login,
        email=email,
        first_name=person.firstname,
        last_name=person.lastname or "",
        full_name=" ".join(filter(None, [person.firstname, person.lastname])),
        password=make_password(None),
        created_at=moment(person.created),
    )


def _add_accounts(people: Iterable[Person]) -> None:
    """An account with role `user` and without a password for each; a login that is taken stays its owner's."""
    taken = set(User.objects.values_list("username_key", flat=True))
    emails = set(User.objects.exclude(email_key=None).values_list("email_key", flat=True))
    accounts = [_account(person, emails) for person in people if normalised(person.login) not in taken]
    made = User.objects.bulk_create(accounts, batch_size=AT_ONCE)
    membership = User.groups.through
    role = Group.objects.get(name=Role.USER.value)
    membership.objects.bulk_create([membership(user=user, group=role) for user in made], batch_size=AT_ONCE)


def plant_people(settled: Settled) -> SeedState:
    """The state of domain identity; the first run makes the accounts, later ones leave them as people made them."""
    found = SeedState.objects.filter(domain=Domain.IDENTITY).first()
    if found is not None:
        return found
    with transaction.atomic():
        _add_accounts(cast_of(settled.seed, settled.cast).people)
        return state_of(Domain.IDENTITY, settled.people_only)


def remove_people() -> None:
    """Delete the accounts that the generator made, inside the open transaction; all others stay."""
    for state in SeedState.objects.filter(domain=Domain.IDENTITY):
        uuids = [person.uuid for person in cast_of(state.seed, state.state["cast"]).people]
        for first in range(0, len(uuids), AT_ONCE):
            doomed = uuids[first : first + AT_ONCE]
            SignIn.objects.filter(user__uuid__in=doomed).delete()
            User.objects.filter(uuid__in=doomed).delete()


def plant_role_accounts() -> None:
    """One account per role, login = role, password `DEMO_PASSWORD`; one that exists is left alone.

    They leave no row in the trail: they are keys to the demo and no part of its history, and a row of today
    would be later than `--until`.
    """
    for role in Role:
        if User.objects.filter(username_key=role.value).exists():
            continue
        with transaction.atomic():
            user = User.objects.create(
                username=role.value,
                first_name="Demo",
                last_name=role.value.capitalize(),
                password=settings.DEMO_PASSWORD,
            )
            user.groups.add(Group.objects.get(name=role.value))


def demo_logins() -> list[str]:
    """The role accounts that `DEMO_PASSWORD` opens."""
    found = User.objects.living().filter(username_key__in=[role.value for role in Role]).order_by("id")
    return [user.username for user in found if user.is_active and user.check_password(settings.DEMO_PASSWORD)]
