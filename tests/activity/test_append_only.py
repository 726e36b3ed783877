"""The trail refuses to be changed, also by raw SQL (activity.md 3.3, 8.7)."""

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from activity.append_only import TABLES, unlocked
from activity.models import Block, Entry, Segment
from activity.services import count_blocks
from tests.factories import EntryFactory


@pytest.fixture
def entry(db):
    return EntryFactory(user_login="uma")


@pytest.fixture
def segment(db):
    return Segment.objects.create(
        number=1, first_sequence=1, last_sequence=2, rows=2, digests=b"", previous_head="", head="",
        sealed_at=timezone.now(), key_id="", payload="", signature="",
    )  # fmt: skip


def refused(statement, *parameters):
    """Whether the database refuses a statement in the words of the contract."""
    with (
        pytest.raises(DatabaseError, match="trail is append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, parameters)
    return True


def test_a_row_cannot_be_changed(entry):
    assert refused("UPDATE activity_entry SET user_login = 'eve' WHERE sequence = %s", entry.pk)
    entry.refresh_from_db()
    assert entry.user_login == "uma"


def test_a_row_cannot_be_deleted(entry):
    assert refused("DELETE FROM activity_entry WHERE sequence = %s", entry.pk)
    assert Entry.objects.filter(pk=entry.pk).exists()


def test_a_sealed_segment_can_neither_be_changed_nor_deleted(segment):
    assert refused("UPDATE activity_segment SET head = 'x'")
    assert refused("DELETE FROM activity_segment")


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="SQLite's own way to replace a row")
@pytest.mark.parametrize("key", ["sequence", "audit_id"])
def test_a_row_cannot_be_replaced(entry, key):
    columns = [
        field.column for field in Entry._meta.concrete_fields if field.column not in {"sequence", "audit_id"}
    ]
    other = {"sequence": entry.pk, "audit_id": "f" * 32} if key == "sequence" else {
        "sequence": entry.pk + 1, "audit_id": entry.audit_id,
    }  # fmt: skip
    assert refused(
        f"INSERT OR REPLACE INTO activity_entry (sequence, audit_id, {', '.join(columns)}) "
        f"SELECT %s, %s, {', '.join(columns)} FROM activity_entry WHERE sequence = %s",
        other["sequence"], other["audit_id"], entry.pk,
    )  # fmt: skip
    assert Entry.objects.get().pk == entry.pk


@pytest.mark.postgresql
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="only PostgreSQL truncates")
@pytest.mark.parametrize("table", sorted(TABLES))
def test_a_table_cannot_be_truncated(entry, segment, table):
    assert refused(f"TRUNCATE {table}")


@pytest.mark.postgresql
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no ON CONFLICT without UPDATE")
def test_an_upsert_is_a_change_too(entry):
    assert refused(
        "INSERT INTO activity_entry (sequence, audit_id, timestamp, domain, category, action, trace_id) "
        "SELECT sequence, audit_id, timestamp, domain, category, action, trace_id FROM activity_entry "
        "ON CONFLICT (audit_id) DO UPDATE SET user_login = 'eve'"
    )


def test_the_one_way_to_delete_forgets_what_was_counted_and_locks_again(entry, monkeypatch):
    monkeypatch.setattr(Block, "WIDTH", 1)
    count_blocks()
    assert Block.objects.exists()
    with transaction.atomic(), unlocked():
        Entry.objects.filter(pk=entry.pk).delete()
    assert not Entry.objects.filter(pk=entry.pk).exists()
    assert not Block.objects.exists()
    EntryFactory()
    assert refused("DELETE FROM activity_entry")


def test_inserting_stays_possible(entry):
    assert EntryFactory().pk > entry.pk
