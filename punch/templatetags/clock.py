"""How hours, flags and punches are written in templates."""

from datetime import date

from django import template
from django.utils.translation import gettext as _

from punch.hours import Flag, Row, Stamp, as_clock, worked
from punch.queries.stamps import Kiosks
from punch.queries.timesheet import Sheet

register = template.Library()


@register.filter
def clock(seconds: int) -> str:
    """`H:MM`."""
    return as_clock(seconds)


@register.filter
def duration(seconds: int) -> str:
    """`2 h 05 min`."""
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


@register.filter
def on(sheet: Sheet, day: date) -> list[Row]:
    return sheet.on(day)


@register.filter
def sum_of(rows: list[Row]) -> int:
    return worked(rows)


@register.filter
def at(stamp: Stamp | None) -> str:
    """The time at the kiosk, in its own zone."""
    return f"{stamp.local:%H:%M}" if stamp is not None else "–"


@register.filter
def called(kiosks: Kiosks, stamp: Stamp | None) -> str:
    return kiosks.name(stamp)


@register.filter
def flag_words(flag: Flag | None) -> str:
    """What is wrong with a row, in words."""
    words = {
        Flag.MISSING_OUT: _("no clock-out"),
        Flag.MISSING_IN: _("no clock-in"),
        Flag.IN_PROGRESS: _("in progress"),
        Flag.DUPLICATE: _("scanned twice"),
    }
    return words[flag] if flag is not None else ""
