"""What every view of the trail's dialect shares: closed by default, refused writes leave a row, nothing is cached."""

from typing import Any, ClassVar, NoReturn

from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from activity.callers import Caller
from activity.guests import GuestNetworks
from activity.models import Domain
from activity.services import Line, record_refusal
from config.permissions import Needs


class TrailedView(APIView):
    """A view that names its permissions; a write refused for lack of them is a `fail` row of the trail.

    `read_permission` guards safe methods and, where there is no `write_permission`, all others too. `acts` maps
    a writing method to the action under which its refusal is trailed, in the domain `domain`. `guests` opens the
    view to the networks of `ACTIVITY_GUEST_NETWORKS`.
    """

    dialect = "activity"
    domain: ClassVar[str] = Domain.ACTIVITY
    acts: ClassVar[dict[str, str]] = {}
    guests = False
    read_permission: str
    write_permission: str
    permission_classes = [Needs]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """The verb is judged before the caller is."""
        if request.method not in self.allowed_methods:
            raise exceptions.MethodNotAllowed(request.method or "")
        super().initial(request, *args, **kwargs)

    def get_authenticators(self) -> list[BaseAuthentication]:
        known = super().get_authenticators()
        return [*known, GuestNetworks()] if self.guests else known

    def permission_denied(
        self, request: Request, message: str | None = None, code: str | None = None
    ) -> NoReturn:
        if request.user.is_authenticated and self._is_write(request):
            action = self.acts.get(request.method or "", f"{request.method} {type(self).__name__}")
            record_refusal(Line(action, self.domain, Caller.of(request)), "permission_denied")
        super().permission_denied(request, message, code)

    def _is_write(self, request: Request) -> bool:
        """Not the browsable API asking which of its forms to draw: it pretends other methods than the real one."""
        real = request.method == request._request.method
        return real and request.method not in SAFE_METHODS and hasattr(self, "write_permission")

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response.headers.setdefault("Cache-Control", "no-store")
        return super().finalize_response(request, response, *args, **kwargs)
