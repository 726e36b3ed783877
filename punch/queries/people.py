"""Whose rows somebody may see, and accounts with their roles."""

from collections.abc import Iterable

from django.db.models import QuerySet

from identity.models import User
from identity.roles import Role
from punch.models import Team

SEES_ALL = "punch.read_everything"
SEES_TEAM = "punch.read_team"


def team_of(manager: User) -> QuerySet[User]:
    """The people of the teams that somebody manages."""
    teams = Team.objects.filter(managers=manager)
    return User.objects.filter(pk__in=Team.members.through.objects.filter(team__in=teams).values("user_id"))


def seen_by(viewer: User) -> QuerySet[User]:
    """Everybody for readers, a manager's own people for a manager, nobody otherwise."""
    if viewer.has_perm(SEES_ALL):
        return User.objects.all()
    if viewer.has_perm(SEES_TEAM):
        return team_of(viewer)
    return User.objects.none()


def with_roles(people: Iterable[User]) -> list[User]:
    """The same people, their roles read at once."""
    found = list(people)
    held: dict[int, set[str]] = {}
    rows = User.groups.through.objects.filter(user_id__in=[user.pk for user in found])
    for user_id, name in rows.values_list("user_id", "group__name"):
        held.setdefault(user_id, set()).add(name)
    for user in found:
        names = held.get(user.pk, set()) | ({Role.ADMIN.value} if user.is_superuser else set())
        user.roles = [role.value for role in Role if role.value in names]
    return found
