"""The proof through the API (activity.md 2.6): verify, checkpoints, key."""

import json
from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection

from activity import append_only
from activity.models import Entry, Segment
from activity.services import seal
from activity.services import sealing as sealing_service
from tests.factories import EntryFactory

PATHS = ["/api/v1/trail/verify", "/api/v1/trail/checkpoints", "/api/v1/trail/key"]


@pytest.fixture
def reader(signed_in, audrey):
    return signed_in(audrey)


@pytest.fixture
def sealed(db, monkeypatch):
    monkeypatch.setattr(sealing_service, "ROWS_A_SEGMENT", 4)
    EntryFactory.create_batch(10)
    seal()


@pytest.mark.parametrize("path", PATHS)
def test_only_readers_see_the_proof(api, signed_in, uma, path):
    assert api.get(path).status_code == 401
    assert signed_in(uma).get(path).status_code == 403


@pytest.mark.parametrize("path", PATHS)
def test_unknown_parameters_are_refused(reader, path):
    answer = reader.get(path, {"colour": "red"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "colour"]


def test_an_intact_trail_is_said_to_be_so_and_leaves_no_row(reader, sealed):
    before = Entry.objects.count()
    answer = reader.get("/api/v1/trail/verify").json()
    assert list(answer) == [
        "ok", "checked_rows", "checked_segments", "first_sequence", "last_sequence", "unsealed_rows", "next_from",
        "head", "key_id", "problems", "problems_truncated",
    ]  # fmt: skip
    assert answer["ok"] is True
    assert answer["head"] == Segment.objects.latest("number").head
    assert Entry.objects.count() == before


def test_a_problem_is_named_and_the_finding_is_a_row_of_the_finder(reader, sealed, audrey):
    append_only.remove(connection, "activity_entry")
    number = Entry.objects.earliest("sequence").pk
    Entry.objects.filter(pk=number).update(info="forged")
    answer = reader.get("/api/v1/trail/verify")
    assert answer.status_code == 200
    (problem,) = answer.json()["problems"]
    assert (problem["sequence"], problem["segment"], problem["kind"], problem["with"]) == (
        number,
        1,
        "altered",
        None,
    )
    row = Entry.objects.latest("sequence")
    assert (row.action, row.result, row.user_login) == ("verify_trail", "fail", audrey.username)


def test_no_more_problems_than_a_thousand_are_listed(reader, sealed, monkeypatch):
    monkeypatch.setattr(sealing_service, "MOST_PROBLEMS", 2)
    append_only.remove(connection, "activity_entry")
    Entry.objects.update(info="forged")
    answer = reader.get("/api/v1/trail/verify").json()
    assert (len(answer["problems"]), answer["problems_truncated"]) == (2, True)


@pytest.mark.parametrize(
    "query", [{"from_sequence": "0"}, {"max_rows": "0"}, {"max_rows": "200001"}, {"from_sequence": "9" * 25}]
)
def test_a_range_out_of_bounds_is_named(reader, query):
    answer = reader.get("/api/v1/trail/verify", query)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", next(iter(query))]


def test_one_person_verifies_ten_times_a_minute(reader, signed_in, oscar):
    answers = [reader.get("/api/v1/trail/verify") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert int(answers[-1]["Retry-After"]) > 0
    assert signed_in(oscar).get("/api/v1/trail/verify").status_code == 200


def test_an_outsider_checks_a_checkpoint_with_the_public_key(reader, sealed):
    key = reader.get("/api/v1/trail/key").json()
    public = Ed25519PublicKey.from_public_bytes(b64decode(key["public_key"]))
    checkpoints = reader.get("/api/v1/trail/checkpoints").json()
    assert len(checkpoints) == Segment.objects.count()
    for number, checkpoint in enumerate(checkpoints, start=1):
        public.verify(b64decode(checkpoint["signature"]), checkpoint["payload"].encode())
        claims = json.loads(checkpoint["payload"])
        assert (claims["segment"], claims["key_id"], claims["v"]) == (number, key["key_id"], 1)


def test_checkpoints_are_read_on_from_a_segment(reader, sealed):
    answer = reader.get("/api/v1/trail/checkpoints", {"after_segment": "1", "limit": "1"}).json()
    assert [json.loads(each["payload"])["segment"] for each in answer] == [2]
    assert reader.get("/api/v1/trail/checkpoints", {"limit": "101"}).status_code == 422
