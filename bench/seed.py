"""How fast `manage.py seed` fills the trail, against bulk_create of the same rows (PERFORMANCE.md, 3).

    python bench/seed.py [--rows 1000000] [--sample 100000] [--rounds 3] [--only sqlite|postgresql]

Each round seeds an empty database with `--rows` by the real command and then lets bulk_create write the first
`--sample` of these rows into another empty table (a smaller table with the same indexes, which favours
bulk_create); only the calls of bulk_create are timed, not the making of rows or objects. The ratio is formed inside
each round. Ends with 1 when a "must" fails. PostgreSQL is used when it answers (TEST_DATABASE_URL).
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MUST = {"sqlite": 3.0, "postgresql": 5.0}
MUST_MEMORY_MB = 300
SERVER = os.environ.get("TEST_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
AT_ONCE = 10_000


def bulk_create(sample: int, rows: int) -> None:
    """Child: print the seconds that bulk_create takes for the first `sample` rows of the same history."""
    import django

    django.setup()
    from activity.generator import Story, cast_of, finished, plan
    from activity.generator.clock import milliseconds
    from activity.generator.story import columns
    from activity.models import Entry
    from django.utils.dateparse import parse_datetime

    until = milliseconds(parse_datetime(os.environ["BENCH_UNTIL"]))
    wanted = plan(1, 10, rows, until)
    story = Story(cast_of(1, wanted.users), births_after=0, thinning=wanted.thinning)
    heads = {"identity": bytes(32), "activity": bytes(32)}
    made = (row for batch in story.batches(until) for row in finished(batch.rows, heads))
    seconds = 0.0
    left = islice(made, sample)
    while chunk := list(islice(left, AT_ONCE)):
        entries = [Entry(**columns(row) | {"timestamp": parse_datetime(row[0])}) for row in chunk]
        started = time.perf_counter()
        Entry.objects.bulk_create(entries)
        seconds += time.perf_counter() - started
    print(seconds)


def manage(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments, "--skip-checks"]
    return subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    ).stdout


def server(statement: str) -> None:
    import psycopg

    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(statement)


def database(kind: str, folder: str, name: str) -> str:
    """The address of a new empty database."""
    if kind == "sqlite":
        for old in Path(folder).glob(f"{name}.sqlite3*"):
            old.unlink()
        return f"sqlite:///{folder}/{name}.sqlite3"
    server(f"DROP DATABASE IF EXISTS {name}")
    server(f"CREATE DATABASE {name}")
    return f"{SERVER.rsplit('/', 1)[0]}/{name}"


def one_round(kind: str, folder: str, options: argparse.Namespace) -> tuple[float, float]:
    """Rows per second of `seed` and of bulk_create."""
    base = os.environ | {
        "DEBUG": "0",
        "SECRET_KEY": "bench" * 20,
        "VAR_DIR": folder,
        "BENCH_UNTIL": options.until,
    }
    base |= {"DEBUG": "1", "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "config.settings"}
    seeded = base | {"DATABASE_URL": database(kind, folder, "wm_bench_seed")}
    manage(seeded, "migrate", "-v0")
    started = time.perf_counter()
    manage(seeded, "seed", "--seed", "1", "--rows", str(options.rows), "--until", options.until)
    fast = options.rows / (time.perf_counter() - started)

    plain = base | {"DATABASE_URL": database(kind, folder, "wm_bench_bulk")}
    manage(plain, "migrate", "-v0")
    command = [
        sys.executable,
        __file__,
        "--bulk-create",
        "--sample",
        str(options.sample),
        "--rows",
        str(options.rows),
    ]
    seconds = subprocess.run(command, cwd=ROOT, env=plain, check=True, capture_output=True, text=True).stdout
    return fast, options.sample / float(seconds)


def measure(kind: str, options: argparse.Namespace) -> bool:
    """Print the rounds of one database; returns whether the "must" is met."""
    with tempfile.TemporaryDirectory(prefix="waymark-bench-") as folder:
        rounds = [one_round(kind, folder, options) for _ in range(options.rounds)]
    if kind == "postgresql":
        server("DROP DATABASE wm_bench_seed")
        server("DROP DATABASE wm_bench_bulk")
    ratios = [fast / slow for fast, slow in rounds]
    for fast, slow in rounds:
        print(f"{kind:<11} seed {fast:>8,.0f} rows/s   bulk_create {slow:>8,.0f} rows/s   {fast / slow:.1f}x")
    met = statistics.median(ratios) >= MUST[kind]
    print(
        f"{kind:<11} median {statistics.median(ratios):.1f}x ({min(ratios):.1f} to {max(ratios):.1f}), "
        f"must {MUST[kind]:.0f}x: {'met' if met else 'MISSED'}"
    )
    return met


def answers() -> bool:
    try:
        server("SELECT 1")
    except Exception as reason:  # noqa: BLE001 # whatever it is, it does not answer
        print(f"PostgreSQL left out: {type(reason).__name__}")
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--sample", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--until", default="2026-11-01T00:00:00Z")
    parser.add_argument("--only", choices=list(MUST))
    parser.add_argument("--bulk-create", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bulk_create:
        bulk_create(options.sample, options.rows)
        return 0
    kinds = [kind for kind in MUST if options.only in (None, kind)]
    met = [measure(kind, options) for kind in kinds if kind == "sqlite" or answers()]
    # The largest child so far is a seed of the full size.
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"memory      {memory:.0f} MB, must {MUST_MEMORY_MB} MB: {'met' if memory <= MUST_MEMORY_MB else 'MISSED'}"
    )
    return 0 if all(met) and memory <= MUST_MEMORY_MB else 1


if __name__ == "__main__":
    sys.exit(main())
