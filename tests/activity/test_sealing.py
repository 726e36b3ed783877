"""Seals: what they chain and sign, and what verifying names (activity.md 3.3, 8.7, 8.8)."""

import json
import random
import threading
import time
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import StringIO

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from activity import append_only, sealing
from activity.models import Entry, Segment
from activity.queries.digests import digests
from activity.queries.verifying import Verification
from activity.sealing import Checkpoint, row_digest
from activity.services import seal, seal_full_segments
from activity.services import sealing as sealing_service
from activity.signing import KeyUnreadable, make_key, signing_key, trusted_keys
from tests.factories import EntryFactory

T = datetime(2026, 3, 1, 12, tzinfo=UTC)
COLUMNS = [field.attname for field in Entry._meta.concrete_fields]


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(sealing_service, "ROWS_A_SEGMENT", 4)


@pytest.fixture
def sealed(db, small):
    """Ten rows in three segments; nothing keeps them from being tampered with."""
    Entry.objects.bulk_create(
        EntryFactory.build(sequence=n, timestamp=T + timedelta(minutes=n), user_login=f"u{n}")
        for n in range(1, 11)
    )
    assert seal(T) == 3
    for table in append_only.TABLES:
        append_only.remove(connection, table)


def verify(**options):
    return Verification(trusted_keys()).run(**options)


def found(**options):
    return [(p.sequence, p.kind, p.other, p.segment) for p in verify(**options).problems]


def sql(text, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(text, parameters)


# --- pure ---------------------------------------------------------------------------------------------------------
pairs = st.lists(st.tuples(st.integers(0, 2**62), st.binary(min_size=32, max_size=32)), max_size=8)


@given(pairs, pairs)
def test_a_chain_goes_on_where_it_stopped(first, second):
    head = sealing.chain(sealing.NO_HEAD, first)
    assert sealing.chain(head, second) == sealing.chain(sealing.NO_HEAD, first + second)
    assert sealing.unpack(sealing.pack(first)) == first


@given(pairs, st.data())
def test_any_other_content_or_order_has_another_head(rows, data):
    other = data.draw(st.permutations(rows)) if len(rows) > 1 else [*rows, (1, bytes(32))]
    if other != rows:
        assert sealing.chain(sealing.NO_HEAD, other) != sealing.chain(sealing.NO_HEAD, rows)


# Digests are as different as rows are: each has an audit id of its own.
digests_of_rows = st.sets(st.integers(0, 30), max_size=12).map(
    lambda numbers: {number: sha256(b"%d" % number).digest() for number in numbers}
)


@settings(max_examples=200, deadline=None)
@given(digests_of_rows, st.data())
def test_every_difference_is_named_by_number_and_kind(before, data):
    numbers = sorted(before)
    now, expected = dict(before), {}
    swapped = (
        data.draw(st.lists(st.sampled_from(numbers), min_size=2, max_size=2, unique=True))
        if len(numbers) > 4
        else []
    )
    if swapped and before[swapped[0]] != before[swapped[1]]:
        a, b = swapped
        now[a], now[b] = before[b], before[a]
        expected |= {a: ("swapped", b), b: ("swapped", a)}
    for number in data.draw(st.sets(st.sampled_from(numbers)) if numbers else st.just(set())):
        if number in expected:
            continue
        if data.draw(st.booleans()):
            del now[number]
            expected[number] = ("deleted", None)
        else:
            now[number] = sha256(b"forged %d" % number).digest()
            expected[number] = ("altered", None)
    extra = data.draw(st.integers(31, 40))
    now[extra] = b"x" * 32
    expected[extra] = ("inserted", None)
    raw = list(sealing.differences(1, before, now))
    problems = [p for p in raw if isinstance(p, sealing.Problem)]
    problems += sealing.judged(p for p in raw if isinstance(p, sealing.Altered))
    assert {p.sequence: (p.kind, p.other) for p in problems} == expected


def test_a_checkpoint_is_canonical_signed_json():
    key = Ed25519PrivateKey.generate()
    claims = Checkpoint(1, 1, 9, 9, "00", "ff", "2026-03-01T12:00:00.000000Z", "abc")
    payload = claims.payload()
    assert payload == json.dumps(json.loads(payload), sort_keys=True, separators=(",", ":"))
    assert list(json.loads(payload)) == sorted(
        [
            "v",
            "segment",
            "first_sequence",
            "last_sequence",
            "rows",
            "previous_head",
            "head",
            "sealed_at",
            "key_id",
        ]
    )
    assert Checkpoint.of(payload) == claims
    signature = sealing.sign(payload, key)
    assert sealing.signed_by(payload, signature, key.public_key())
    assert not sealing.signed_by(payload + " ", signature, key.public_key())
    assert not sealing.signed_by(payload, signature, Ed25519PrivateKey.generate().public_key())
    assert not sealing.signed_by(payload, "no base64!", key.public_key())


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"v": 1, "colour": 2}'])
def test_what_is_no_checkpoint_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        Checkpoint.of(text)


