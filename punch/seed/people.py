"""Who works in the demo: an administrator and a user for tests of clients, two managers, 24 employees in 3 teams."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group

from activity.generator import draws
from identity.encryption import normalised
from identity.models import Device, User
from identity.roles import Role
from punch.models import Team

FIRST_NAMES = (
    "Ines", "Hugo", "Lena", "Marc", "Nora", "Paul", "Rosa", "Theo", "Vera", "Yann", "Zoe", "Adam", "Cleo",
    "Dora", "Emil", "Faye", "Gil", "Hanna", "Ivo", "Jana", "Karl", "Lise", "Milo", "Nina", "Otto", "Pia",
)  # fmt: skip
LAST_NAMES = (
    "Moreau", "Keller", "Ferrand", "Lindt", "Sorel", "Vidal", "Bauer", "Castel", "Doucet", "Engel", "Faure",
    "Graf", "Hardy", "Imbert", "Jolivet", "Klein", "Lacroix", "Meyer", "Nogaret", "Oswald", "Perrin",
    "Quentin", "Roche", "Simon", "Tessier", "Urban",
)  # fmt: skip
MANAGERS, EMPLOYEES = 2, 24
TEAMS = (("Reception", 0), ("Warehouse", 1), ("Night shift", None))
KNOWN = [("admin-e2e@local", "Passw0rd!", Role.ADMIN), ("testuser@example.com", "testpass123", Role.USER)]
JOINED = timedelta(days=90)


@dataclass(frozen=True)
class DemoPeople:
    """Accounts of the demo; `made` are those that did not exist before."""

    managers: Sequence[User]
    employees: Sequence[User]
    made: Sequence[int]


def _account(seed: int, number: int, login: str, email: str, names: tuple[str, str], password: str) -> User:
    return User(
        uuid=UUID(draws.uuid_text(draws.key(seed, "punch", "person", number))),
        username=login,
        email=email,
        first_name=names[0],
        last_name=names[1],
        full_name=" ".join(filter(None, names)),
        password=password,
    )


def _wanted(seed: int) -> list[tuple[User, Role]]:
    hashed = make_password(settings.DEMO_PASSWORD)
    known = [
        (_account(seed, n, login, login, ("Test", login.split("@")[0]), make_password(password)), role)
        for n, (login, password, role) in enumerate(KNOWN)
    ]
    people = []
    for n, names in enumerate(zip(FIRST_NAMES, LAST_NAMES, strict=True)):
        login = f"{names[0]}.{names[1]}".lower()
        role = Role.MANAGER if n < MANAGERS else Role.USER
        people.append((_account(seed, 10 + n, login, f"{login}@example.com", names, hashed), role))
    return known + people


def plant_people(seed: int, until: datetime) -> DemoPeople:
    """Accounts that are missing are made; a login or e-mail that is taken stays its owner's."""
    found: list[User] = []
    made: list[int] = []
    for wanted, role in _wanted(seed):
        key = normalised(wanted.email or "")
        user = User.objects.filter(email_key=key).first() or User.objects.filter(username_key=key).first()
        if user is None and not User.objects.filter(username_key=normalised(wanted.username)).exists():
            wanted.created_at = until - JOINED
            wanted.save(force_insert=True)
            wanted.groups.set(Group.objects.filter(name=role.value))
            user = wanted
            made.append(user.pk)
        if user is not None:
            found.append(user)
    people = found[len(KNOWN) :]
    return DemoPeople(people[:MANAGERS], people[MANAGERS:], made)


def plant_teams(people: DemoPeople) -> None:
    """Three teams of eight; the night shift is nobody's."""
    for number, (name, manager) in enumerate(TEAMS):
        team, _made = Team.objects.get_or_create(name=name)
        # the first employees work at night: they are the last team
        size = len(people.employees) // len(TEAMS)
        place = (number + 1) % len(TEAMS)
        team.members.set(people.employees[place * size : (place + 1) * size])
        if manager is not None and manager < len(people.managers):
            team.managers.set([people.managers[manager]])


def plant_devices(people: DemoPeople, until: datetime) -> list[Device]:
    """One device each; the first two also have one that they gave up."""
    for n, user in enumerate(people.employees[:2]):
        _device(user, f"demo-old-{n}", "Old phone", until - JOINED, revoked=until - JOINED / 2)
    return [
        _device(user, f"demo-phone-{n}", f"{user.first_name}'s phone", until - JOINED + timedelta(days=1))
        for n, user in enumerate(people.employees)
    ]


def _device(user: User, mark: str, name: str, at: datetime, revoked: datetime | None = None) -> Device:
    values = {
        "user": user,
        "device_name": name,
        "registered_at": at,
        "last_seen_at": revoked or at,
        "is_revoked": revoked is not None,
        "revoked_at": revoked,
    }
    return Device.objects.get_or_create(device_fingerprint=mark, defaults=values)[0]
