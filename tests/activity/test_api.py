"""The trail's endpoints: shapes, rights, bad input (activity.md 2.1, 2.3 to 2.5, 7)."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.test import override_settings

from activity.models import Entry
from config.checks import open_doors
from tests.factories import EntryFactory, ProviderFactory

T = datetime(2026, 3, 1, 12, tzinfo=UTC)
RANGE = {"start": "2026-03-01", "end": "2026-03-02"}
ROW_KEYS = [
    "timestamp", "audit_id", "user_id", "user_login", "provider_type", "provider_id", "provider_name",
    "provider_protocol", "trace_id", "source_ip", "source_admin", "category", "action", "result", "reason", "info",
]  # fmt: skip
READS = [
    "/api/v1/providers/idp",
    "/api/v1/providers/sp",
    "/api/v1/providers/",
    "/api/v1/stats/current",
    "/api/v1/stats/activity/users",
    "/api/v1/stats/activity/providers",
    "/api/v1/stats/activity/protocols",
    "/api/v1/stats/activity/failure-reasons",
    "/api/v1/stats/activity/users-summary",
]


def search(client, **body):
    return client.post("/api/v1/audit/", {"filter": {"time_range": RANGE}, **body}, format="json")


def filtered(client, **fields):
    return search(client, filter={"time_range": RANGE, **fields})


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


# --- who may ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", READS)
def test_reading_without_credentials_is_401(api, db, path):
    response = api.get(path)
    assert (response.status_code, response.json()) == (401, {"detail": "Not authenticated"})
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", READS)
def test_an_ordinary_user_may_not_read_and_leaves_no_row_by_trying(signed_in, uma, path):
    client = signed_in(uma)
    before = Entry.objects.count()
    assert client.get(path).status_code == 403
    assert Entry.objects.count() == before


@pytest.mark.parametrize("person", ["alice", "oscar", "audrey"])
@pytest.mark.parametrize("path", READS)
def test_readers_read(request, signed_in, person, path):
    assert signed_in(request.getfixturevalue(person)).get(path).status_code == 200


def test_a_search_refused_for_lack_of_rights_is_no_write_and_leaves_no_row(signed_in, uma):
    client = signed_in(uma)
    before = Entry.objects.count()
    assert search(client).status_code == 403
    assert Entry.objects.count() == before


def test_a_write_refused_for_lack_of_rights_leaves_a_row_about_the_caller(signed_in, audrey):
    response = signed_in(audrey).post(
        "/api/v1/providers/", {"type": "idp", "protocol": "SAML", "name": "New"}
    )
    assert (response.status_code, response.json()) == (403, {"detail": "forbidden"})
    row = Entry.objects.latest("sequence")
    assert (row.action, row.result, row.reason) == ("create_provider", "fail", "permission_denied")
    assert (row.user_id, row.user_login, row.source_admin) == (str(audrey.uuid), "audrey", None)


def test_the_browsable_api_offers_forms_without_trailing_refusals(signed_in, audrey):
    client = signed_in(audrey)
    before = Entry.objects.count()
    response = client.get("/api/v1/providers/", HTTP_ACCEPT="text/html")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/html")
    assert Entry.objects.count() == before


def test_a_wrong_verb_is_405_before_anybody_asks_who_is_there(api, db):
    response = api.put("/api/v1/audit/", {})
    assert (response.status_code, response.json()) == (405, {"detail": "Method Not Allowed"})
    assert "POST" in response["Allow"]


def test_a_body_that_is_not_json_is_415(reader):
    response = reader.post("/api/v1/audit/", "a=b", content_type="application/x-www-form-urlencoded")
    assert (response.status_code, response.json()) == (415, {"detail": "Unsupported Media Type"})


def test_a_body_over_one_megabyte_is_413(reader):
    response = reader.post("/api/v1/audit/", b"x" * 1_048_577, content_type="application/json")
    assert (response.status_code, response.json()) == (413, {"detail": "Request body too large"})


# --- common rules -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("accept", [None, "*/*", "application/xml", "application/json"])
@pytest.mark.parametrize("path", READS)
def test_both_spellings_answer_alike_whatever_is_accepted(reader, path, accept):
    headers = {} if accept is None else {"HTTP_ACCEPT": accept}
    bare, slashed = (reader.get(path.rstrip("/") + end, **headers) for end in ("", "/"))
    assert bare.status_code == slashed.status_code == 200
    assert bare["Content-Type"] == slashed["Content-Type"] == "application/json"
    assert bare.json() == slashed.json()
    assert bare["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/api/v1/audit", "/api/v1/audit/"])
def test_the_search_answers_under_both_spellings(reader, path):
    response = reader.post(path, {"filter": {"time_range": RANGE}}, format="json")
    assert response.status_code == 200


@pytest.mark.parametrize("path", [path for path in READS if path[-10:] != "providers/"])
def test_kitsutrail_routes_ignore_unknown_query_parameters(reader, path):
    assert reader.get(path, {"unknown": "1"}).status_code == 200


def test_native_routes_refuse_unknown_query_parameters(reader):
    assert where(reader.get("/api/v1/providers/", {"unknown": "1"})) == ["query.unknown"]
    assert where(reader.get("/api/v1/providers/", {"format": "xml"})) == ["query.format"]


def test_requests_from_guest_networks_need_no_credentials_on_kitsutrail_routes_only(api, db):
    with override_settings(ACTIVITY_GUEST_NETWORKS=["192.0.2.0/24"], ACTIVITY_GUEST_ROLE="auditor"):
        assert api.get("/api/v1/providers/idp", REMOTE_ADDR="192.0.2.9").status_code == 200
        assert (
            api.post("/api/v1/audit/", {"filter": {"time_range": RANGE}}, REMOTE_ADDR="192.0.2.9").status_code
            == 200
        )
        assert api.get("/api/v1/providers/", REMOTE_ADDR="192.0.2.9").status_code == 401
        assert api.get("/api/v1/providers/idp", REMOTE_ADDR="198.51.100.1").status_code == 401
        api.credentials(HTTP_AUTHORIZATION="Bearer nonsense")
        assert api.get("/api/v1/providers/idp", REMOTE_ADDR="192.0.2.9").status_code == 401
    api.credentials()
    assert api.get("/api/v1/providers/idp", REMOTE_ADDR="192.0.2.9").status_code == 401


# --- audit search -------------------------------------------------------------------------------------------------
def test_a_found_row_has_exactly_the_sixteen_keys_and_times_end_in_z(reader):
    EntryFactory(timestamp=T, user_login="uma")
    answer = search(reader).json()
    assert list(answer["items"][0]) == ROW_KEYS
    assert answer["items"][0]["timestamp"] == "2026-03-01T12:00:00Z"
    assert answer["items"][0]["user_id"] is None
    assert answer["metadata"] == {"total_items": 1, "total_page": 1, "page": 1, "items_in_page": 1}


def test_extended_rows_have_five_more_keys(reader):
    entry = EntryFactory(timestamp=T, details={"a": 1}, object_type="user", object_id="7")
    (row,) = search(reader, extended=True).json()["items"]
    assert list(row) == [*ROW_KEYS, "sequence", "domain", "object_type", "object_id", "details"]
    assert (row["sequence"], row["domain"], row["details"]) == (entry.pk, "activity", {"a": 1})


def test_newest_first_and_among_equal_times_the_higher_number_first(reader):
    rows = [EntryFactory(timestamp=T + timedelta(minutes=m)) for m in (0, 5, 5, 2)]
    found = [row["sequence"] for row in search(reader, extended=True).json()["items"]]
    assert found == [rows[2].pk, rows[1].pk, rows[3].pk, rows[0].pk]


def test_pages_of_equal_timestamps_hold_every_row_once(reader):
    EntryFactory.create_batch(57, timestamp=T)
    seen = []
    for page in range(1, 8):
        answer = search(reader, page=page, per_page=10).json()
        seen += [row["audit_id"] for row in answer["items"]]
        assert answer["metadata"]["total_page"] == 6
        assert answer["metadata"]["page"] == page
    assert len(seen) == len(set(seen)) == 57


def test_a_page_past_the_end_is_empty_and_keeps_its_number(reader):
    EntryFactory(timestamp=T)
    answer = search(reader, page=1_000_000).json()
    assert answer["items"] == []
    assert answer["metadata"] == {"total_items": 1, "total_page": 1, "page": 1_000_000, "items_in_page": 0}


def test_nothing_found_has_no_pages(reader):
    assert search(reader).json()["metadata"] == {
        "total_items": 0, "total_page": 0, "page": 1, "items_in_page": 0,
    }  # fmt: skip


def test_null_means_the_default_and_unknown_fields_are_ignored(reader):
    EntryFactory.create_batch(21, timestamp=T)
    answer = search(reader, page=None, per_page=None, extended=None, colour="red").json()
    assert len(answer["items"]) == 20


def test_an_unknown_value_of_a_closed_set_finds_nothing(reader):
    EntryFactory(timestamp=T)
    assert filtered(reader, category=["foo"]).json()["items"] == []


@pytest.mark.parametrize("value", [0, -1, 1001, "x", 1.5, True, [], {}])
def test_per_page_out_of_bounds_is_named(reader, value):
    assert where(search(reader, per_page=value)) == ["body.per_page"]


@pytest.mark.parametrize("value", [0, -1, 10**7, "x", False, 10**400])
def test_page_out_of_bounds_is_named(reader, value):
    assert where(search(reader, page=value)) == ["body.page"]


@pytest.mark.parametrize(
    ("time_range", "place"),
    [
        (None, "time_range"),
        ({}, "time_range.start"),
        ({"start": "2026-01-01"}, "time_range.end"),
        ({"start": "2026-01-01", "end": None}, "time_range.end"),
        ({"start": "yesterday", "end": "2026-01-01"}, "time_range.start"),
        ({"start": "2026-01-01", "end": "99999-01-01"}, "time_range.end"),
        ({"start": "1969-12-31", "end": "2026-01-01"}, "time_range.start"),
        ("2026", "time_range"),
    ],
)
def test_a_wrong_time_range_is_named(reader, time_range, place):
    found = where(search(reader, filter={"time_range": time_range}))
    assert f"body.filter.{place}" in found


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"a"', b"null", b"\xff", b"[" * 100_000, b"{}"])
def test_a_body_that_is_no_search_is_422(reader, body):
    assert where(reader.post("/api/v1/audit/", body, content_type="application/json"))[0].startswith("body")


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"action": "access"}, "action"),
        ({"action": [None]}, "action.0"),
        ({"action": [7]}, "action.0"),
        ({"action": ["a"] * 201}, "action"),
        ({"user_login": ["x" * 256]}, "user_login.0"),
        ({"user_login": ["a\x00b"]}, "user_login.0"),
        ({"user_login": ["\ud800"]}, "user_login.0"),
        ({"provider_id": ["x"]}, "provider_id.0"),
        ({"provider_id": [2**40]}, "provider_id.0"),
        ({"provider_id": [True]}, "provider_id.0"),
        ({"source_ip": ["10.0.0.0/33"]}, "source_ip.0"),
        ({"source_ip": ["somewhere"]}, "source_ip.0"),
        ({"source_ip": ["fe80::1%eth0"]}, "source_ip.0"),
    ],
)
def test_a_wrong_list_is_named(reader, fields, place):
    body = json.dumps({"filter": {"time_range": RANGE, **fields}})
    answer = reader.post("/api/v1/audit/", body, content_type="application/json")
    assert where(answer) == [f"body.filter.{place}"]


def test_null_and_empty_lists_restrict_nothing_and_digit_strings_are_numbers(reader):
    EntryFactory(timestamp=T, provider_id=4)
    assert filtered(reader, action=None, result=[], provider_id=["4"]).json()["metadata"]["total_items"] == 1


def test_the_number_of_statements_of_a_search_does_not_grow_with_the_rows(
    reader, django_assert_max_num_queries
):
    EntryFactory.create_batch(3, timestamp=T)
    with django_assert_max_num_queries(9) as few:
        search(reader, per_page=500)
    EntryFactory.create_batch(300, timestamp=T)
    with django_assert_max_num_queries(9) as many:
        assert len(search(reader, per_page=500).json()["items"]) == 303
    assert len(few) == len(many)


# --- statistics ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", [path for path in READS if "/stats/" in path])
@pytest.mark.parametrize("hours", ["0", "721", "a", "1.5", "", "-3"])
def test_hours_out_of_bounds_are_named(reader, path, hours):
    assert where(reader.get(path, {"hours": hours})) == ["query.hours"]


def test_statistics_keep_their_shapes_when_nothing_happened(reader):
    get = lambda path: reader.get(f"/api/v1/stats/{path}").json()  # noqa: E731
    empty = {"success": {"data": []}, "failure": {"data": []}, "labels": {"data": []}}
    assert get("current") == {
        "active_sessions": 0, "active_users": 0, "total_users": 1, "total_idp": 0, "total_sp": 0,
    }  # fmt: skip
    assert get("activity/providers") == {"idp": empty, "sp": empty}
    assert get("activity/failure-reasons") == {"series": [{"name": "records", "data": []}], "categories": []}
    assert get("activity/protocols") == {
        "series": [{"name": "idp", "data": []}, {"name": "sp", "data": []}], "categories": [],
    }  # fmt: skip
    assert get("activity/users-summary") == [
        {"login": "audrey", "authentication": 0, "access": 0, "failure": 0, "events": 0}
    ]
    hourly = get("activity/users")
    assert list(hourly) == ["authentications", "access", "labels"]
    assert [len(hourly[name]["data"]) for name in hourly] == [25, 25, 25]


def test_the_summary_is_paged(signed_in, audrey, uma, oscar):
    response = signed_in(audrey).get("/api/v1/stats/activity/users-summary", {"limit": "1", "offset": "1"})
    assert [row["login"] for row in response.json()] == ["oscar"]
    assert response["X-Total-Count"] == "3"


@pytest.mark.parametrize("path", [path for path in READS if "/stats/" in path])
def test_statistics_take_the_same_number_of_statements_however_many_rows(
    reader, path, django_assert_max_num_queries
):
    counts = []
    for _ in range(2):
        EntryFactory.create_batch(20, user_id="u", provider_id=1)
        ProviderFactory.create_batch(3)
        with django_assert_max_num_queries(6) as made:
            reader.get(path)
        counts.append(len(made))
    assert counts[0] == counts[1]


def test_a_deployment_is_told_about_guest_networks(settings):
    settings.ACTIVITY_GUEST_NETWORKS = []
    assert open_doors(None) == []
    settings.ACTIVITY_GUEST_NETWORKS = ["10.0.0.0/8"]
    assert [warning.id for warning in open_doors(None)] == ["waymark.W020"]
