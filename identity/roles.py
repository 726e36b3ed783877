"""Roles and what they may do: the one table from which API, pages and Django admin take their answer."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    ADMIN = "admin"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    MANAGER = "manager"
    ENGINEER = "engineer"
    TECHNICIAN = "technician"
    USER = "user"


STAFF = frozenset({Role.ADMIN, Role.OPERATOR, Role.AUDITOR})
READERS = STAFF
ADMIN_ONLY = frozenset({Role.ADMIN})
ACTORS = frozenset({Role.ADMIN, Role.OPERATOR})

PERMISSIONS: dict[str, frozenset[Role]] = {
    "activity.read_trail": READERS,
    "activity.manage_providers": ADMIN_ONLY,
    "identity.read_people": READERS,
    "identity.manage_people": ADMIN_ONLY,
    "identity.act_on_people": ACTORS,
    "punch.read_everything": READERS,
    "punch.read_team": READERS | {Role.MANAGER},
    "punch.manage_kiosks": ACTORS,
    "punch.manage_devices": ACTORS,
    "traffic.read_visits": READERS,
    "traffic.import_visits": ACTORS,
    "traffic.manage_sites": ADMIN_ONLY,
    # Django admin: readers look at everything, administrators also change what is not append-only.
    "activity.add_provider": ADMIN_ONLY,
    "activity.change_provider": ADMIN_ONLY,
    "activity.delete_provider": ADMIN_ONLY,
    "identity.change_user": ADMIN_ONLY,
    "traffic.add_site": ADMIN_ONLY,
    "traffic.change_site": ADMIN_ONLY,
    "traffic.delete_site": ADMIN_ONLY,
    "punch.add_kiosk": ACTORS,
    "punch.change_kiosk": ACTORS,
    "punch.delete_kiosk": ACTORS,
    "punch.add_team": ADMIN_ONLY,
    "punch.change_team": ADMIN_ONLY,
    "punch.delete_team": ADMIN_ONLY,
    "auth.view_group": READERS,
}
VIEWED_APPS = frozenset({"activity", "identity", "traffic", "punch", "pools", "compliance"})


def allows(roles: Iterable[str], permission: str) -> bool:
    """Whether one of these roles grants a permission `app.codename`."""
    held = frozenset(roles)
    if permission in PERMISSIONS:
        return not held.isdisjoint(PERMISSIONS[permission])
    app, _, codename = permission.partition(".")
    return app in VIEWED_APPS and codename.startswith("view_") and not held.isdisjoint(READERS)


def plant_roles(apps: Any, schema_editor: Any = None) -> None:
    """Make the groups that stand for the roles; for the migration and the test suite."""
    group = apps.get_model("auth", "Group")
    for role in Role:
        group.objects.get_or_create(name=role.value)
