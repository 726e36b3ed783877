"""`/auth/…` in the shapes of Chrona, and the public keys."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from activity.api_base import TrailedView
from activity.callers import Caller
from config import inputs
from config.errors import InvalidInput
from config.schema import errors, example
from identity import keys, services
from identity.serializers import (
    Account,
    PasswordGrant,
    PublicKeys,
    RefreshGrant,
    Registration,
    SignOut,
    TokenPair,
)

PAIR = {
    "access_token": "eyJhbGciOiJSUzI1NiIsImtpZCI6…",
    "token_type": "bearer",
    "expires_in": 3600,
    "refresh_token": "eyJhbGciOiJSUzI1NiIsImtpZCI6…",
}
ACCOUNT = {"id": 7, "email": "uma@example.org", "role": "user", "created_at": "2026-03-02T08:15:00Z"}


class OpenDoor(TrailedView):
    """A door that asks for no credentials, and so looks at none: an ended token in the header closes nothing."""

    dialect = "punch"
    permission_classes = [AllowAny]
    authentication_classes = []


def _body(kind: type[serializers.Serializer], request: Request) -> dict[str, Any]:
    try:
        return inputs.body(kind, request)
    except UnsupportedMediaType as error:
        wrong = {"type": "dict_type", "loc": ["body"], "msg": "Input should be a valid dictionary"}
        raise InvalidInput([wrong]) from error


def _pair(tokens: services.Tokens) -> Response:
    return Response(
        {
            "access_token": tokens.access,
            "token_type": "bearer",
            "expires_in": tokens.expires_in,
            "refresh_token": tokens.refresh,
        }
    )


class Register(OpenDoor):
    @extend_schema(
        summary="Make an account for oneself",
        request=Registration,
        responses={
            201: Account,
            **errors(422, 429, e400="email_already_registered", e403="registration_disabled"),
        },
        examples=[
            example(
                "An address and a password", {"email": "uma@example.org", "password": "…"}, request_only=True
            ),
            example("The new account", ACCOUNT, status_codes=[201]),
        ],
    )
    def post(self, request: Request) -> Response:
        asked = _body(Registration, request)
        user = services.register(asked["email"], asked["password"], by=Caller.of(request))
        return Response(Account(user).data, status=201)


class Token(OpenDoor):
    """The form of OAuth 2.0's password grant."""

    parser_classes = [FormParser, MultiPartParser]

    @extend_schema(
        summary="Sign in",
        request={"application/x-www-form-urlencoded": PasswordGrant, "multipart/form-data": PasswordGrant},
        responses={200: TokenPair, **errors(422, 429, e401="invalid_credentials")},
        examples=[example("A pair of tokens", PAIR)],
    )
    def post(self, request: Request) -> Response:
        asked = inputs.checked(PasswordGrant, self._form(request))
        tokens = services.sign_in(
            asked["username"],
            asked["password"],
            otp=asked.get("otp") or None,
            by=Caller.of(request),
            door="auth",
        )
        return _pair(tokens)

    def _form(self, request: Request) -> Any:
        """The fields of the form; a body in another format has none of them."""
        try:
            return request.data
        except UnsupportedMediaType:
            return {}


class Refresh(OpenDoor):
    @extend_schema(
        summary="Change a refresh token for a new pair",
        description="A refresh token is used once; its reuse after 20 seconds ends the whole sign-in.",
        request=RefreshGrant,
        responses={200: TokenPair, **errors(422, 429, e401="invalid_token")},
        examples=[example("A pair of tokens", PAIR)],
    )
    def post(self, request: Request) -> Response:
        return _pair(services.refresh(_body(RefreshGrant, request)["refresh_token"], by=Caller.of(request)))


class Me(TrailedView):
    dialect = "punch"
    permission_classes = [IsAuthenticated]

    @extend_schema(
        summary="Who am I",
        responses={200: Account, **errors(401)},
        examples=[example("An account", ACCOUNT)],
    )
    def get(self, request: Request) -> Response:
        return Response(Account(request.user).data)


class Logout(TrailedView):
    dialect = "punch"
    permission_classes = [IsAuthenticated]

    @extend_schema(
        summary="Sign out",
        description="This sign-in ends with all its tokens, everywhere and at once.",
        request=SignOut,
        responses={204: None, **errors(401, 422)},
    )
    def post(self, request: Request) -> Response:
        asked = _body(SignOut, request) if request.META.get("CONTENT_LENGTH") not in (None, "", "0") else {}
        known: Any = request.auth
        services.sign_out(
            known.sign_in,
            by=Caller.of(request),
            jti=known.jti,
            refresh_token=asked.get("refresh_token"),
        )
        return Response(status=204)


class SigningKeys(OpenDoor):
    dialect = "waymark"

    @extend_schema(
        summary="The public keys that verify tokens",
        description="A JWK Set (RFC 7517): the current key, the next one and former ones.",
        responses={200: PublicKeys},
    )
    def get(self, request: Request) -> Response:
        return Response(keys.ring().jwks, headers={"Cache-Control": "public, max-age=300"})
