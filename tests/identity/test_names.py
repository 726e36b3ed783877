"""Personal data at rest: encrypted, bound to its place, found by the blind index."""

import json

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from identity import encryption
from identity.models import User
from tests.factories import PersonFactory

pytestmark = pytest.mark.django_db
NAMES = ["Ægir Øksendal", "Zdeněk Jandourek", "Nguyễn Thị Bích"]


@pytest.fixture
def people():
    made = []
    for name in NAMES:
        first, _, last = name.partition(" ")
        made.append(PersonFactory(first_name=first, last_name=last))
    return made


def test_names_are_read_like_any_attribute(people):
    assert [User.objects.get(pk=p.pk).full_name for p in people] == NAMES


def test_no_table_contains_a_name(people):
    """Every text of every table, as the database holds it."""
    with connection.cursor() as cursor:
        stored = []
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            stored.append(json.dumps(cursor.fetchall(), default=str, ensure_ascii=False))
    text = " ".join(stored)
    for name in NAMES:
        for part in [name, *name.split()]:
            assert part not in text


def test_a_ciphertext_moved_to_another_row_does_not_open(people):
    one, two, _ = people
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE identity_user SET full_name = (SELECT full_name FROM identity_user WHERE id = %s) WHERE id = %s",
            [one.pk, two.pk],
        )
    with pytest.raises(encryption.CannotOpen):
        _ = User.objects.get(pk=two.pk).full_name


def test_a_ciphertext_moved_to_another_column_does_not_open(people):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE identity_user SET full_name = first_name")
    with pytest.raises(encryption.CannotOpen):
        _ = User.objects.get(pk=people[0].pk).full_name


def test_an_altered_ciphertext_does_not_open(people):
    with connection.cursor() as cursor:
        cursor.execute("SELECT full_name FROM identity_user WHERE id = %s", [people[0].pk])
        head, key, body = cursor.fetchone()[0].split(".")
        flipped = f"{head}.{key}.{'B' if body[0] == 'A' else 'A'}{body[1:]}"
        cursor.execute("UPDATE identity_user SET full_name = %s WHERE id = %s", [flipped, people[0].pk])
    with pytest.raises(encryption.CannotOpen):
        _ = User.objects.get(pk=people[0].pk).full_name


def test_an_old_key_of_the_ring_still_opens_and_still_finds(people, settings):
    with override_settings(
        PII_ENCRYPTION_KEYS=["n" * 40, *settings.PII_ENCRYPTION_KEYS],
        PII_INDEX_KEYS=["i" * 40, *settings.PII_INDEX_KEYS],
    ):
        newer = PersonFactory(first_name="Ægir", last_name="Øksendal")
        assert [p.full_name for p in User.objects.named("ægir øksendal").order_by("pk")] == [NAMES[0]] * 2
    with pytest.raises(encryption.CannotOpen):
        _ = User.objects.get(pk=newer.pk).full_name


def test_equal_names_are_sealed_differently(people):
    again = PersonFactory(first_name="Ægir", last_name="Øksendal")
    with connection.cursor() as cursor:
        cursor.execute("SELECT full_name FROM identity_user WHERE id IN (%s, %s)", [people[0].pk, again.pk])
        assert len(set(cursor.fetchall())) == 2


def test_a_dump_contains_no_name(people, tmp_path):
    call_command("dumpdata", "identity", output=str(tmp_path / "dump.json"))
    text = (tmp_path / "dump.json").read_text()
    for name in NAMES:
        assert name not in text
        assert json.dumps(name)[1:-1] not in text
