import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from activity.callers import Caller
from config.inputs import Moment
from traffic.recount import reach, recount


class Command(BaseCommand):
    help = "Counts all visits anew and names every roll-up that differs; ends with 1 when there is one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--from", dest="start", help="ISO date or time; default: as far back as rows are whole"
        )
        parser.add_argument("--to", dest="end", help="ISO date or time; default: now")
        parser.add_argument("--repair", action="store_true", help="write what was counted, hour by hour")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        span = reach(self._moment(options["start"]), self._moment(options["end"]), now)
        if span is None:
            self.stdout.write("There are no visits.")
            return
        number = 0
        for difference in recount(span, now, repair=options["repair"], by=Caller.of_system()):
            number += 1
            self.stdout.write(str(difference))
        if not number:
            self.stdout.write(
                f"Everything is right from {span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M}."
            )
            return
        done = "repaired" if options["repair"] else "found"
        self.stdout.write(f"{number} differences {done}.")
        sys.exit(1)

    def _moment(self, text: str | None) -> Any:
        try:
            return Moment().run_validation(text) if text else None
        except ValidationError as error:
            raise CommandError(f"{text} is no date: {' '.join(map(str, error.detail))}") from error
