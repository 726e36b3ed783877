from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.background import duties, run_once


class Command(BaseCommand):
    help = "Does every periodic duty once, for cron; `serve` does them by itself."

    def handle(self, *args: Any, **options: Any) -> None:
        failed = run_once()
        if failed:
            raise CommandError(f"Failed, see the log: {', '.join(failed)}.")
        if options["verbosity"] > 1:
            self.stdout.write(f"Done: {', '.join(duty.name for duty in duties())}.")
