"""Indexes of the trail: dropped while an empty table fills, because building them afterwards takes half the time."""

from django.db import connection

from activity.models import Entry

FEW, MANY = 1_000, 20_000


def _missing() -> list[str]:
    with connection.cursor() as cursor:
        present = connection.introspection.get_constraints(cursor, Entry._meta.db_table)
    return [index.name for index in Entry._meta.indexes if index.name not in present]


def drop_if_worth_it(expected: int) -> None:
    """Drop the secondary indexes when the table is next to empty and many rows are to come."""
    if expected >= MANY and not Entry.objects.order_by("sequence")[FEW : FEW + 1].exists():
        drop()


def drop() -> None:
    """Drop the secondary indexes; `restore` brings them back, if need be in the next run."""
    with connection.cursor() as cursor:
        for index in Entry._meta.indexes:
            cursor.execute(f"DROP INDEX IF EXISTS {connection.ops.quote_name(index.name)}")


def restore() -> None:
    """Build each index that is missing, also one that a killed run left dropped."""
    missing = _missing()
    editor = connection.schema_editor()
    with connection.cursor() as cursor:
        for index in Entry._meta.indexes:
            if index.name in missing:
                cursor.execute(str(index.create_sql(Entry, editor)))
