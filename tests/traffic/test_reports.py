import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection

from activity.models import Entry
from tests.traffic.conftest import GOOGLEBOT, visit
from traffic.ingest import Ask, Ledger
from traffic.models import Site, Visit

NOW = datetime(2026, 3, 4, 12, 34, 56, tzinfo=UTC)
REPORTS = ["/stats/pages", "/stats/referrers", "/stats/browsers", "/stats/timeseries", "/stats/sites"]
SHOP = "https://shop.example.org"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def reader(signed_in: Any, audrey: Any) -> Any:
    return signed_in(audrey)


def write(hours_ago: float, *arrivals: Any) -> None:
    with time_machine.travel(NOW - timedelta(hours=hours_ago), tick=False):
        Ledger().write([Ask([arrival]) for arrival in arrivals])


@pytest.fixture
def visited(db: None) -> None:
    write(30, visit(), visit("u2"))
    write(2, visit(), visit("u2"), visit(page="https://example.org/b"), visit(user_agent=GOOGLEBOT))
    write(1, visit(page=f"{SHOP}/"), visit(page="/odd"))


@pytest.mark.parametrize("path", [*REPORTS, "/stats/export"])
def test_readers_read_and_others_do_not(
    path: str, api: Any, signed_in: Any, uma: Any, mona: Any, audrey: Any, oscar: Any, alice: Any
) -> None:
    assert api.get(path).status_code == 401
    assert [signed_in(p).get(path).status_code for p in (uma, mona)] == [403, 403]
    assert [signed_in(p).get(path).status_code for p in (audrey, oscar, alice)] == [200] * 3


def test_pages_are_ranked_with_their_site_over_whole_hours(reader: Any, visited: None) -> None:
    assert reader.get("/stats/pages", {"limit": 2}).json() == {
        "site": None,
        "from": "2026-03-03T12:00:00.000000Z",
        "to": "2026-03-04T13:00:00.000000Z",
        "total": {"visits": 5, "bots": 1},
        "items": [
            {"site": "example.org", "path": "/a", "visits": 2, "bots": 1},
            {"site": "shop.example.org", "path": "/", "visits": 1, "bots": 0},
        ],
        "rest": {"visits": 2, "bots": 0},
    }


def test_a_report_of_one_site_leaves_the_others_out(reader: Any, visited: None) -> None:
    answer = reader.get("/stats/pages", {"site": "Shop.example.org"}).json()
    assert (answer["site"], answer["total"]) == ("shop.example.org", {"visits": 1, "bots": 0})
    assert answer["items"] == [{"site": "shop.example.org", "path": "/", "visits": 1, "bots": 0}]


def test_browsers_and_referrers_are_added_up_over_the_sites(reader: Any, visited: None) -> None:
    assert reader.get("/stats/browsers").json()["items"] == [
        {"browser": "Firefox", "visits": 5, "bots": 0},
        {"browser": "Other", "visits": 0, "bots": 1},
    ]
    assert reader.get("/stats/referrers").json()["items"] == [
        {"referrer": "(direct)", "visits": 5, "bots": 1}
    ]


def test_a_curve_has_every_bucket_also_the_empty_ones(reader: Any, visited: None) -> None:
    answer = reader.get("/stats/timeseries", {"from": "2026-03-04T09:10:00Z"}).json()
    assert [(p["t"][11:16], p["visits"], p["bots"], p["visitors"]) for p in answer["points"]] == [
        ("09:00", 0, 0, None), ("10:00", 3, 1, None), ("11:00", 2, 0, None), ("12:00", 0, 0, None),
    ]  # fmt: skip
    assert (answer["interval"], answer["total"]) == ("hour", {"visits": 5, "bots": 1})


def test_days_tell_visitors(reader: Any, visited: None) -> None:
    for site, people in ((None, [2, 4]), ("example.org", [2, 2])):
        asked = {"interval": "day", "from": "2026-03-03", **({"site": site} if site else {})}
        points = reader.get("/stats/timeseries", asked).json()["points"]
        assert [p["visitors"] for p in points] == people


def test_minutes_show_the_minute(reader: Any, visited: None) -> None:
    asked = {"interval": "minute", "from": "2026-03-04T10:30:00Z", "to": "2026-03-04T10:36:00Z"}
    points = reader.get("/stats/timeseries", asked).json()["points"]
    assert [(p["t"][11:16], p["visits"]) for p in points if p["visits"]] == [("10:34", 3)]
    assert len(points) == 6


def test_sites_tell_their_first_and_last_visit_and_show_unvisited_ones_added_by_hand(
    reader: Any, visited: None
) -> None:
    Site.objects.create(host="new.example.org", name="New", created_at=NOW)
    Site.objects.create(host="(other)", reserved=True, created_at=NOW)
    answer = reader.get("/stats/sites", {"from": "2026-03-04T10:00Z", "limit": 2})
    assert answer["X-Total-Count"] == "4"
    body = answer.json()
    assert list(body) == ["from", "to", "total", "items", "rest"]
    assert body["items"][0] == {
        "site": "example.org",
        "name": "",
        "visits": 3,
        "bots": 1,
        "first_seen": "2026-03-03T06:34:56.000000Z",
        "last_seen": "2026-03-04T10:34:56.000000Z",
    }
    assert body["total"] == {"visits": 5, "bots": 1}
    assert body["rest"] == {"visits": 1, "bots": 0}
    later = reader.get("/stats/sites", {"from": "2026-03-04T10:00Z", "limit": 2, "offset": 2}).json()
    assert [i["site"] for i in later["items"]] == ["shop.example.org", "new.example.org"]
    beyond = reader.get("/stats/sites", {"from": "2026-03-04T10:00Z", "offset": 9}).json()
    assert (beyond["items"], beyond["rest"]) == ([], beyond["total"])


