from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from activity.callers import Caller
from identity.rotation import encrypted_models, rotate


class Command(BaseCommand):
    help = (
        "Re-encrypts personal data with the first key of PII_ENCRYPTION_KEYS and renews the blind indexes with the "
        "first of PII_INDEX_KEYS, while the site runs. A run that was stopped is finished by the next one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch", type=int, default=500, help="rows in one transaction (500)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["batch"] <= 10_000:
            raise CommandError("--batch takes a number from 1 to 10000.")
        rows = sum(model._base_manager.count() for model in encrypted_models())
        with tqdm(total=rows, unit=" rows", desc="Personal data", file=self.stderr) as bar:
            outcomes = rotate(Caller.of_system(), batch=options["batch"], progress=bar.update)
        for outcome in outcomes:
            self.stdout.write(f"{outcome.table}: {outcome.changed} of {outcome.rows} rows renewed.")
        if unreadable := [f"{each.table} {pk}" for each in outcomes for pk in each.unreadable]:
            named = ", ".join(unreadable[:20]) + (" …" if len(unreadable) > 20 else "")
            raise CommandError(
                f"{len(unreadable)} rows are opened by no key of the ring and stay as they are: {named}. "
                "Keep the old keys."
            )
        self.stdout.write(
            "Everything is sealed with the newest keys; older ones can be taken out of the rings."
        )
