"""How fast `manage.py seed` fills the trail, against bulk_create of such rows (PERFORMANCE.md, 3).

    python bench/seed.py [--rows 1000000] [--sample 20000] [--rounds 3] [--only sqlite|postgresql]

Each round seeds an empty database with `--rows` by the real command, then lets bulk_create write `--sample` rows of
the same generator twice: into an empty table and on top of the seeded one. bulk_create of the whole would take the
mean of the two. Only its own calls are timed, not the making of rows or objects; of `seed` the whole command is.
The ratio is formed inside each round. Ends with 1 when a "must" fails. PostgreSQL is used when it answers
(TEST_DATABASE_URL).
"""

import argparse
import os
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


def bulk_create(sample: int) -> None:
    """Child: print the seconds that bulk_create takes for `sample` rows that no seed of ours has."""
    import django

    django.setup()
    from django.utils.dateparse import parse_datetime

    from activity.generator import Story, cast_of, finished
    from activity.generator.clock import milliseconds
    from activity.generator.story import columns
    from activity.models import Entry

    until = milliseconds(parse_datetime(os.environ["BENCH_UNTIL"]))
    heads = {"identity": bytes(32), "activity": bytes(32)}
    story = Story(cast_of(99, 10), births_after=0)
    made = (row for batch in story.batches(until) for row in finished(batch.rows, heads))
    seconds = 0.0
    left = islice(made, sample)
    while chunk := list(islice(left, AT_ONCE)):
        entries = [Entry(**columns(row) | {"timestamp": parse_datetime(row[0])}) for row in chunk]
        started = time.perf_counter()
        Entry.objects.bulk_create(entries)
        seconds += time.perf_counter() - started
    print(seconds)


def manage(environment: dict[str, str], *arguments: str) -> float:
    """Run a command of the project; its peak memory in MB."""
    command = [sys.executable, "manage.py", *arguments, "--skip-checks"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"manage.py {arguments[0]} failed")
    return used.ru_maxrss / 1024


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


def timed_bulk_create(environment: dict[str, str], sample: int) -> float:
    """Seconds of the child above."""
    command = [sys.executable, __file__, "--bulk-create", "--sample", str(sample)]
    child = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return float(child.stdout)


def one_round(kind: str, folder: str, options: argparse.Namespace) -> tuple[float, float, float]:
    """Rows per second of `seed` and of bulk_create, and the memory of `seed` in MB."""
    base = os.environ | {"DEBUG": "1", "VAR_DIR": folder, "BENCH_UNTIL": options.until}
    base |= {"PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "config.settings"}
    seeded = base | {"DATABASE_URL": database(kind, folder, "wm_bench_seed")}
    plain = base | {"DATABASE_URL": database(kind, folder, "wm_bench_bulk")}
    for environment in (seeded, plain):
        manage(environment, "migrate", "-v0")
    wish = ["--domain", "activity", "--seed", "1", "--rows", str(options.rows), "--until", options.until]
    on_empty = timed_bulk_create(plain, options.sample)
    started = time.perf_counter()
    memory = manage(seeded, "seed", *wish)
    fast = options.rows / (time.perf_counter() - started)
    on_full = timed_bulk_create(seeded, options.sample)
    return fast, 2 * options.sample / (on_empty + on_full), memory


def measure(kind: str, options: argparse.Namespace) -> bool:
    """Print the rounds of one database; returns whether the "must" is met."""
    with tempfile.TemporaryDirectory(prefix="waymark-bench-") as folder:
        rounds = [one_round(kind, folder, options) for _ in range(options.rounds)]
    if kind == "postgresql":
        server("DROP DATABASE wm_bench_seed")
        server("DROP DATABASE wm_bench_bulk")
    ratios = [fast / slow for fast, slow, _ in rounds]
    for fast, slow, memory in rounds:
        print(
            f"{kind:<11} seed {fast:>8,.0f} rows/s   bulk_create {slow:>8,.0f} rows/s   {fast / slow:4.1f}x"
            f"   {memory:.0f} MB"
        )
    ratio, memory = statistics.median(ratios), max(memory for *_, memory in rounds)
    met = ratio >= MUST[kind] and memory <= MUST_MEMORY_MB
    print(
        f"{kind:<11} median {ratio:.1f}x ({min(ratios):.1f} to {max(ratios):.1f}), must {MUST[kind]:.0f}x; "
        f"{memory:.0f} MB, must {MUST_MEMORY_MB}: {'met' if met else 'MISSED'}"
    )
    return met


def answers() -> bool:
    try:
        server("SELECT 1")
    except Exception as reason:  # whatever it is, it does not answer
        print(f"PostgreSQL left out: {type(reason).__name__}")
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--sample", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--until", default="2026-11-01T00:00:00Z")
    parser.add_argument("--only", choices=list(MUST))
    parser.add_argument("--bulk-create", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bulk_create:
        bulk_create(options.sample)
        return 0
    kinds = [kind for kind in MUST if options.only in (None, kind)]
    met = [measure(kind, options) for kind in kinds if kind == "sqlite" or answers()]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
