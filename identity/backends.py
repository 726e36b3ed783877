"""Permissions come from the role table; passwords are checked by the sign-in service only."""

from typing import Any

from django.contrib.auth.backends import BaseBackend

from identity.models import User
from identity.roles import allows


class RoleBackend(BaseBackend):
    def get_user(self, user_id: int) -> User | None:
        return User.objects.living().filter(pk=user_id, is_active=True).first()

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return user_obj.is_active and allows(user_obj.roles, perm)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return user_obj.is_active and allows(user_obj.roles, f"{app_label}.view_")
