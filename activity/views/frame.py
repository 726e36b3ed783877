"""What the pages of the trail have in common: who may read them, the period picker, figures."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from activity.forms import PageQuery

View = Callable[..., HttpResponse]


def for_readers(view: View) -> View:
    """A page for readers of the trail: strangers are sent to sign in, other roles are refused."""
    allowed = permission_required("activity.read_trail", raise_exception=True)(view)
    return never_cache(login_required(allowed))


def reader_page(view: View) -> View:
    """A page for readers of the trail that changes nothing."""
    return require_safe(for_readers(view))


def periods(*, everything: bool = False) -> list[tuple[str, str]]:
    short = {"1h": _("1 h"), "24h": _("24 h"), "7d": _("7 d"), "30d": _("30 d"), "all": _("All")}
    return [(key, words) for key, words in short.items() if everything or key != "all"]


def timed(query: PageQuery, *, everything: bool = False) -> dict[str, Any]:
    """What the period picker of a page shows."""
    return {
        "periods": periods(everything=everything),
        "period": query.period,
        "period_words": query.period_words(),
    }


def figure(label: str, value: int, link: str, change: str = "") -> dict[str, Any]:
    return {"label": label, "value": value, "link": link, "change": change}
