"""Every `Accept` gets JSON; only a browser gets the browsable API. Nothing is ever 406."""

from collections.abc import Iterable
from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class JSONUnlessBrowser(BaseContentNegotiation):
    """A browser is a client that asks for `text/html` by name."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """Only the declared content type counts; an absent one is not JSON."""
        kind = (request.content_type or "").split(";")[0].strip().lower()
        return next((parser for parser in parsers if _matches(kind, parser.media_type or "")), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[Any, str]:
        browser = "text/html" in request.META.get("HTTP_ACCEPT", "")
        known = list(renderers)
        chosen = next((r for r in known if (r.format == "api") == browser), known[0])
        return chosen, chosen.media_type or "application/json"


def _matches(kind: str, accepted: str) -> bool:
    return kind == accepted or (accepted == "application/json" and kind.endswith("+json"))
