"""`manage.py seed`: a believable, repeatable history of any size (activity.md 6)."""

import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from tqdm import tqdm

import identity.seed
from activity.generator import MAX_PEOPLE
from activity.models import Domain
from activity.seed import Progress, SeedRefused, Settled, Wish, only_seed, settle
from config.management import seeding

EARLIEST = datetime(2025, 5, 5, tzinfo=UTC)


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """An argument that is a number from `least` to `most`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ArgumentTypeError(f"{text!r} is not a whole number") from None
        if not least <= value <= most:
            raise ArgumentTypeError(f"{value} is not between {least} and {most}")
        return value

    return parse


def past_moment(text: str) -> datetime:
    """An argument that is a moment in ISO 8601, in UTC unless it says otherwise; a bare date is its midnight."""
    try:
        day = parse_date(text)
        moment = datetime.combine(day, datetime.min.time()) if day else parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise ArgumentTypeError(f"{text!r} is not a date or time in ISO 8601")
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not EARLIEST <= moment <= timezone.now():
        raise ArgumentTypeError(f"{text} is not between {EARLIEST:%Y-%m-%d} and now")
    return moment


class Lines:
    """Progress where there is no terminal: one line per 10 %."""

    def __init__(self, total: int, write: Callable[[str], object]) -> None:
        self.total, self.write = max(1, total), write
        self.done, self.tenths, self.started = 0, 0, time.perf_counter()

    def update(self, rows: int) -> None:
        self.done += rows
        tenths = min(10, self.done * 10 // self.total)
        if tenths > self.tenths:
            self.tenths = tenths
            rate = self.done / (time.perf_counter() - self.started)
            self.write(f"{tenths * 10:3d} %  {self.done:,} rows  {rate:,.0f} rows/s")


class Command(BaseCommand):
    help = "Plants demo and load data; run again, it goes on from where it stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--seed", type=whole_number(0, 2**63 - 1), help="number from which everything follows"
        )
        parser.add_argument("--users", type=whole_number(1, MAX_PEOPLE), help="number of people (default 10)")
        parser.add_argument("--until", type=past_moment, help="nothing generated is later (default now)")
        parser.add_argument(
            "--rows", type=whole_number(10_000, 20_000_000), help="wanted rows, met within 2 %%"
        )
        parser.add_argument("--domain", choices=["all", *Domain.values], default="all")
        parser.add_argument("--flush", action="store_true", help="delete the chosen domains first")
        parser.add_argument("--no-input", action="store_false", dest="interactive", help="do not ask")
        parser.add_argument("--force", action="store_true", help="allow --flush with DEBUG=0")

    def handle(self, **options: Any) -> None:
        try:
            self.seed(options)
        except SeedRefused as refusal:
            raise CommandError(str(refusal), returncode=2) from refusal

    def seed(self, options: dict[str, Any]) -> None:
        domains = seeding.chosen(options["domain"])
        of_traffic = domains == [Domain.TRAFFIC]
        if options["rows"] is not None and Domain.ACTIVITY not in domains and not of_traffic:
            raise SeedRefused(f"Domain {options['domain']} has no number of rows to choose.")
        if options["flush"]:
            self.allow_flush(domains, options)
        with only_seed():
            if options["flush"]:
                removed = seeding.flush(domains)
                self.stdout.write(f"Removed {removed:,} rows of {', '.join(sorted(domains))}.")
            rows = None if of_traffic else options["rows"]
            wish = Wish(options["until"] or timezone.now(), options["seed"], options["users"], rows)
            settled = replace(settle(wish), visits=options["rows"] if of_traffic else None)
            self.stdout.write(f"Seed {settled.seed}, {settled.cast} people.")
            harvests = self.run_with_progress(domains, settled)
            seeding.settle_down()
        self.report(harvests)

    def allow_flush(self, domains: list[str], options: dict[str, Any]) -> None:
        """Refuse, or ask, before anything is deleted."""
        if not settings.DEBUG and not options["force"]:
            raise SeedRefused("With DEBUG=0 --flush needs --force.")
        if options["interactive"]:
            question = f"This deletes all data of {', '.join(sorted(domains))}. Type yes to go on: "
            if input(question).strip() != "yes":
                raise SeedRefused("Nothing was deleted.")

    def run_with_progress(self, domains: list[str], settled: Settled) -> list[seeding.Harvest]:
        total = seeding.expected(domains, settled)
        if not sys.stderr.isatty():
            return seeding.run(domains, settled, Lines(total, self.stdout.write).update)
        with tqdm(total=total, unit=" rows", unit_scale=True) as bar:
            show: Progress = bar.update
            return seeding.run(domains, settled, show)

    def report(self, harvests: list[seeding.Harvest]) -> None:
        self.stdout.write(f"{'domain':<12}{'added':>12}{'total':>12}{'seconds':>9}{'rows/s':>9}  digest")
        for one in harvests:
            self.stdout.write(
                f"{one.domain:<12}{one.added:>12,}{one.total:>12,}{one.seconds:>9.1f}{one.per_second:>9,}"
                f"  {one.digest}"
            )
        if settings.DEBUG:
            logins = ", ".join(identity.seed.demo_logins())
            self.stdout.write(f"Demo accounts: {logins or 'none'}; password {settings.DEMO_PASSWORD}")
