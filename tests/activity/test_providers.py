"""Keeping providers through the API (activity.md 2.3)."""

import json
import threading
from datetime import UTC, datetime

import pytest
from django.db import connection

from activity.callers import Caller
from activity.models import Entry, Provider
from activity.services import create_provider
from activity.services.providers import LIMIT, LimitReached, NameTaken
from config.errors import Refusal
from tests.factories import ProviderFactory

T = datetime(2026, 3, 1, 12, tzinfo=UTC)


def where(response):
    """The places that a 422 names."""
    assert response.status_code == 422, response.content
    return [".".join(map(str, error["loc"])) for error in response.json()["detail"]]


@pytest.fixture
def reader(signed_in, audrey):
    return signed_in(audrey)


@pytest.fixture
def writer(signed_in, alice):
    return signed_in(alice)


def test_the_two_lists_of_kitsutrail_hold_four_keys_by_name(reader):
    for name in ("Zeta", "Alpha"):
        ProviderFactory(name=name, type="sp", protocol="OIDC")
    ProviderFactory(type="idp")
    answer = reader.get("/api/v1/providers/sp").json()
    assert [item["name"] for item in answer] == ["Alpha", "Zeta"]
    assert list(answer[0]) == ["id", "type", "protocol", "name"]


def test_native_providers_are_found_by_type_protocol_and_part_of_the_name(reader):
    ProviderFactory(name="Mail", type="sp", protocol="OIDC")
    ProviderFactory(name="Email", type="sp", protocol="SAML")
    ProviderFactory(name="Mail", type="idp", protocol="OIDC")
    found = reader.get("/api/v1/providers/", {"type": "sp", "q": "MAIL", "limit": "1"})
    assert [item["name"] for item in found.json()] == ["Email"]
    assert found["X-Total-Count"] == "2"
    assert list(found.json()[0]) == ["id", "type", "protocol", "name", "created_at"]
    assert reader.get("/api/v1/providers/", {"protocol": "OIDC"})["X-Total-Count"] == "2"


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "101"}, {"offset": "-1"}, {"type": "x"}, {"q": "x" * 101}, {"q": "\x00"}],
)
def test_wrong_queries_for_providers_are_named(reader, query):
    assert where(reader.get("/api/v1/providers/", query)) == [f"query.{next(iter(query))}"]


def test_a_provider_lives_and_each_change_leaves_one_row(writer, alice):
    start = Entry.objects.count()
    made = writer.post("/api/v1/providers/", {"type": "sp", "protocol": "OIDC", "name": "  Mail "})
    assert made.status_code == 201
    assert made.json()["name"] == "Mail"
    path = f"/api/v1/providers/{made.json()['id']}"
    assert writer.get(path).json() == made.json()
    assert writer.patch(path, {"name": "Post"}).json()["name"] == "Post"
    assert writer.patch(path, {}).json()["name"] == "Post"
    assert writer.delete(path).json() == {"deleted": True}
    assert writer.get(path).json() == {"detail": "Provider not found"}
    rows = Entry.objects.order_by("sequence")[start:]
    assert [row.action for row in rows] == ["create_provider", "update_provider", "delete_provider"]
    assert {(row.source_admin, row.user_id, row.result) for row in rows} == {("alice", None, "success")}
    assert [row.provider_name for row in rows] == ["Mail", "Post", "Post"]
    assert {row.object_id for row in rows} == {str(made.json()["id"])}


def test_a_name_is_taken_in_any_case_within_its_type(writer):
    ProviderFactory(name="Écoute", type="idp")
    other = ProviderFactory(name="Other", type="idp")
    before = Entry.objects.count()
    body = {"type": "idp", "protocol": "SAML", "name": "éCOUTE"}
    taken = writer.post("/api/v1/providers/", body)
    assert (taken.status_code, taken.json()) == (409, {"detail": "Provider name already taken"})
    assert writer.patch(f"/api/v1/providers/{other.pk}", {"name": "écoute"}).status_code == 409
    assert Entry.objects.count() == before
    assert writer.post("/api/v1/providers/", {**body, "type": "sp"}).status_code == 201


