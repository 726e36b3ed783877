"""Triggers that make a table append-only, on both databases, also for raw SQL of the application's own role.

SQLite: UPDATE, DELETE and the replacing of a row (`INSERT OR REPLACE`) are aborted. PostgreSQL: UPDATE, DELETE
and TRUNCATE raise; besides, each inserting statement takes a shared advisory lock until its commit, so that a
sealer which takes the same lock exclusively knows that no lower number can still appear.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

MESSAGE = "trail is append-only"
WRITERS_LOCK = 7_770_001  # the advisory lock that writers of the trail share
COUNTING_LOCK = 7_770_003  # the advisory lock of whoever counts blocks, or makes all counts void
TABLES = {  # table -> columns by which a row could be replaced
    "activity_entry": ("sequence", "audit_id"),
    "activity_segment": ("number", "last_sequence"),
}

POSTGRESQL_FUNCTIONS = f"""
CREATE OR REPLACE FUNCTION activity_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation'; END $$;
CREATE OR REPLACE FUNCTION activity_announce_writer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock_shared({WRITERS_LOCK}); RETURN NULL; END $$;
"""


def _postgresql(table: str) -> list[str]:
    return [
        f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION activity_refuse()",
        f"CREATE TRIGGER {table}_whole BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION activity_refuse()",
        f"CREATE TRIGGER {table}_writer BEFORE INSERT ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION activity_announce_writer()",
    ]


def _sqlite(table: str) -> list[str]:
    taken = " OR ".join(
        f"EXISTS (SELECT 1 FROM {table} WHERE {column} = NEW.{column})" for column in TABLES[table]
    )
    refuse = f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
    return [
        f"CREATE TRIGGER {table}_kept_update BEFORE UPDATE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_kept_delete BEFORE DELETE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_kept_replace BEFORE INSERT ON {table} WHEN {taken} {refuse}",
    ]


def install(database: BaseDatabaseWrapper, table: str) -> None:
    """Make a table append-only."""
    with database.cursor() as cursor:
        if database.vendor == "postgresql":
            cursor.execute(POSTGRESQL_FUNCTIONS)
        for statement in _postgresql(table) if database.vendor == "postgresql" else _sqlite(table):
            cursor.execute(statement)


def remove(database: BaseDatabaseWrapper, table: str) -> None:
    """Let a table be changed again."""
    with database.cursor() as cursor:
        if database.vendor == "postgresql":
            for name in ("kept", "whole", "writer"):
                cursor.execute(f"DROP TRIGGER IF EXISTS {table}_{name} ON {table}")
        else:
            for name in ("update", "delete", "replace"):
                cursor.execute(f"DROP TRIGGER IF EXISTS {table}_kept_{name}")


def _forget_counts() -> None:
    """What was counted of the trail no longer holds."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [COUNTING_LOCK])
        cursor.execute("DELETE FROM activity_tally")
        cursor.execute("DELETE FROM activity_block")


@contextmanager
def unlocked() -> Iterator[None]:
    """Lift the triggers inside the open transaction; for `seed --flush` and the test suite only."""
    _forget_counts()
    for table in TABLES:
        remove(connection, table)
    yield
    for table in TABLES:
        install(connection, table)


def forwards(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """For the first migration."""
    for table in TABLES:
        install(schema_editor.connection, table)


def backwards(apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for table in TABLES:
        remove(schema_editor.connection, table)