def test_a_public_key_is_read_from_pem_and_from_base64():
    from base64 import b64encode

    from cryptography.hazmat.primitives import serialization as s

    key = Ed25519PrivateKey.generate().public_key()
    pem = key.public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo).decode()
    assert sealing.key_id(sealing.public_key(pem)) == sealing.key_id(key)
    assert sealing.key_id(sealing.public_key(b64encode(sealing.raw(key)).decode())) == sealing.key_id(key)


# --- reading digests ----------------------------------------------------------------------------------------------
texts = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)


@settings(max_examples=60, deadline=None)
@given(
    reason=texts,
    login=texts,
    details=st.none()
    | st.dictionaries(
        st.text(st.characters(codec="ascii", exclude_characters="\x00"), max_size=4),
        st.integers() | st.booleans() | st.none(),
        max_size=3,
    ),
    micro=st.integers(0, 999_999),
    provider=st.none() | st.integers(0, 9),
)
def test_stored_rows_have_the_digest_of_their_canonical_json(reason, login, details, micro, provider):
    entry = EntryFactory.build(
        sequence=1, timestamp=T.replace(microsecond=micro), reason=reason, user_login=login, details=details,
        provider_id=provider,
    )  # fmt: skip
    row = {name: getattr(entry, name) for name in COLUMNS}
    from activity.queries.digests import OWN, SHARED, Digester

    raw = {**row, "details": None if details is None else json.dumps(details)}
    if micro % 2:  # as SQLite hands it out
        raw["timestamp"] = row["timestamp"].replace(tzinfo=None).isoformat(" ")
    assert Digester().digest(tuple(raw[name] for name in (*OWN, *SHARED))) == row_digest(row)


def test_the_database_gives_the_digests_that_the_objects_have(db):
    for n in range(5):
        EntryFactory(
            details={"ü": [1, None, {"b": 2, "a": "…"}]} if n else None, user_login='a"\\\n', info="é",
            timestamp=T + timedelta(microseconds=n * 7), provider_id=n or None, object_id=str(n),
        )  # fmt: skip
    expected = [
        (entry.pk, row_digest({name: getattr(entry, name) for name in COLUMNS}))
        for entry in Entry.objects.order_by("sequence")
    ]
    assert list(digests(0, 10**9)) == expected
    assert list(digests(expected[0][0], 10**9, limit=2)) == expected[1:3]


# --- sealing ------------------------------------------------------------------------------------------------------
def test_sealing_chains_all_rows_in_segments_without_holes(db, small):
    EntryFactory.create_batch(10)
    assert seal(T) == 3
    assert seal(T) == 0
    segments = list(Segment.objects.order_by("number"))
    assert [(s.number, s.rows) for s in segments] == [(1, 4), (2, 4), (3, 2)]
    assert segments[0].previous_head == "00" * 32
    assert [s.previous_head for s in segments[1:]] == [s.head for s in segments[:2]]
    everything = sealing.chain(sealing.NO_HEAD, digests(0, 10**9))
    assert segments[-1].head == everything.hex()
    assert len(segments[0].digests) == 4 * 40
    claims = json.loads(segments[1].payload)
    assert (claims["segment"], claims["rows"], claims["sealed_at"]) == (2, 4, "2026-03-01T12:00:00.000000Z")
    assert len(b64decode(segments[1].signature)) == 64


