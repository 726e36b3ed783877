"""Exports of the trail: bounded per person, and each a row of the trail before its first byte leaves."""

import fcntl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from django.conf import settings

from activity.callers import Caller
from activity.models import Domain
from activity.queries.exporting import FORMATS, rows_of
from activity.queries.search import Filter, matching
from activity.services.counting import horizon
from activity.services.trail import recorded
from config.errors import TooManyRequests, Unavailable

AT_A_TIME = 2
PATIENCE_SECONDS = 3.0


class Slot:
    """One of the exports that a person may run at a time on this machine; a dead process leaves it free."""

    def __init__(self, person: str) -> None:
        folder = Path(settings.VAR_DIR) / "exports"
        folder.mkdir(parents=True, exist_ok=True)
        self.held = self._take([folder / f"{person}-{number}" for number in range(AT_A_TIME)])

    def _take(self, paths: list[Path]) -> IO[str]:
        for path in paths:
            file = path.open("w")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
            else:
                return file
        raise TooManyRequests(10)

    def free(self) -> None:
        self.held.close()


class Export:
    """The text of an export; closing it, read or unread, frees its slot."""

    def __init__(self, text: Iterator[bytes], slot: Slot, total: int, last: int) -> None:
        self.text, self.slot, self.total, self.last = text, slot, total, last

    def __iter__(self) -> Iterator[bytes]:
        return self.text

    def close(self) -> None:
        self.slot.free()


def _settled() -> int:
    """The highest number that can be told to be the last word; waits for open writers, but not for ever."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (known := horizon()) is None:
        if time.monotonic() > deadline:
            raise Unavailable
    return known


def export_trail(asked: Filter, after: int, form: str, *, by: Caller) -> Export:
    """Everything that the filter finds behind `after`, as it stands now; the export is itself a row."""
    slot = Slot(str(by.user.pk) if by.user is not None else by.login)
    try:
        upto = _settled()
        found = matching(asked)
        total = found.filter(pk__gt=after, pk__lte=upto).count()
        with recorded("export_trail", domain=Domain.ACTIVITY, by=by) as line:
            span = {name: str(value) for name in ("start", "end") if (value := getattr(asked, name))}
            named = {name: list(values) for name, values in asked.restrictions().items()}
            line.details |= {
                "filter": {**span, **named},
                "after_sequence": after,
                "rows": total,
                "format": form,
            }
        text = FORMATS[form][1](rows_of(found, after, upto))
    except BaseException:
        slot.free()
        raise
    return Export(text, slot, total, upto)
