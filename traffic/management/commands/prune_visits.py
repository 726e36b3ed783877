from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from activity.callers import Caller
from traffic import retention


class Command(BaseCommand):
    help = "Empties who it was in old visits and deletes very old ones; roll-ups and the total stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        keep, name = settings.VISIT_KEEP_DAYS, settings.VISIT_ANONYMISE_DAYS
        parser.add_argument("--anonymise-after", type=int, default=name, metavar="DAYS", help=f"({name})")
        parser.add_argument("--delete-after", type=int, default=keep, metavar="DAYS", help=f"({keep})")
        parser.add_argument("--batch", type=int, default=retention.BATCH, help="rows a transaction, at most")
        parser.add_argument("--dry-run", action="store_true", help="only say how many rows it would be")

    def handle(self, *args: Any, **options: Any) -> None:
        if min(options["anonymise_after"], options["delete_after"]) < 1 or options["batch"] < 1:
            raise CommandError("Days and rows are whole numbers from 1 up.")
        now, days = timezone.now(), (options["anonymise_after"], options["delete_after"])
        due = retention.due(now, *days)
        if options["dry_run"]:
            self.stdout.write(f"Would anonymise {due.anonymised:,} visits and delete {due.deleted:,}.")
            return
        with tqdm(total=due.anonymised + due.deleted, unit=" visits", disable=None) as bar:
            pruned = retention.prune(
                now,
                by=Caller.of_system(),
                anonymise_after=days[0],
                delete_after=days[1],
                batch=options["batch"],
                progress=bar.update,
            )
        if pruned is None:
            raise CommandError("Another run is at it.")
        self.stdout.write(f"Anonymised {pruned.anonymised:,} visits, deleted {pruned.deleted:,}.")
