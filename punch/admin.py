"""The clock in Django's admin: kiosks, access, teams and devices through the services; all else is to look at."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _

from activity.admin import ReadOnlyAdmin, TrailedAdmin
from activity.callers import Caller
from activity.models import Domain
from activity.services import NOBODY, record
from config.errors import Refusal
from identity import devices
from identity.encryption import normalised
from identity.models import Device, User
from punch import qr, services, setup
from punch.models import AuditEntry, Kiosk, KioskAccess, Punch, QrToken, Team

EDITED = ("kiosk_name", "location", "ip_address", "is_active", "punch_mode", "time_zone")


def people_called(term: str) -> Q:
    """People by the beginning of login or e-mail, or by the whole full name; as a filter on a column `user`."""
    typed = normalised(term.replace("\x00", ""))
    found = Q(username_key__startswith=typed) | Q(email_key__startswith=typed)
    named = User.objects.named(typed).values("pk")
    return Q(user__in=User.objects.filter(found | Q(pk__in=named)).values("pk"))


class ByPerson(admin.ModelAdmin):
    """Lists that are searched by the person they are about."""

    search_fields: ClassVar[Any] = ("pk",)
    search_help_text = _("Beginning of a login or e-mail address, or a whole full name")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return (queryset.filter(people_called(search_term)) if search_term.strip() else queryset), False


class ByServices(TrailedAdmin):
    """The clock's forms: no full count, and history stays when something ends."""

    show_full_result_count = False

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Nothing else ends with it: history stays."""
        return [str(obj) for obj in objs], {}, set(), []


class AccessInline(admin.TabularInline):
    """Who is granted or blocked here; changed under "Kiosk access"."""

    model = KioskAccess
    fields = readonly_fields = ("user", "granted", "granted_at", "expires_at", "granted_by")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[KioskAccess]:
        return super().get_queryset(request).select_related("user", "granted_by")


@admin.register(Kiosk)
class KioskAdmin(ByServices):
    list_display = ("kiosk_name", "location", "state", "is_active", "punch_mode", "access_mode", "ip_address")
    list_filter = ("is_active", "punch_mode", "access_mode")
    search_fields = ("kiosk_name", "location", "ip_address")
    ordering = ("kiosk_name", "id")
    inlines = [AccessInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Kiosk]:
        return Kiosk.objects.living()

    def get_fields(self, request: HttpRequest, obj: Kiosk | None = None) -> tuple[str, ...]:
        if obj is None:
            return (
                "kiosk_name",
                "location",
                "device_fingerprint",
                "ip_address",
                "public_key",
                "punch_mode",
                "time_zone",
            )
        seen = (
            "state",
            "new_key",
            "device_fingerprint",
            "app_version",
            "device_info",
            "last_heartbeat_at",
            "created_at",
        )
        return (*EDITED, "access_mode", *seen)

    def get_readonly_fields(self, request: HttpRequest, obj: Kiosk | None = None) -> tuple[str, ...]:
        return () if obj is None else self.get_fields(request, obj)[len(EDITED) + 1 :]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        if "device_fingerprint" in form.base_fields:
            form.base_fields["device_fingerprint"].required = False
            form.base_fields["device_fingerprint"].help_text = _("Left empty, one is invented.")
        return form

    @admin.display(description=_("State"))
    def state(self, kiosk: Kiosk) -> str:
        if kiosk.last_heartbeat_at is None:
            return str(_("never seen"))
        return str(_("online") if kiosk.online(timezone.now()) else _("offline"))

    @admin.display(description=_("API key"))
    def new_key(self, kiosk: Kiosk) -> str:
        url = reverse("admin:punch_kiosk_new_key", args=[kiosk.pk])
        return format_html('<a class="button" href="{}">{}</a>', url, _("New key…"))

    def save_model(self, request: HttpRequest, obj: Kiosk, form: ModelForm, change: bool) -> None:
        by = Caller.of(request)
        if not change:
            obj.pk = services.create_kiosk(form.cleaned_data, by=by).pk
            return
        changes = {name: form.cleaned_data[name] for name in EDITED}
        changes |= {name: changes[name] or "" for name in ("ip_address", "time_zone")}
        services.change_kiosk(obj.pk, changes, by=by)
        if "access_mode" in form.changed_data:
            services.change_access_mode(obj.pk, form.cleaned_data["access_mode"], by=by)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Access rows are shown here and changed under their own name."""

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        return super().construct_change_message(request, form, [], add)

    def delete_model(self, request: HttpRequest, obj: Kiosk) -> None:
        services.delete_kiosk(obj.pk, by=Caller.of(request))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.new_key_view)
        return [path("<path:object_id>/new-key/", view, name="punch_kiosk_new_key"), *super().get_urls()]

    def new_key_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks first; then shows the key and the set-up code, this once."""
        kiosk = self.get_object(request, unquote(object_id))
        if kiosk is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
        if not self.has_change_permission(request, kiosk):
            raise PermissionDenied
        context = {**self.admin_site.each_context(request), "kiosk": kiosk, "opts": self.opts}
        context["title"] = _("New key for %(kiosk)s") % {"kiosk": kiosk}
        if request.method == "POST":
            kiosk, key = services.generate_key(kiosk.pk, by=Caller.of(request))
            text = setup.code_text(kiosk, key.text, setup.api_url(request))
            context |= {"key": key.text, "code": mark_safe(qr.as_svg(text))}
        answer = TemplateResponse(request, "admin/punch/new_key.html", context)
        answer["Cache-Control"] = "no-store"
        return answer


@admin.register(KioskAccess)
class KioskAccessAdmin(ByPerson, ByServices):
    list_display = ("user", "kiosk", "granted", "expires_at", "granted_at", "granted_by")
    list_filter = ("kiosk", "granted")
    list_select_related = ("user", "kiosk", "granted_by")
    autocomplete_fields = ("user",)
    fields = ("kiosk", "user", "granted", "expires_at")
    ordering = ("kiosk__kiosk_name", "user__username_key")

    def _may(self, request: HttpRequest) -> bool:
        return request.user.has_perm("punch.manage_kiosks")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._may(request)

    def get_readonly_fields(self, request: HttpRequest, obj: KioskAccess | None = None) -> tuple[str, ...]:
        return ("kiosk", "user") if obj else ()

    def save_model(self, request: HttpRequest, obj: KioskAccess, form: ModelForm, change: bool) -> None:
        by, asked = Caller.of(request), (obj.kiosk_id, obj.user_id)
        if obj.granted:
            obj.pk = services.grant_access(*asked, until=obj.expires_at, by=by).pk
        else:
            obj.pk = services.block_access(*asked, by=by).pk

    def delete_model(self, request: HttpRequest, obj: KioskAccess) -> None:
        services.revoke_access(obj.kiosk_id, obj.user_id, by=Caller.of(request))


@admin.register(Team)
class TeamAdmin(admin.ModelAdmin):
    list_display = ("name",)
    search_fields = ("name",)
    autocomplete_fields = ("members", "managers")
    actions = None

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The new members are stored with the row of the trail that names how many."""
        super().save_related(request, form, formsets, change)
        team = form.instance
        told = {"name": team.name, "members": team.members.count(), "managers": team.managers.count()}
        self._record("team_updated" if change else "team_created", request, team, told)

    def delete_model(self, request: HttpRequest, obj: Team) -> None:
        self._record("team_deleted", request, obj, {"name": obj.name})
        super().delete_model(request, obj)

    def _record(self, action: str, request: HttpRequest, team: Team, details: dict[str, Any]) -> None:
        target = ("team", team.pk)
        by = Caller.of(request)
        record(action, domain=Domain.PUNCH, by=by, person=NOBODY, target=target, details=details)


