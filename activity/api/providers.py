"""Providers: the two lists of KitsuTrail, and native keeping."""

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from activity import services
from activity.api_base import TrailedView
from activity.callers import Caller
from activity.models import Provider
from activity.serializers import NewProvider, ProviderChanges, ProviderDetail, ProviderItem, ProviderWindow
from activity.services.providers import ProviderNotFound
from config import inputs
from config.inputs import Nothing
from config.pagination import answered, windowed
from config.schema import Deleted, errors, example, total_header

ITEM = {"id": 1, "type": "idp", "protocol": "SAML", "name": "Keycloak"}
DETAIL = {**ITEM, "created_at": "2025-03-01T00:30:00Z"}
ASKED = {"type": "idp", "protocol": "SAML", "name": "Keycloak"}
NUMBER = OpenApiParameter("number", int, OpenApiParameter.PATH, description="The provider's id")
HIGHEST_ID = 2**31 - 1


class ProvidersOfType(TrailedView):
    """All providers of the type that the route is made for, by name."""

    read_permission = "activity.read_trail"
    guests = True
    kind = ""

    def get(self, request: Request) -> Response:
        providers = Provider.objects.filter(type=self.kind).order_by("name", "id")
        return Response(ProviderItem(providers, many=True).data)


def _listing(summary: str, operation: str) -> extend_schema:
    return extend_schema(
        operation_id=operation,
        summary=summary,
        responses={200: ProviderItem(many=True), **errors(401, 403)},
        examples=[example("One provider", ITEM, status_codes=["200"])],
    )


@extend_schema_view(get=_listing("List identity providers", "providers_idp"))
class IdentityProviders(ProvidersOfType):
    kind = Provider.Type.IDP


@extend_schema_view(get=_listing("List service providers", "providers_sp"))
class ServiceProviders(ProvidersOfType):
    kind = Provider.Type.SP


class ProviderKeeping(TrailedView):
    """Read by operator, auditor and admin, written by admin."""

    read_permission = "activity.read_trail"
    write_permission = "activity.manage_providers"
    acts = {"POST": "create_provider", "PATCH": "update_provider", "DELETE": "delete_provider"}


class ProviderList(ProviderKeeping):
    @extend_schema(
        operation_id="providers_list",
        summary="Find providers",
        description="By name, then id. `q` is part of the name, in any case.",
        parameters=[ProviderWindow, total_header()],
        responses={200: ProviderDetail(many=True), **errors(401, 403, 422)},
        examples=[example("One provider", DETAIL, status_codes=["200"])],
    )
    def get(self, request: Request) -> Response:
        asked = inputs.query(ProviderWindow, request, strict=True)
        exact = {name: asked[name] for name in ("type", "protocol") if name in asked}
        providers = Provider.objects.filter(**exact, name__icontains=asked.get("q", "")).order_by(
            "name", "id"
        )
        rows, headers = windowed(providers, asked)
        return answered(list(ProviderDetail(rows, many=True).data), headers)

    @extend_schema(
        operation_id="provider_create",
        summary="Add a provider",
        request=NewProvider,
        responses={
            201: ProviderDetail,
            **errors(401, 403, 413, 415, 422, e409="Provider name already taken"),
        },
        examples=[
            example("A new provider", ASKED, request_only=True),
            example("The provider", DETAIL, status_codes=["201"]),
        ],
    )
    def post(self, request: Request) -> Response:
        inputs.query(Nothing, request, strict=True)
        asked = inputs.body(NewProvider, request, strict=True)
        provider = services.create_provider(
            asked["type"], asked["protocol"], asked["name"], by=Caller.of(request)
        )
        return Response(ProviderDetail(provider).data, status=201)


def _number(text: str) -> int:
    """The id in a path; text that cannot be one belongs to no provider."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= HIGHEST_ID):
        raise ProviderNotFound
    return int(text)


class OneProvider(ProviderKeeping):
    @extend_schema(
        operation_id="provider_read",
        summary="Read a provider",
        parameters=[NUMBER],
        responses={200: ProviderDetail, **errors(401, 403, 422, e404="Provider not found")},
        examples=[example("The provider", DETAIL, status_codes=["200"])],
    )
    def get(self, request: Request, number: str) -> Response:
        inputs.query(Nothing, request, strict=True)
        provider = Provider.objects.filter(pk=_number(number)).first()
        if provider is None:
            raise ProviderNotFound
        return Response(ProviderDetail(provider).data)

    @extend_schema(
        operation_id="provider_update",
        summary="Change a provider's protocol or name",
        description="The type is fixed. What stays as it is leaves no row in the trail.",
        parameters=[NUMBER],
        request=ProviderChanges,
        responses={
            200: ProviderDetail,
            **errors(401, 403, 413, 415, 422, e404="Provider not found", e409="Provider name already taken"),
        },
        examples=[
            example("Another name", {"name": "Keycloak 26"}, request_only=True),
            example("The provider", {**DETAIL, "name": "Keycloak 26"}, status_codes=["200"]),
        ],
    )
    def patch(self, request: Request, number: str) -> Response:
        inputs.query(Nothing, request, strict=True)
        changes = inputs.body(ProviderChanges, request, strict=True)
        provider = services.update_provider(_number(number), changes, by=Caller.of(request))
        return Response(ProviderDetail(provider).data)

    @extend_schema(
        operation_id="provider_delete",
        summary="Delete a provider",
        description="Rows of the trail keep the copy of its name.",
        parameters=[NUMBER],
        responses={200: Deleted, **errors(401, 403, 422, e404="Provider not found")},
        examples=[example("Done", {"deleted": True}, status_codes=["200"])],
    )
    def delete(self, request: Request, number: str) -> Response:
        inputs.query(Nothing, request, strict=True)
        services.delete_provider(_number(number), by=Caller.of(request))
        return Response({"deleted": True})
