"""How credentials look in the OpenAPI document, so that Swagger's Authorize button works."""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension

Definition = dict[str, Any]


class AccessTokenScheme(OpenApiAuthenticationExtension):
    """Either sign in by the button (password grant of /auth/token), or paste an access token."""

    target_class = "identity.authentication.AccessTokenAuthentication"
    name = ["accessToken", "signIn"]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: Any) -> list[Definition]:
        return [
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "An access token; `Authorization: JWT …` is taken too.",
            },
            {"type": "oauth2", "flows": {"password": {"tokenUrl": "/auth/token", "scopes": {}}}},
        ]


class PageSessionScheme(OpenApiAuthenticationExtension):
    """The browser session; unsafe methods also need the CSRF header."""

    target_class = "identity.authentication.PageSessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> Definition:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "Sign in at /accounts/login/; send the cookie XSRF-TOKEN as header X-XSRF-TOKEN.",
        }