def test_a_trail_without_rows_has_nothing_to_seal(db):
    assert seal(T) == 0
    report = verify()
    assert (report.ok, report.checked_rows, report.head) == (True, 0, "00" * 32)


def test_full_segments_are_sealed_early(db, small):
    EntryFactory.create_batch(3)
    first = Entry.objects.earliest("sequence").pk
    assert seal_full_segments(T) == (1 if first > 1 else 0)
    EntryFactory.create_batch(4)
    assert seal_full_segments(T) >= 1


def test_a_seal_that_was_overtaken_stops_quietly(db, small, monkeypatch):
    EntryFactory.create_batch(3)
    original = sealing_service._segment

    def slow(*arguments):
        monkeypatch.setattr(sealing_service, "_segment", original)
        assert seal(T) == 1  # somebody else, in between
        return original(*arguments)

    monkeypatch.setattr(sealing_service, "_segment", slow)
    assert seal(T) == 0
    assert Segment.objects.count() == 1
    assert verify().ok


def test_without_a_key_nothing_is_sealed(db, settings, tmp_path):
    settings.TRAIL_SIGNING_KEY_PATH = tmp_path / "none.pem"
    EntryFactory()
    with pytest.raises(KeyUnreadable):
        seal(T)


# --- verifying ----------------------------------------------------------------------------------------------------
def test_an_intact_trail_verifies(sealed):
    EntryFactory(sequence=11)
    report = verify()
    assert report.ok
    assert (report.checked_rows, report.checked_segments, report.unsealed_rows) == (10, 3, 1)
    assert (report.first_sequence, report.last_sequence, report.next_from) == (1, 10, None)
    assert report.head == Segment.objects.get(number=3).head
    assert report.key_id == sealing.key_id(signing_key().public_key())


@pytest.mark.parametrize(
    "column", ["user_login", "details", "timestamp", "provider_id", "result", "source_admin"]
)
def test_a_changed_column_is_an_altered_row(sealed, column):
    value = {"details": '{"a": 1}', "timestamp": "2020-01-01 00:00:00", "provider_id": 7, "result": "fail"}
    sql(f"UPDATE activity_entry SET {column} = %s WHERE sequence = 6", value.get(column, "eve"))
    assert found() == [(6, "altered", None, 2)]


def test_a_deleted_row_is_named(sealed):
    sql("DELETE FROM activity_entry WHERE sequence IN (4, 5)")
    assert found() == [(4, "deleted", None, 1), (5, "deleted", None, 2)]


def test_a_row_inserted_into_a_gap_is_named(sealed):
    sql("DELETE FROM activity_entry WHERE sequence = 5")
    sql("UPDATE activity_entry SET sequence = 0 WHERE sequence = 7")
    assert found() == [(0, "inserted", None, 1), (5, "deleted", None, 2), (7, "deleted", None, 2)]


@pytest.mark.parametrize(("a", "b", "segments"), [(1, 3, (1, 1)), (2, 9, (1, 3))])
def test_two_swapped_rows_name_each_other_also_across_segments(sealed, a, b, segments):
    for old, new in ((a, 100), (b, a), (100, b)):
        sql("UPDATE activity_entry SET sequence = %s WHERE sequence = %s", new, old)
    assert found() == [(a, "swapped", b, segments[0]), (b, "swapped", a, segments[1])]


def test_a_forged_digest_accuses_the_segment(sealed):
    segment = Segment.objects.get(number=2)
    Segment.objects.filter(number=2).update(digests=bytes(segment.digests)[:-1] + b"\x00")
    assert found() == [(None, "damaged_digests", None, 2)]