@pytest.mark.parametrize("path", [p for p in REPORTS if p != "/stats/timeseries"])
@pytest.mark.parametrize("limit", [1, 2, 100])
def test_items_and_rest_are_the_total(reader: Any, visited: None, path: str, limit: int) -> None:
    answer = reader.get(path, {"limit": limit}).json()
    for side in ("visits", "bots"):
        assert sum(i[side] for i in answer["items"]) + answer["rest"][side] == answer["total"][side]


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("pages", {"limit": 0}, "limit"),
        ("pages", {"limit": 101}, "limit"),
        ("pages", {"from": "2026-03-04", "to": "2026-03-04"}, "from"),
        ("pages", {"from": "2025-03-01"}, "to"),
        ("pages", {"from": "yesterday"}, "from"),
        ("pages", {"format": "xml"}, "format"),
        ("pages", {"colour": "red"}, "colour"),
        ("pages", {"interval": "hour"}, "interval"),
        ("sites", {"site": "example.org"}, "site"),
        ("sites", {"offset": -1}, "offset"),
        ("timeseries", {"interval": "week"}, "interval"),
        ("timeseries", {"interval": "hour", "from": "2026-02-01"}, "to"),
        ("timeseries", {"interval": "minute", "from": "2026-03-03T12:00Z"}, "to"),
        ("timeseries", {"interval": "minute", "from": "2026-01-01", "to": "2026-01-01T01:00"}, "from"),
        ("export", {"format": "json"}, "format"),
    ],
)
def test_what_a_report_cannot_answer_is_refused_by_name(
    reader: Any, path: str, query: Any, field: str
) -> None:
    answer = reader.get(f"/stats/{path}", query)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", field]


@pytest.mark.parametrize("path", ["pages", "timeseries", "export"])
def test_an_unknown_site_is_not_found(reader: Any, path: str) -> None:
    answer = reader.get(f"/stats/{path}", {"site": "nobody.example"})
    assert (answer.status_code, answer.json()) == (404, {"detail": "Site not found"})


def test_reports_come_as_sheets_too(reader: Any, visited: None) -> None:
    write(1, visit(page="https://example.org/=1+1"), visit(page="=HYPERLINK(1)"))
    answer = reader.get("/stats/pages", {"format": "csv", "limit": 100})
    rows = list(csv.reader(io.StringIO(answer.content.decode())))
    assert rows[0] == ["site", "path", "visits", "bots"]
    assert ["(none)", "'=HYPERLINK(1)", "1", "0"] in rows
    assert (
        reader.get("/stats/timeseries", {"format": "csv"}).content.decode().splitlines()[0]
        == "t,visits,bots,visitors"
    )


def test_no_report_reads_the_visits_and_each_is_one_statement(reader: Any, visited: None) -> None:
    paths = [*REPORTS, "/stats", "/stats/timeseries?interval=day"]
    before = [reader.get(path).content for path in REPORTS]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE traffic_visit RENAME TO traffic_visit_away")
    try:
        assert [reader.get(path).content for path in REPORTS] == before
        assert [reader.get(path).status_code for path in paths] == [200] * len(paths)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE traffic_visit_away RENAME TO traffic_visit")


# --- Export ---------------------------------------------------------------------------------------------------
def test_an_export_is_announced_in_the_trail_and_harmless_in_a_spreadsheet(reader: Any) -> None:
    write(1, visit(page="=HYPERLINK(1)", user_agent="+x", referrer="https://s.example/"), visit("u2"))
    answer = reader.get("/stats/export")
    assert answer["X-Total-Count"] == "2"
    assert answer["Content-Disposition"] == 'attachment; filename="waymark-visits-20260304T123456Z.csv"'
    entry = Entry.objects.get(action="export_visits")
    assert (entry.domain, entry.user_login, entry.details["visits"]) == ("traffic", "audrey", 2)
    text = b"".join(answer.streaming_content).decode()
    assert text.count("\r\n") == 3
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == [
        "id",
        "received_at",
        "site",
        "user_id",
        "page_url",
        "referrer",
        "user_agent",
        "ip_address",
        "bot",
    ]
    assert (rows[0]["page_url"], rows[0]["user_agent"]) == ("'=HYPERLINK(1)", "'+x")
    assert (rows[1]["user_id"], rows[1]["bot"], rows[1]["referrer"]) == ("u2", "False", "")
    assert [int(r["id"]) for r in rows] == sorted(Visit.objects.values_list("id", flat=True))


def test_lines_of_json_are_exported_as_they_are(reader: Any) -> None:
    write(1, visit("é", "=1"))
    answer = reader.get("/stats/export", {"format": "ndjson", "site": "(none)"})
    (line,) = b"".join(answer.streaming_content).decode().splitlines()
    row = json.loads(line)
    assert (row["user_id"], row["page_url"], row["bot"], row["referrer"]) == ("é", "=1", False, None)


def test_an_export_of_many_rows_is_read_in_pieces(reader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("traffic.queries.CHUNK", 3)
    write(1, *[visit(f"u{n}") for n in range(10)])
    answer = reader.get("/stats/export")
    write(0.5, visit("late"))
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [r["user_id"] for r in rows] == [f"u{n}" for n in range(10)]
