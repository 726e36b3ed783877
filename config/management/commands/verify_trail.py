"""`manage.py verify_trail`: check the whole trail against its seals."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from tqdm import tqdm

from activity.callers import Caller
from activity.queries.verifying import Report, Verification, against_checkpoint
from activity.sealing import key_id, public_key
from activity.services import report_verification
from activity.signing import Keys, KeyUnreadable, trusted_keys

MOST_IN_JSON = 1_000


class Command(BaseCommand):
    help = "Checks every sealed row of the trail. Exit 0: intact; 1: problems; 2: could not verify."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="start", type=int, default=1, metavar="N", help="first number")
        parser.add_argument("--to", dest="end", type=int, metavar="N", help="last number")
        parser.add_argument("--checkpoint", type=Path, help="a checkpoint that was kept elsewhere")
        parser.add_argument(
            "--public-key", type=Path, help="trust this key only (PEM, or base64 of 32 bytes)"
        )
        parser.add_argument("--json", action="store_true", help="print one object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = self._verified(**options)
        except (OSError, ValueError, TypeError, KeyError, KeyUnreadable, DatabaseError) as error:
            raise CommandError(f"Could not verify: {error}.", returncode=2) from error
        self._show(report, options["json"])
        if not report.ok:
            raise SystemExit(1)

    def _verified(self, *, start: int, end: int | None, json: bool, **options: Any) -> Report:
        keys = _keys(options["public_key"])
        checkpoint = options["checkpoint"]
        beyond = _compared(checkpoint, keys) if checkpoint else []
        with tqdm(unit=" rows", unit_scale=True, disable=None, leave=False) as bar:
            run = Verification(keys, limit=MOST_IN_JSON if json else None, progress=bar.update)
            report = run.run(max(start, 1), end)
        report.problems += beyond
        report_verification(report, by=Caller.of_system("verify_trail"))
        return report

    def _show(self, report: Report, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(report.shape()))
            return
        for problem in report.problems:
            self.stdout.write(str(problem))
        verdict = "intact" if report.ok else f"{len(report.problems)} problems"
        self.stdout.write(
            f"{report.checked_rows} rows in {report.checked_segments} segments: {verdict}; "
            f"{report.unsealed_rows} rows wait for their seal; head {report.head}"
        )


def _keys(path: Path | None) -> Keys:
    if path is None:
        return trusted_keys()
    key = public_key(path.read_text())
    return {key_id(key): key}


def _compared(path: Path, keys: Keys) -> list[Any]:
    kept = json.loads(path.read_text())
    return against_checkpoint(kept["payload"], kept["signature"], keys)