def test_a_thousand_providers_are_enough(writer):
    Provider.objects.bulk_create(
        Provider(type="sp", protocol="OIDC", name=f"P{n}", created_at=T) for n in range(1000)
    )
    response = writer.post("/api/v1/providers/", {"type": "sp", "protocol": "OIDC", "name": "One more"})
    assert (response.status_code, response.json()) == (409, {"detail": "Provider limit reached"})
    assert Provider.objects.count() == 1000


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "type"),
        ({"type": "x", "protocol": "SAML", "name": "A"}, "type"),
        ({"type": "sp", "protocol": "saml", "name": "A"}, "protocol"),
        ({"type": "sp", "protocol": "SAML", "name": "   "}, "name"),
        ({"type": "sp", "protocol": "SAML", "name": "x" * 121}, "name"),
        ({"type": "sp", "protocol": "SAML", "name": "a\x07"}, "name"),
        ({"type": "sp", "protocol": "SAML", "name": 7}, "name"),
        ({"type": "sp", "protocol": "SAML", "name": "A", "id": 7}, "id"),
    ],
)
def test_wrong_providers_are_refused_and_leave_no_row(writer, body, place):
    before = Entry.objects.count()
    assert f"body.{place}" in where(writer.post("/api/v1/providers/", body))
    assert Entry.objects.count() == before


def test_the_type_of_a_provider_is_fixed(writer):
    provider = ProviderFactory(type="idp")
    assert where(writer.patch(f"/api/v1/providers/{provider.pk}", {"type": "sp"})) == ["body.type"]


@pytest.mark.parametrize("number", ["0", "999999", "x", "99999999999999999999", "-1", "１"])
def test_unknown_providers_are_404(writer, number):
    for response in (
        writer.get(f"/api/v1/providers/{number}"),
        writer.patch(f"/api/v1/providers/{number}", {"name": "A"}),
        writer.delete(f"/api/v1/providers/{number}"),
    ):
        assert (response.status_code, response.json()) == (404, {"detail": "Provider not found"})


def test_the_number_of_statements_of_the_lists_does_not_grow_with_the_rows(
    reader, django_assert_max_num_queries
):
    counts = []
    for _ in range(2):
        ProviderFactory.create_batch(5, type="sp")
        for path in ("/api/v1/providers/", "/api/v1/providers/sp"):
            with django_assert_max_num_queries(6) as made:
                reader.get(path)
            counts.append(len(made))
    assert counts[:2] == counts[2:]


def test_a_name_that_cannot_be_stored_can_still_be_complained_about(writer):
    body = json.dumps({"type": "sp", "protocol": "SAML", "name": "A", "\ud800": 1})
    answer = writer.post("/api/v1/providers/", body, content_type="application/json")
    assert where(answer) == ["body.\ufffd"]


def at_once(*commands):
    """Run commands on parallel connections; what each returned or refused."""
    outcomes = []
    start = threading.Barrier(len(commands))

    def run(command):
        try:
            start.wait()
            outcomes.append(command())
        except Refusal as refusal:
            outcomes.append(refusal)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[command]) for command in commands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@pytest.mark.django_db(transaction=True)
def test_of_parallel_creations_of_one_name_exactly_one_succeeds():
    caller = Caller.of_system()
    names = ["Mail", "mail", "MAIL", "maiL"]
    outcomes = at_once(*[lambda n=name: create_provider("sp", "OIDC", n, by=caller) for name in names])
    assert sorted(type(each).__name__ for each in outcomes) == ["NameTaken"] * 3 + ["Provider"]
    assert Entry.objects.filter(action="create_provider").count() == 1


@pytest.mark.django_db(transaction=True)
def test_parallel_creations_do_not_pass_the_limit():
    Provider.objects.bulk_create(
        Provider(type="sp", protocol="OIDC", name=f"P{n}", created_at=T) for n in range(LIMIT - 1)
    )
    caller = Caller.of_system()
    outcomes = at_once(*[lambda n=n: create_provider("idp", "SAML", f"N{n}", by=caller) for n in range(4)])
    assert sum(isinstance(each, LimitReached) for each in outcomes) == 3
    assert Provider.objects.count() == LIMIT


def test_the_table_itself_refuses_a_second_provider_of_a_name(db):
    from django.db import IntegrityError, transaction

    ProviderFactory(name="Mail", type="sp")
    with pytest.raises(IntegrityError), transaction.atomic():
        ProviderFactory(name="mAIL", type="sp")
    assert NameTaken.status == 409