def test_a_forged_segment_breaks_the_chain_or_the_signature(sealed):
    Segment.objects.filter(number=2).update(head="ab" * 32)
    kinds = {(kind, segment) for _, kind, _, segment in found()}
    assert kinds == {("bad_signature", 2), ("damaged_digests", 2), ("broken_link", 3)}


def test_a_whole_forged_history_is_not_signed_by_a_trusted_key(sealed, settings, tmp_path):
    trusted = settings.TRAIL_SIGNING_KEY_PATH
    settings.TRAIL_SIGNING_KEY_PATH = tmp_path / "mine.pem"
    make_key(settings.TRAIL_SIGNING_KEY_PATH)
    Segment.objects.all().delete()
    sql("UPDATE activity_entry SET user_login = 'eve'")
    assert seal(T) == 3
    settings.TRAIL_SIGNING_KEY_PATH = trusted
    assert {kind for _, kind, _, _ in found()} == {"bad_signature"}


def test_old_keys_are_trusted_when_the_settings_name_them(sealed, settings, tmp_path):
    from base64 import b64encode

    old = b64encode(sealing.raw(signing_key().public_key())).decode()
    settings.TRAIL_SIGNING_KEY_PATH = tmp_path / "new.pem"
    make_key(settings.TRAIL_SIGNING_KEY_PATH)
    assert {kind for _, kind, _, _ in found()} == {"bad_signature"}
    settings.TRAIL_TRUSTED_KEYS = [old]
    assert found() == []


def test_a_missing_segment_is_named_and_its_rows_are_not_accused(sealed):
    Segment.objects.filter(number=2).delete()
    assert found() == [(None, "missing_segment", None, 2)]
    Segment.objects.filter(number=1).delete()
    assert found() == [(None, "missing_segment", None, 1), (None, "missing_segment", None, 2)]


def test_verifying_goes_on_from_a_number_and_stops_behind_max_rows(sealed):
    sql("UPDATE activity_entry SET user_login = 'eve' WHERE sequence = 2")
    report = verify(start=5)
    assert (report.ok, report.checked_rows, report.first_sequence) == (True, 6, 5)
    assert found(start=3) == [(2, "altered", None, 1)]
    assert verify(start=5, end=8).checked_segments == 1


def test_max_rows_is_kept_by_whole_segments(sealed, monkeypatch):
    monkeypatch.setattr("activity.queries.verifying.AT_ONCE", 4)
    report = verify(max_rows=1)
    assert (report.checked_rows, report.next_from) == (4, 5)
    report = verify(start=5, max_rows=5)
    assert (report.checked_rows, report.next_from) == (6, None)


# --- the command --------------------------------------------------------------------------------------------------
def command(*arguments):
    out = StringIO()
    code = 0
    try:
        call_command("verify_trail", *arguments, stdout=out)
    except SystemExit as end:
        code = end.code
    except CommandError as error:
        return error.returncode, str(error)
    return code, out.getvalue()


def test_the_command_says_intact(sealed):
    code, text = command()
    assert code == 0
    assert "10 rows in 3 segments: intact" in text


def test_the_command_names_problems_line_by_line_and_leaves_a_row(sealed):
    sql("UPDATE activity_entry SET user_login = 'eve' WHERE sequence = 6")
    code, text = command()
    assert code == 1
    assert text.splitlines()[0] == "sequence 6: altered (segment 2)"
    row = Entry.objects.latest("sequence")
    assert (row.action, row.result, row.source_admin) == ("verify_trail", "fail", "verify_trail")
    assert row.details == {"problems": 1, "kinds": ["altered"], "sequences": [6]}


def test_the_command_speaks_json(sealed):
    code, text = command("--json")
    assert code == 0
    assert json.loads(text)["checked_rows"] == 10


def checkpoint_file(tmp_path, number):
    segment = Segment.objects.get(number=number)
    path = tmp_path / "checkpoint.json"
    path.write_text(json.dumps({"payload": segment.payload, "signature": segment.signature}))
    return path


