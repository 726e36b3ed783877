import os
import signal
import sqlite3
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from activity.callers import Caller
from activity.models import Entry
from identity import rotation
from identity.encryption import sealed_by
from identity.models import User
from identity.rotation import encrypted_models, rotate
from tests.factories import PersonFactory
from tests.test_serve import environment, machine, manage

OLD, NEW = "the old key " * 4, "the new key " * 4
SYSTEM = Caller.of_system()


@pytest.fixture
def people(db: None, settings: Any) -> list[User]:
    """Seven people sealed with the old keys, in an installation whose rings have a newer one."""
    settings.PII_ENCRYPTION_KEYS, settings.PII_INDEX_KEYS = [OLD], [OLD]
    made = [PersonFactory(first_name="Zoé", last_name=f"Number {number}") for number in range(7)]
    settings.PII_ENCRYPTION_KEYS, settings.PII_INDEX_KEYS = [NEW, OLD], [NEW, OLD]
    return made


def stored(person: User) -> tuple[str, str, str, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT first_name, last_name, full_name, full_name_index FROM identity_user WHERE id = %s",
            [person.pk],
        )
        found: tuple[str, str, str, str] = cursor.fetchone()
        return found


def test_all_names_and_indexes_come_to_the_newest_keys_and_stay_the_same(
    people: list[User], settings: Any
) -> None:
    outcome = next(each for each in rotate(SYSTEM, batch=3) if each.table == "identity_user")
    assert (outcome.rows, outcome.changed, outcome.unreadable) == (7, 7, [])
    settings.PII_ENCRYPTION_KEYS, settings.PII_INDEX_KEYS = [NEW], [NEW]
    for number, person in enumerate(people):
        assert all(sealed_by(text, NEW) for text in stored(person)[:3])
        assert User.objects.get(pk=person.pk).full_name == f"Zoé Number {number}"
        assert list(User.objects.named(f"zoé number {number}")) == [person]


def test_a_run_leaves_one_row_and_the_next_has_nothing_to_do(people: list[User]) -> None:
    rotate(SYSTEM)
    before = [stored(person) for person in people]
    assert all(outcome.changed == 0 for outcome in rotate(SYSTEM))
    assert [stored(person) for person in people] == before
    row = Entry.objects.get(action="rotate_pii_keys")
    assert row.user_login is None
    assert row.details["changed"]["identity_user"] == 7


def test_people_are_found_and_read_before_during_and_after(people: list[User]) -> None:
    def everybody() -> bool:
        return all(
            list(User.objects.named(f"Zoé Number {number}")) == [User.objects.get(pk=person.pk)]
            and User.objects.get(pk=person.pk).last_name == f"Number {number}"
            for number, person in enumerate(people)
        )

    seen = [everybody()]
    rotate(SYSTEM, batch=2, progress=lambda rows: seen.append(everybody()))
    assert seen == [True] * len(seen)
    assert len(seen) > 4


