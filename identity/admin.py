"""People in the Django admin: found, looked at, and acted on through the services."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.auth import admin as _registers_group  # noqa: F401
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from activity.callers import Caller
from config.errors import Refusal
from identity import services
from identity.encryption import normalised
from identity.models import Device, SignIn, User
from identity.services import second_factor
from identity.views import door

SHOWN_SIGN_INS = 50
Command = Callable[..., Any]


class ReadOnly:
    """Nothing is added, changed or deleted here; acts are list actions."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class SignInInline(ReadOnly, admin.TabularInline):
    """The latest sign-ins of a person."""

    model = SignIn
    fields: ClassVar[Any] = ["created_at", "door", "ip", "agent", "last_seen_at", "state"]
    readonly_fields = fields
    ordering = ["-created_at"]
    can_delete = False
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[SignIn]:
        assert request.resolver_match
        person: str = request.resolver_match.kwargs["object_id"]
        latest = SignIn.objects.filter(user_id=person).order_by("-created_at").values_list("pk", flat=True)
        return super().get_queryset(request).filter(pk__in=list(latest[:SHOWN_SIGN_INS]))

    @admin.display(description=_("State"))
    def state(self, sign_in: SignIn) -> str:
        if sign_in.ended_at:
            return f"{_('ended')} ({sign_in.end_reason})"
        return str(_("live") if sign_in.expires_at > timezone.now() else _("expired"))


class DeviceInline(ReadOnly, admin.TabularInline):
    """The devices of a person; they are revoked in the admin of the app that uses them."""

    model = Device
    fields: ClassVar[Any] = ["device_name", "registered_at", "last_seen_at", "is_revoked"]
    readonly_fields = fields
    ordering = ["-registered_at"]
    can_delete = False
    extra = 0


@admin.register(User)
class PersonAdmin(ReadOnly, admin.ModelAdmin):
    """Search by login or e-mail from their beginning, or by the whole full name (blind index)."""

    list_display = ["username", "email", "full_name", "held_roles", "is_active", "last_seen_at", "created_at"]
    list_filter = ["is_active", "groups", "created_at"]
    search_fields = ["username_key", "email_key"]
    search_help_text = _("Beginning of a login or e-mail address, or a whole full name")
    ordering = ["username_key"]
    show_full_result_count = False
    list_per_page = 50
    fields = [
        "username", "email", "first_name", "last_name", "full_name", "uuid", "held_roles", "is_active",
        "otp_enabled", "adfs_enabled", "hardware_token_enabled", "created_at", "last_seen_at",
    ]  # fmt: skip
    inlines = [SignInInline, DeviceInline]
    actions = ["deactivate", "activate", "sign_out", "reset_factor", "unlock"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return User.objects.living().prefetch_related("groups")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        typed = normalised(search_term.replace("\x00", ""))
        if not typed:
            return queryset, False
        by_name = User.objects.named(typed).values("pk")
        key = Q(username_key__startswith=typed) | Q(email_key__startswith=typed)
        return queryset.filter(key | Q(pk__in=by_name)), False

    @admin.display(description=_("Roles"))
    def held_roles(self, user: User) -> str:
        return ", ".join(sorted(group.name for group in user.groups.all()))

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("identity.act_on_people")

    @admin.action(description=_("Deactivate: no sign-in any more, live ones end"), permissions=["act"])
    def deactivate(self, request: HttpRequest, chosen: QuerySet[User]) -> HttpResponse | None:
        return self._confirmed(request, chosen, "deactivate", services.deactivate)

    @admin.action(description=_("Activate again"), permissions=["act"])
    def activate(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        self._perform(request, chosen, services.activate)

    @admin.action(description=_("Sign out everywhere"), permissions=["act"])
    def sign_out(self, request: HttpRequest, chosen: QuerySet[User]) -> HttpResponse | None:
        return self._confirmed(request, chosen, "sign_out", services.end_sign_ins)

    @admin.action(description=_("Reset the second factor: sign-ins end"), permissions=["act"])
    def reset_factor(self, request: HttpRequest, chosen: QuerySet[User]) -> HttpResponse | None:
        return self._confirmed(request, chosen, "reset_factor", second_factor.remove)

    @admin.action(description=_("Unlock after wrong passwords"), permissions=["act"])
    def unlock(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        self._perform(request, chosen, services.unlock)

    def _confirmed(
        self, request: HttpRequest, chosen: QuerySet[User], action: str, command: Command
    ) -> HttpResponse | None:
        """Ask first, on a page of its own that names what will end."""
        if request.POST.get("confirmed"):
            self._perform(request, chosen, command)
            return None
        live = SignIn.objects.live(timezone.now()).filter(user__in=chosen).count()
        context = {
            **self.admin_site.each_context(request),
            "title": self.get_action(action)[2],  # type: ignore[index]
            "people": chosen,
            "live_sign_ins": live,
            "action": action,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/identity/confirm.html", context)

    def _perform(self, request: HttpRequest, chosen: QuerySet[User], command: Command) -> None:
        done = 0
        for person in chosen:
            try:
                command(person, by=Caller.of(request))
                done += 1
            except Refusal as refusal:
                self.message_user(request, f"{person}: {refusal.detail}", messages.ERROR)
        if done:
            words = ngettext("Done for %(count)d person.", "Done for %(count)d people.", done)
            self.message_user(request, words % {"count": done}, messages.SUCCESS)


@login_not_required
def login(request: HttpRequest, extra_context: Any = None) -> HttpResponse:
    """The admin has no door of its own; whoever is signed in and still sent here lacks the role."""
    if request.user.is_authenticated:
        if not admin.site.has_permission(request):
            raise PermissionDenied
        return redirect("admin:index")
    return door.login(request)


def own_password(request: HttpRequest, extra_context: Any = None) -> HttpResponse:
    return redirect("accounts:security")


admin.site.unregister(Group)  # roles are fixed: identity.roles
admin.site.login = login  # type: ignore[method-assign]
admin.site.logout = door.logout  # type: ignore[method-assign, assignment]
admin.site.password_change = own_password  # type: ignore[method-assign, assignment]
