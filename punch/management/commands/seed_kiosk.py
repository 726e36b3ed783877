"""`manage.py seed_kiosk [--with-key]`: the kiosk that tests of clients expect (punch.md 3.8)."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from activity.callers import Caller
from config.errors import Refusal
from punch import services
from punch.seed import first_kiosk


class Command(BaseCommand):
    help = "Makes the kiosk Test-Kiosk-ClockIn unless it is there, and with --with-key a new key for it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--with-key", action="store_true", help="give it a new key; the old one ends")

    def handle(self, *args: Any, **options: Any) -> None:
        by = Caller.of_system("init-system")
        try:
            kiosk = first_kiosk(by=by)
            self.stdout.write(f"kiosk_id={kiosk.pk}")
            if options["with_key"]:
                self.stdout.write(f"api_key={services.generate_key(kiosk.pk, by=by)[1].text}")
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
