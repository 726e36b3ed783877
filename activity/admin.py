"""The trail in Django's admin: to look at and to search, never to change; providers through their services."""

from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from activity import services
from activity.callers import Caller, normal_address
from activity.models import Entry, Provider, Segment
from config.errors import Refusal

ENOUGH = 10_000  # an operator who needs more pages than this needs a filter


class NearCount(Paginator):
    """Counts no further than there are pages worth turning; a full count would read the whole table."""

    @cached_property
    def count(self) -> int:
        rows = cast(QuerySet[Any], self.object_list)
        return rows.order_by()[:ENOUGH].count()


class ReadOnlyAdmin(admin.ModelAdmin):
    """For those who may view: no adding, no changing, no deleting, no list actions."""

    actions = None
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()  # any order but the indexed one would sort the whole table
    paginator = NearCount
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    list_display = (
        "sequence", "timestamp", "domain", "action", "result", "reason", "user_login", "source_admin",
        "provider_name", "source_ip",
    )  # fmt: skip
    list_display_links = ("sequence", "timestamp")
    list_filter = ("domain", "result")
    search_fields = ("user_login",)
    search_help_text = _("The whole login, audit id, trace id or address")
    ordering = ("-timestamp", "-sequence")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Entry], search_term: str
    ) -> tuple[QuerySet[Entry], bool]:
        """Whole values only, so that each look-up is served by an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        exact = Q(user_login=term) | Q(trace_id=term) | Q(audit_id=term.lower())
        if address := normal_address(term):
            exact |= Q(source_ip=address)
        return queryset.filter(exact), False


@admin.register(Segment)
class SegmentAdmin(ReadOnlyAdmin):
    list_display = ("number", "first_sequence", "last_sequence", "rows", "sealed_at", "key_id", "head")
    fields = (
        "number", "first_sequence", "last_sequence", "rows", "sealed_at", "previous_head", "head", "key_id",
        "payload", "signature",
    )  # fmt: skip
    ordering = ("-number",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        return super().get_queryset(request).defer("digests")


class TrailedAdmin(admin.ModelAdmin):
    """Forms whose change is one command of the services, which opens its own transaction and may refuse."""

    actions = None

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Without the transaction that Django puts around it: the command opens its own."""
        view = self._changeform_view  # type: ignore[attr-defined]
        return self._answered(request, view, object_id, form_url, extra_context)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        view = self._delete_view  # type: ignore[attr-defined]
        return self._answered(request, view, object_id, extra_context)

    def _answered(self, request: HttpRequest, view: Callable[..., HttpResponse], *args: Any) -> HttpResponse:
        try:
            return view(request, *args)
        except Refusal as refusal:
            self.message_user(request, refusal.detail, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


@admin.register(Provider)
class ProviderAdmin(TrailedAdmin):
    """Administrators edit; each change is one command of the services, which leaves its row in the trail."""

    list_display = ("name", "type", "protocol", "created_at")
    list_filter = ("type", "protocol")
    search_fields = ("name",)
    ordering = ("name", "id")
    fields = ("type", "protocol", "name")

    def get_readonly_fields(self, request: HttpRequest, obj: Provider | None = None) -> tuple[str, ...]:
        return ("type",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Provider, form: ModelForm, change: bool) -> None:
        by = Caller.of(request)
        if change:
            services.update_provider(obj.pk, {"protocol": obj.protocol, "name": obj.name}, by=by)
        else:
            obj.pk = services.create_provider(obj.type, obj.protocol, obj.name, by=by).pk

    def delete_model(self, request: HttpRequest, obj: Provider) -> None:
        services.delete_provider(obj.pk, by=Caller.of(request))