def test_a_checkpoint_kept_elsewhere_finds_a_cut_tail(sealed, tmp_path):
    path = checkpoint_file(tmp_path, 3)
    assert command("--checkpoint", str(path))[0] == 0
    Segment.objects.filter(number=3).delete()
    sql("DELETE FROM activity_entry WHERE sequence > 8")
    assert command()[0] == 0
    code, text = command("--checkpoint", str(path))
    assert code == 1
    assert "segment 3: missing_segment" in text


def test_a_checkpoint_kept_elsewhere_finds_a_fork(sealed, tmp_path):
    path = checkpoint_file(tmp_path, 1)
    Segment.objects.all().delete()
    sql("UPDATE activity_entry SET user_login = 'eve' WHERE sequence = 2")
    seal(T)
    assert command()[0] == 0
    assert command("--checkpoint", str(path))[0] == 1


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"payload": "{}", "signature": "x"}'])
def test_what_cannot_be_verified_ends_with_2(sealed, tmp_path, content):
    path = tmp_path / "checkpoint.json"
    path.write_text(content)
    assert command("--checkpoint", str(path))[0] == 2


def test_a_public_key_file_is_the_only_one_trusted(sealed, tmp_path):
    from base64 import b64encode

    path = tmp_path / "key"
    path.write_text(b64encode(sealing.raw(signing_key().public_key())).decode())
    assert command("--public-key", str(path))[0] == 0
    path.write_text(b64encode(sealing.raw(Ed25519PrivateKey.generate().public_key())).decode())
    assert command("--public-key", str(path))[0] == 1
    assert command("--public-key", str(tmp_path / "none"))[0] == 2


# --- races --------------------------------------------------------------------------------------------------------
class Undone(Exception):
    """The writer changed its mind."""


def writer(deadline, failures, waits, seed):
    rng = random.Random(seed)
    try:
        while time.monotonic() < deadline:
            try:
                with transaction.atomic():
                    start = time.perf_counter()
                    EntryFactory()
                    waits.append(time.perf_counter() - start)
                    time.sleep(rng.random() * 0.02)
                    if rng.random() < 0.3:
                        raise Undone
            except Undone:
                continue
    except Exception as error:
        failures.append(error)
        raise
    finally:
        connection.close()


@pytest.mark.postgresql
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="parallel writers need PostgreSQL")
@pytest.mark.django_db(transaction=True)
def test_parallel_writers_with_rollbacks_are_sealed_completely_and_once():
    deadline, failures, waits = time.monotonic() + 4, [], []
    threads = [threading.Thread(target=writer, args=[deadline, failures, waits, n]) for n in range(20)]
    for thread in threads:
        thread.start()
    while time.monotonic() < deadline:
        seal()
        assert verify().ok
        time.sleep(0.2)
    for thread in threads:
        thread.join()
    assert not failures
    seal()
    report = verify()
    assert report.ok
    assert report.checked_rows == Entry.objects.count() > 100
    assert report.unsealed_rows == 0


@pytest.mark.postgresql
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has one writer")
@pytest.mark.django_db(transaction=True)
def test_the_sealer_waits_for_an_open_writer_no_longer_than_its_patience():
    EntryFactory()
    inserted, finish = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            EntryFactory()
            inserted.set()
            finish.wait(10)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    inserted.wait(10)
    start = time.monotonic()
    assert seal() == 0
    assert time.monotonic() - start < 2
    finish.set()
    thread.join()
    assert seal() == 1
    assert verify().checked_rows == 2


@pytest.mark.django_db(transaction=True)
def test_two_sealers_at_once_make_one_segment_per_number(monkeypatch):
    monkeypatch.setattr(sealing_service, "ROWS_A_SEGMENT", 5)
    EntryFactory.create_batch(40)
    made, failures = [], []

    def run():
        try:
            made.append(seal())
        except Exception as error:
            failures.append(error)
            raise
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    seal()
    numbers = list(Segment.objects.order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))
    report = verify()
    assert (report.ok, report.checked_rows) == (True, 40)
