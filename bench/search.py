"""Audit search and statistics at 10,000 and 1,000,000 rows, on SQLite and, where it answers, on PostgreSQL.

Prints p50 and p95 in milliseconds and the ratios that PERFORMANCE.md promises; ends with 1 when a "must" fails.
The same last 24 hours are in both sizes: the longer trail is longer in the past. Rounds alternate between the
sizes, ratios are formed inside each round, their median counts.

    python bench/search.py [--rows 1000000] [--rounds 3]
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SMALL, A_DAY, CHUNK, REPEATS = 10_000, 2_000, 20_000, 15
SERVER = os.environ.get("TEST_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres").rsplit("/", 1)[
    0
]
MUST_PAGE, AIM_PAGE, MUST_STATISTICS, MUST_EXTRA_MS = 3.0, 1.5, 1.5, 10.0
COLUMNS = (
    "audit_id", "timestamp", "domain", "category", "action", "trace_id", "result", "reason", "user_id",
    "user_login", "source_ip", "provider_id", "provider_type", "provider_name", "provider_protocol",
)  # fmt: skip
PROVIDERS = [
    (1, "idp", "Keycloak", "SAML"), (2, "idp", "Local", "Internal"), (3, "idp", "Directory", "LDAP"),
    (4, "sp", "Mail", "SAML"), (5, "sp", "Wiki", "SAML"), (6, "sp", "Sales", "OIDC"), (7, "sp", "Code", "OAuth2"),
]  # fmt: skip
REASONS = ["unknown_user", "account_locked", "permission_denied", "timeout"]


# --- a trail to search ------------------------------------------------------------------------------------------
def trail(count, now):
    """Sessions of 20 people, day by day up to now; each day has its own draws, so every size ends alike."""
    rng = random.Random(1)
    people = [(f"{rng.getrandbits(128):032x}", f"person{n}") for n in range(20)]
    for day in range(-(-count // A_DAY) - 1, -1, -1):
        yield from islice(sessions(people, random.Random(day), now - timedelta(days=day + 1)), A_DAY)


def sessions(people, rng, moment):
    """One day from `moment` on."""
    while True:
        person, trace = rng.choice(people), f"{rng.getrandbits(128):032x}"
        address = ".".join(str(rng.randrange(1, 224)) for _ in range(4))
        for position in range(rng.randrange(1, 6)):
            moment += timedelta(days=1) / A_DAY
            provider = rng.choice(PROVIDERS[3:] if position else PROVIDERS[:3])
            fails = rng.random() < 0.3
            yield (
                f"{rng.getrandbits(128):032x}", moment, "activity", "autorisation",
                "access" if position else "authentication", trace, "fail" if fails else "success",
                rng.choice(REASONS) if fails else None, *person, address, *provider,
            )  # fmt: skip


def fill(count):
    from django.db import connection, transaction

    from activity.seed import indexes
    from activity.services import count_blocks

    indexes.drop()  # built at the end, which takes half the time
    rows = trail(count, datetime.now(UTC).replace(microsecond=0))
    names = ", ".join(COLUMNS)
    while chunk := list(islice(rows, CHUNK)):
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                with cursor.copy(f"COPY activity_entry ({names}) FROM STDIN") as copy:
                    for row in chunk:
                        copy.write_row(row)
            else:
                marks = ", ".join(["%s"] * len(COLUMNS))
                cursor.executemany(f"INSERT INTO activity_entry ({names}) VALUES ({marks})", [
                    (row[0], str(row[1].replace(tzinfo=None)), *row[2:]) for row in chunk
                ])  # fmt: skip
    indexes.restore()
    count_blocks()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE activity_entry" if connection.vendor == "postgresql" else "ANALYZE")


# --- what is measured -------------------------------------------------------------------------------------------
def filters():
    """One filter for each index, some of several values, and the broad ones that no index serves."""
    from activity.models import Entry
    from activity.queries.search import Filter

    newest = Entry.objects.latest("timestamp")
    middle = Entry.objects.filter(timestamp__lte=newest.timestamp - timedelta(days=2)).latest("timestamp")
    oldest = Entry.objects.earliest("timestamp")
    span = {"start": oldest.timestamp, "end": newest.timestamp}
    day = {"start": newest.timestamp - timedelta(days=1), "end": newest.timestamp}
    return {
        "time: all": Filter(**span),
        "time: 24 h": Filter(**day),
        "trace_id": Filter(**span, trace_id=(middle.trace_id,)),
        "user_login": Filter(**span, user_login=("person3",)),
        "user_id": Filter(**span, user_id=(middle.user_id,)),
        "provider_id": Filter(**span, provider_id=(4,)),
        "source_ip": Filter(**span, source_ip=(middle.source_ip,)),
        "domain": Filter(**span, domain=("activity",)),
        "result": Filter(**span, result=("fail",)),
        "action+reason": Filter(**span, action=("access",), reason=("timeout",)),
        "login 24 h": Filter(**day, user_login=("person3",)),
    }


def timed(function):
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function()
        taken.append((time.perf_counter() - start) * 1000)
    return taken


def by_hand(asked):
    """The two statements that somebody would type: the page, and the count."""
    from django.db import connection

    from activity.queries.search import ROW, matching

    page = matching(asked).order_by("-timestamp", "-sequence").values(*ROW)[:20]
    total = matching(asked)
    sql, parameters = page.query.sql_with_params()
    count_sql, count_parameters = total.values("pk").query.sql_with_params()

    def run():
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            cursor.fetchall()
            cursor.execute(f"SELECT COUNT(*) FROM ({count_sql}) AS rows", count_parameters)
            cursor.fetchone()

    return run


def requests(asked):
    from rest_framework.test import APIClient

    from identity.models import User
    from identity.services import open_sign_in

    person, made = User.objects.get_or_create(username="bench")
    if made:
        from django.contrib.auth.models import Group

        person.groups.add(Group.objects.get(name="auditor"))
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {open_sign_in(person).access}")
    times = {"start": asked.start.isoformat(), "end": asked.end.isoformat()}
    body = {"filter": {"time_range": times, **{k: list(v) for k, v in asked.restrictions().items()}}}

    def run():
        answer = client.post("/api/v1/audit/", body, format="json")
        assert answer.status_code == 200, answer.content

    return run


def measure():
    from django.utils import timezone

    from activity.queries import search as searching
    from activity.queries import statistics as figures

    result = {"page": {}, "search": {}, "request": {}, "by hand": {}, "statistics": {}}
    for name, asked in filters().items():
        found = searching.total(asked)
        result["page"][name] = timed(lambda a=asked, f=found: searching.page_of(a, 1, 20, f))
        result["search"][name] = timed(lambda a=asked: searching.search(a, 1, 20))
        result["by hand"][name] = timed(by_hand(asked))
        result["request"][name] = timed(requests(asked))
    now = timezone.now()
    for function in (
        figures.current, figures.users_by_hour, figures.providers, figures.protocols, figures.failure_reasons,
        figures.users_summary,
    ):  # fmt: skip
        result["statistics"][function.__name__] = timed(lambda f=function: f(now, timedelta(hours=24)))
    print(json.dumps(result))


# --- rounds, ratios, verdict --------------------------------------------------------------------------------------
def p50(taken):
    return statistics.median(taken)


def p95(taken):
    return sorted(taken)[max(0, round(len(taken) * 0.95) - 1)]


def child(url, folder, *arguments):
    environment = {**os.environ, "DATABASE_URL": url, "VAR_DIR": folder, "DEBUG": "1", "LOG_LEVEL": "WARNING"}
    command = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else None


def ratios(rounds, kind, name, figure=p95):
    return statistics.median(figure(big[kind][name]) / figure(small[kind][name]) for small, big in rounds)


def report(vendor, rounds):
    """Print the table of one database; the sentences about what it must reach and does not."""
    failures = []
    print(f"\n{vendor}: p50 / p95 ms at the large size, and large against small (p95, median of rounds)")
    print(
        f"{'filter':16}{'page':>17}{'ratio':>7}{'with total':>19}{'ratio':>7}{'by hand':>17}{'request':>17}{'extra':>8}"
    )
    for name in rounds[0][0]["page"]:
        cells = [
            f"{statistics.median(p50(big[kind][name]) for _, big in rounds):8.1f}"
            f"/{statistics.median(p95(big[kind][name]) for _, big in rounds):8.1f}"
            for kind in ("page", "search", "by hand", "request")
        ]
        page, whole = ratios(rounds, "page", name), ratios(rounds, "search", name)
        extra = min(min(big["request"][name]) for _, big in rounds) - min(
            min(big["by hand"][name]) for _, big in rounds
        )  # the least: what other programs on the machine cannot add to
        print(f"{name:16}{cells[0]}{page:7.2f}  {cells[1]}{whole:7.2f}{cells[2]}{cells[3]}{extra:8.1f}")
        if page > MUST_PAGE:
            failures.append(f"{vendor}: page by {name} takes {page:.2f} times as long (must {MUST_PAGE})")
        if extra > MUST_EXTRA_MS:
            failures.append(
                f"{vendor}: request by {name} takes {extra:.1f} ms more than its SQL (must {MUST_EXTRA_MS})"
            )
    for name in rounds[0][0]["statistics"]:
        taken = [big["statistics"][name] for _, big in rounds]
        ratio = ratios(rounds, "statistics", name, p50)
        print(
            f"{name:22}{statistics.median(map(p50, taken)):8.1f}/{statistics.median(map(p95, taken)):8.1f}{ratio:7.2f}"
        )
        if ratio > MUST_STATISTICS:
            failures.append(
                f"{vendor}: statistics {name} take {ratio:.2f} times as long (must {MUST_STATISTICS})"
            )
    return failures


def databases(folder):
    """Each engine with the addresses of an empty database for each size."""
    yield "SQLite", [f"sqlite:///{folder}/{size}.sqlite3" for size in ("small", "large")]
    import psycopg

    try:
        server = psycopg.connect(f"{SERVER}/postgres", autocommit=True, connect_timeout=2)
    except psycopg.OperationalError:
        print("PostgreSQL does not answer; left out")
        return
    names = [f"wm_bench_search_{size}_{os.getpid()}" for size in ("small", "large")]
    with server:
        for name in names:
            server.execute(f"CREATE DATABASE {name}")
        try:
            yield "PostgreSQL", [f"{SERVER}/{name}" for name in names]
        finally:
            for name in names:
                server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def main(rows, count):
    failures = []
    with tempfile.TemporaryDirectory(prefix="waymark-bench-") as folder:
        for vendor, urls in databases(folder):
            for url, size in zip(urls, (SMALL, rows), strict=True):
                start = time.perf_counter()
                child(url, folder, "--fill", size)
                print(f"{vendor}: {size} rows in {time.perf_counter() - start:.0f} s", flush=True)
            rounds = [[child(url, folder, "--measure") for url in urls] for _ in range(count)]
            failures += report(vendor, rounds)
    print("\n" + ("\n".join(failures) or "All musts are met."))
    return bool(failures)


def within_django(run):
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fill", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.fill:
        within_django(lambda: fill(asked.fill))
    elif asked.measure:
        within_django(measure)
    else:
        sys.exit(main(asked.rows, asked.rounds))
