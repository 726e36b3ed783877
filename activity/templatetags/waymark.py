"""How times, series and addresses of lists are written in templates."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from activity import charts

register = template.Library()


def _words(moment: datetime, now: datetime, form: str) -> str:
    clock = f"{moment:%H:%M:%S}" if form == "seconds" else f"{moment:%H:%M}"
    if moment.date() == now.date():
        return clock
    if timedelta(0) <= now - moment < timedelta(days=6):
        return f"{moment:%a} {clock}"
    return f"{moment:%Y-%m-%d}" if form == "short" else f"{moment:%Y-%m-%d} {clock}"


@register.simple_tag
def moment(value: datetime | None, form: str = "short") -> SafeString | str:
    """A time in UTC: `14:02` today, `Tue 14:02` this week, the ISO date otherwise; script makes it local.

    `form` is `short`, `full` (an old day keeps its time) or `seconds`.
    """
    if not value:
        return "–"
    at = value.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC" data-form="{}">{}</time>',
        at.isoformat().replace("+00:00", "Z"),
        f"{at:%Y-%m-%d %H:%M:%S}",
        form,
        _words(at, timezone.now(), form),
    )


@register.inclusion_tag("_spark.html")
def spark(values: Sequence[int], label: str) -> dict[str, Any]:
    """A line of the last hours without axes; the numbers stand beside it."""
    top = max(values, default=0) or 1
    step = 100 / max(len(values) - 1, 1)
    points = " ".join(f"{i * step:.1f},{38 - 36 * value / top:.1f}" for i, value in enumerate(values))
    return {"points": points, "label": label}


@register.filter
def share(part: int | None, whole: int | None) -> str:
    """How wide a bar is, as an attribute of SVG wants it."""
    return f"{100 * (part or 0) / whole:.1f}%" if whole else "0%"


@register.filter
def short_id(value: object) -> str:
    """The beginning of an id, enough to tell neighbours apart."""
    text = str(value)
    return text if len(text) <= 12 else f"{text[:8]}…"


@register.simple_tag
def log_link(**filters: Any) -> str:
    """The address of the log book over all time with these filters."""
    return charts.log_link(**filters, range="all")
