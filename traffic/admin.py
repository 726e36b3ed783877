"""Visits in Django's admin: sites can be named, everything else is only to be looked at."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from activity.admin import ReadOnlyAdmin
from activity.callers import Caller
from traffic import services
from traffic.models import DayCount, HourCount, MinuteCount, SecondCount, Site, Visit, VisitTotal
from traffic.places import NO_SITE, place


class SiteForm(ModelForm):
    """A host as visits will name it."""

    class Meta:
        model = Site
        fields = ("host", "name")

    def clean_host(self) -> str:
        host, _path = place(f"https://{self.cleaned_data['host'].strip()}/")
        if host == NO_SITE or "/" in self.cleaned_data["host"]:
            raise ValidationError(_("Enter a host, such as www.example.org."))
        return host


@admin.register(Site)
class SiteAdmin(admin.ModelAdmin):
    """The host is what visits say; only its name is ours. A site that was ever visited stays."""

    form = SiteForm
    list_display = ("host", "name", "reserved", "first_seen", "last_seen")
    search_fields = ("host", "name")
    ordering = ("host",)
    actions = None
    readonly_fields = ("reserved", "created_at", "first_seen", "last_seen")
    fields = ("host", "name", *readonly_fields)

    def get_readonly_fields(self, request: HttpRequest, obj: Site | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "host") if obj else self.readonly_fields

    def has_delete_permission(self, request: HttpRequest, obj: Site | None = None) -> bool:
        unused = obj is None or not (obj.first_seen or obj.reserved)
        return unused and super().has_delete_permission(request, obj)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Without the transaction that Django puts around it: the command opens its own."""
        return self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined]

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self._delete_view(request, object_id, extra_context)  # type: ignore[attr-defined]

    def save_model(self, request: HttpRequest, obj: Site, form: ModelForm, change: bool) -> None:
        by = Caller.of(request)
        if change:
            services.rename_site(Site.objects.get(pk=obj.pk), obj.name, by=by)
        else:
            obj.pk = services.register_site(obj.host, obj.name, by=by, now=timezone.now()).pk

    def delete_model(self, request: HttpRequest, obj: Site) -> None:
        services.delete_site(obj, by=Caller.of(request))


def _day_of(term: str) -> Q | None:
    """The visits of a day, if that is what was typed."""
    try:
        day = datetime.fromisoformat(term).replace(tzinfo=UTC)
        return Q(received_at__gte=day, received_at__lt=day + timedelta(days=1))
    except (ValueError, OverflowError):
        return None


@admin.register(Visit)
class VisitAdmin(ReadOnlyAdmin):
    list_display = ("id", "received_at", "site", "page_url", "referrer", "user_id", "bot")
    list_select_related = ("site",)
    list_filter = ("bot",)
    search_fields = ("site__host",)
    search_help_text = _("A whole host, the beginning of a user_id, or a date such as 2026-01-31")
    ordering = ("-id",)

    def get_fields(self, request: HttpRequest, obj: Visit | None = None) -> Any:
        """Addresses and agents are for administrators."""
        names = [field.name for field in Visit._meta.fields]
        private = set() if request.user.has_perm("traffic.manage_sites") else {"ip_address", "user_agent"}
        return [name for name in names if name not in private]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Visit], search_term: str
    ) -> tuple[QuerySet[Visit], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        chosen = _day_of(term) or (
            Q(site__in=Site.objects.filter(host=term.lower())) | Q(user_id__startswith=term)
        )
        return queryset.filter(chosen), False


@admin.register(HourCount)
class HourCountAdmin(ReadOnlyAdmin):
    list_display = ("hour", "site", "kind", "label", "visits", "bots")
    list_select_related = ("site", "label")
    list_filter = ("kind",)
    ordering = ("-id",)


@admin.register(MinuteCount)
class MinuteCountAdmin(ReadOnlyAdmin):
    list_display = ("minute", "site", "visits", "bots")
    list_select_related = ("site",)
    ordering = ("-minute", "site_id")


@admin.register(SecondCount)
class SecondCountAdmin(ReadOnlyAdmin):
    list_display = ("second", "visits")
    ordering = ("-second",)


@admin.register(DayCount)
class DayCountAdmin(ReadOnlyAdmin):
    list_display = ("day", "site", "visitors")
    list_select_related = ("site",)
    ordering = ("-id",)


@admin.register(VisitTotal)
class VisitTotalAdmin(ReadOnlyAdmin):
    list_display = ("total",)