def test_a_change_made_meanwhile_is_not_overwritten(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    original, changed = rotation._difference, []

    def then_somebody_changes_it(row: Any) -> Any:
        found = original(row)
        if isinstance(row, User) and row.pk == people[2].pk and not changed:
            changed.append(row.pk)
            person = User.objects.get(pk=row.pk)
            person.last_name = "Changed"
            person.save()
        return found

    monkeypatch.setattr(rotation, "_difference", then_somebody_changes_it)
    rotate(SYSTEM)
    person = User.objects.get(pk=people[2].pk)
    assert (person.first_name, person.last_name) == ("Zoé", "Changed")
    assert all(sealed_by(text, NEW) for text in stored(person)[:3])


def test_a_row_read_before_the_rotation_and_saved_after_it_keeps_the_newest_key(people: list[User]) -> None:
    stale = User.objects.get(pk=people[0].pk)
    rotate(SYSTEM)
    stale.save()
    assert all(sealed_by(text, NEW) for text in stored(stale)[:3])


def test_a_row_deleted_meanwhile_is_no_problem(people: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    original = rotation._difference

    def then_it_is_gone(row: Any) -> Any:
        found = original(row)
        if isinstance(row, User) and row.pk == people[2].pk:
            User.objects.filter(pk=row.pk).delete()
        return found

    monkeypatch.setattr(rotation, "_difference", then_it_is_gone)
    assert sum(outcome.changed for outcome in rotate(SYSTEM)) == 6


def test_swapped_ciphertexts_are_refused_and_named_and_the_others_renewed(people: list[User]) -> None:
    one, other = people[1], people[4]
    with connection.cursor() as cursor:
        statement = "UPDATE identity_user SET last_name = %s WHERE id = %s"
        cursor.execute(statement, [stored(one)[1], other.pk])
    before, out = stored(other), StringIO()
    with pytest.raises(CommandError, match=f"identity_user {other.pk}"):
        call_command("rotate_pii_keys", stdout=out, stderr=StringIO())
    assert stored(other) == before
    assert "6 of 7 rows renewed" in out.getvalue()
    assert "taken out" not in out.getvalue()


def test_a_row_whose_key_is_lost_is_named(people: list[User], settings: Any) -> None:
    settings.PII_ENCRYPTION_KEYS = [NEW]
    with pytest.raises(CommandError, match="7 rows are opened by no key"):
        call_command("rotate_pii_keys", stdout=StringIO(), stderr=StringIO())


def test_the_command_counts_and_says_what_comes_next(people: list[User]) -> None:
    out, bar = StringIO(), StringIO()
    call_command("rotate_pii_keys", "--batch", "2", stdout=out, stderr=bar)
    assert "identity_user: 7 of 7 rows renewed." in out.getvalue()
    assert "can be taken out" in out.getvalue()
    assert "7/7" in bar.getvalue()
    with pytest.raises(CommandError, match="--batch"):
        call_command("rotate_pii_keys", "--batch", "0")


def test_every_table_with_an_encrypted_field_is_walked() -> None:
    assert User in encrypted_models()


PLANT = """
from identity.models import User
from django.db import transaction
with transaction.atomic():
    for number in range(1500):
        User(username=f"p{number}", password="!", first_name="Zoé", last_name=f"Number {number}").save()
"""
READ = """
from identity.models import User
assert all(user.full_name == f"Zoé Number {user.username[1:]}" for user in User.objects.iterator())
print(User.objects.named("Zoé Number 77").get().username)
"""


def renewed(database: Path, prefix: str) -> int:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10) as plain:
        found = plain.execute("SELECT count(*) FROM identity_user WHERE last_name LIKE ?", [f"{prefix}%"])
        count: int = found.fetchone()[0]
    return count


def killed(folder: Path, keys: dict[str, str], prefix: str, at: int) -> int:
    """Start a run, kill it when so many rows are done; how many are done then."""
    command = [sys.executable, "manage.py", "rotate_pii_keys", "--batch", "10"]
    run = subprocess.Popen(
        command, env=environment(folder, **keys), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while (
        renewed(folder / "served.sqlite3", prefix) < at and run.poll() is None and time.monotonic() < deadline
    ):
        time.sleep(0.002)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    return renewed(folder / "served.sqlite3", prefix)


def test_a_run_killed_twice_is_finished_by_the_third(tmp_path: Path) -> None:
    folder = machine(tmp_path)
    before = {"PII_ENCRYPTION_KEYS": OLD, "PII_INDEX_KEYS": OLD}
    keys = {"PII_ENCRYPTION_KEYS": f"{NEW},{OLD}", "PII_INDEX_KEYS": f"{NEW},{OLD}"}
    planted = manage(folder, "shell", "--no-imports", "-c", PLANT, **before)
    assert planted.returncode == 0, planted.stderr
    prefix = f"v1.{key_name(NEW)}."
    first = killed(folder, keys, prefix, 100)
    second = killed(folder, keys, prefix, first + 300)
    assert 0 < first < second < 1500
    read = manage(folder, "shell", "--no-imports", "-c", READ, **keys)
    assert read.stdout.strip() == "p77", read.stderr
    last = manage(folder, "rotate_pii_keys", **keys)
    assert f"{1500 - second} of 1500 rows renewed" in last.stdout, last.stderr
    after = {"PII_ENCRYPTION_KEYS": NEW, "PII_INDEX_KEYS": NEW}
    assert manage(folder, "shell", "--no-imports", "-c", READ, **after).stdout.strip() == "p77"


def key_name(key: str) -> str:
    from identity.encryption import seal

    return seal("x", "x", [key]).split(".")[1]