@admin.register(Device)
class DeviceAdmin(ByPerson, ReadOnlyAdmin):
    list_display = ("device_name", "user", "registered_at", "last_seen_at", "is_revoked")
    list_filter = ("is_revoked",)
    list_select_related = ("user",)
    ordering = ("-registered_at", "-id")
    actions = ("revoke",)  # type: ignore[assignment]

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("punch.manage_devices")

    @admin.action(description=_("Revoke: their codes stop at once, for ever"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[Device]) -> None:
        for device in chosen:
            try:
                devices.revoke_device(device.pk, by=Caller.of(request))
                self.message_user(request, _("%(device)s is revoked.") % {"device": device}, messages.SUCCESS)
            except Refusal as refusal:
                self.message_user(request, f"{device}: {refusal.detail}", messages.ERROR)


@admin.register(Punch)
class PunchAdmin(ByPerson, ReadOnlyAdmin):
    list_display = ("punched_at", "user", "punch_type", "kiosk", "device", "unusual")
    list_filter = ("punch_type", "unusual", "kiosk", "punched_at")
    list_select_related = ("user", "kiosk", "device")
    ordering = ("-punched_at", "-id")


@admin.register(QrToken)
class QrTokenAdmin(ByPerson, ReadOnlyAdmin):
    list_display = ("issued_at", "user", "device", "expires_at", "consumed_at", "consumed_by_kiosk")
    list_select_related = ("user", "device", "consumed_by_kiosk")
    list_filter = ("consumed_by_kiosk", "expires_at")
    fields = ("jti", "user", "device", "issued_at", "expires_at", "consumed_at", "consumed_by_kiosk")
    ordering = ("-expires_at", "jti")


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "event_type", "user", "device", "kiosk", "sequence")
    list_filter = ("event_type", "created_at")
    search_fields = ("=user", "=kiosk", "=device")
    search_help_text = _("The number of a person, device or kiosk")
    ordering = ("-created_at", "-sequence")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        if not (term.isascii() and term.isdigit() and len(term) < 18):
            return queryset.none(), False
        return queryset.filter(Q(user=term) | Q(device=term) | Q(kiosk=term)), False
