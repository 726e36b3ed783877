"""Exports of the trail (activity.md 2.6, 8.10)."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections

from activity.models import Entry
from activity.queries import exporting
from activity.queries.exporting import cell
from activity.queries.search import EXTENDED_ROW
from tests.factories import EntryFactory

T = datetime(2026, 3, 1, 12, tzinfo=UTC)
PATH = "/api/v1/audit/export"


@pytest.fixture
def reader(signed_in, audrey):
    return signed_in(audrey)


def hang_up(response):
    """What a server does when the client has gone; the suite's own connection stays open meanwhile."""
    request_finished.disconnect(close_old_connections)
    try:
        response.close()
    finally:
        request_finished.connect(close_old_connections)


def text_of(response):
    """Read to the end, which closes the response."""
    assert response.status_code == 200, getattr(response, "content", "")
    return b"".join(response.streaming_content).decode()


def rows_of(response):
    return list(csv.DictReader(io.StringIO(text_of(response), newline="")))


def test_only_readers_export(api, signed_in, uma):
    assert api.get(PATH).status_code == 401
    assert signed_in(uma).get(PATH).status_code == 403


def test_csv_has_all_columns_nulls_are_empty_and_lines_end_in_crlf(reader, monkeypatch):
    monkeypatch.setattr(exporting, "CHUNK", 2)
    made = [
        EntryFactory(timestamp=T + timedelta(minutes=n), details={"n": n}, info='say "hi", all')
        for n in range(5)
    ]
    response = reader.get(PATH, {"action": "access"})
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith('attachment; filename="waymark-trail-2')
    assert (response["X-Total-Count"], response["X-Last-Sequence"]) == ("5", str(made[-1].pk))
    text = text_of(response)
    assert text.splitlines(keepends=True)[0] == ",".join(EXTENDED_ROW) + "\r\n"
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [int(row["sequence"]) for row in rows] == [entry.pk for entry in made]
    assert (rows[1]["details"], rows[1]["info"], rows[1]["user_id"]) == ('{"n":1}', 'say "hi", all', "")
    assert rows[1]["timestamp"] == "2026-03-01T12:01:00.000000Z"


def test_ndjson_is_not_altered(reader):
    EntryFactory(timestamp=T, user_login="=1+1", details={"a": None})
    response = reader.get(PATH, {"format": "ndjson", "user_login": "=1+1"})
    assert response["Content-Type"] == "application/x-ndjson"
    (line,) = text_of(response).splitlines()
    row = json.loads(line)
    assert list(row) == list(EXTENDED_ROW)
    assert (row["user_login"], row["details"], row["user_id"]) == ("=1+1", {"a": None}, None)


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "＝", "＋", "－", "＠", " =", "\n=", "\t=", "\tx", "\rx", "\r\n@"]
)
def test_what_a_spreadsheet_takes_for_a_formula_is_defused(start):
    assert cell(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize("text", ["", "a=1", " a", "2001:db8::1", "'=1", "…", None, 7, True])
def test_other_cells_stay_as_they_are(text):
    assert cell(text) == text


def test_filters_repeat_and_times_bound_it(reader):
    for minute, action in enumerate(["access", "logout", "authentication", "access"]):
        EntryFactory(timestamp=T + timedelta(minutes=minute), action=action)
    query = f"?action=access&action=logout&start={T:%Y-%m-%dT%H:%M}&end={T:%Y-%m-%dT%H}:02"
    assert [row["action"] for row in rows_of(reader.get(PATH + query))] == ["access", "logout"]


def test_after_sequence_gives_only_newer_rows(reader):
    made = [EntryFactory(timestamp=T) for _ in range(4)]
    rows = rows_of(reader.get(PATH, {"after_sequence": made[1].pk, "domain": "activity", "action": "access"}))
    assert [int(row["sequence"]) for row in rows] == [made[2].pk, made[3].pk]


def test_the_export_is_a_row_before_its_first_byte(reader, audrey):
    EntryFactory(timestamp=T)
    response = reader.get(PATH, {"action": "access", "start": "2026-01-01"})
    row = Entry.objects.latest("sequence")
    assert (row.action, row.category, row.user_login) == ("export_trail", "management", "audrey")
    assert row.details["rows"] == 1
    assert row.details["filter"] == {"action": ["access"], "start": "2026-01-01 00:00:00+00:00"}
    assert len(rows_of(response)) == 1


def test_rows_that_arrive_while_it_streams_are_left_out(reader, monkeypatch):
    monkeypatch.setattr(exporting, "CHUNK", 2)
    EntryFactory.create_batch(5, timestamp=T)
    response = reader.get(PATH, {"action": "access"})
    stream = iter(response.streaming_content)
    parts = [next(stream)]
    EntryFactory.create_batch(3, timestamp=T)
    parts += stream
    rows = list(csv.DictReader(io.StringIO(b"".join(parts).decode(), newline="")))
    assert len(rows) == int(response["X-Total-Count"]) == 5


def test_two_exports_at_a_time_are_enough_and_a_closed_one_makes_room(reader, signed_in, oscar):
    running = [reader.get(PATH) for _ in range(2)]
    third = reader.get(PATH)
    assert third.status_code == 429
    assert int(third["Retry-After"]) > 0
    other = signed_in(oscar).get(PATH)
    assert other.status_code == 200
    hang_up(other)
    hang_up(running[0])
    fourth = reader.get(PATH)
    assert fourth.status_code == 200
    for response in (running[1], fourth):
        text_of(response)


@pytest.mark.parametrize(
    "query",
    [
        {"format": "xml"},
        {"start": "soon"},
        {"after_sequence": "-1"},
        {"provider_id": "x"},
        {"source_ip": "x"},
        {"x": "1"},
    ],
)
def test_wrong_parameters_are_named_and_leave_no_row(reader, query):
    before = Entry.objects.count()
    answer = reader.get(PATH, query)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][:2] == ["query", next(iter(query))]
    assert Entry.objects.count() == before
