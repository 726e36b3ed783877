"""Closed by default: a view names the permission it needs to read and the one to write."""

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request


class Needs(BasePermission):
    """`read_permission` for safe methods, `write_permission` (default: the same) for all others.

    Rights come from the role table through `has_perm`, at each call from the database.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        needed = view.read_permission
        if request.method not in SAFE_METHODS:
            needed = getattr(view, "write_permission", needed)
        return bool(request.user and request.user.is_authenticated and request.user.has_perm(needed))
