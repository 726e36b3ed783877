"""One person's timeline (activity.md 2.6, 8.9)."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.core import signing
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from activity.models import Entry
from activity.queries import timeline
from activity.queries.timeline import Filters, Stretch, event, page_of
from activity.services import timeline as service
from identity.services import retire_user
from tests.activity.visits import about
from tests.factories import EntryFactory, PersonFactory
from traffic.models import Site, Visit

T = datetime(2026, 3, 1, 12, tzinfo=UTC)
OWN = "/api/v1/people/me/timeline"
ITEM = {
    "timestamp", "domain", "category", "action", "result", "reason", "info", "source_ip", "source_admin",
    "provider_name", "trace_id", "object", "sequence", "details",
}  # fmt: skip
DOOR: list[tuple[datetime, int]] = []  # what a third source, made of plain values, has to tell


def at_the_door(asked: Stretch):
    told = [
        (at, number)
        for at, number in DOOR
        if (asked.below is None or (at, number) < asked.below) and asked.filters.want("punch")
    ]
    return [event(at, number, domain="punch", action="door") for at, number in sorted(told)[::-1]][
        : asked.limit
    ]


def path(person):
    return f"/api/v1/people/{getattr(person, 'uuid', person)}/timeline"


def visit(uuid, at, page="https://www.example.org/a"):
    site, _ = Site.objects.get_or_create(host="www.example.org", defaults={"created_at": T})
    return Visit.objects.create(
        received_at=at,
        site=site,
        user_id=str(uuid),
        person=uuid,
        page_url=page,
        ip_address="192.0.2.1",
        bot=False,
    )


def openings():
    return Entry.objects.filter(action="open_timeline")


def actions(answer):
    assert answer.status_code == 200, answer.content
    return [item["action"] for item in answer.json()["items"]]


def all_pages(client, address, **query):
    """The items of every page."""
    found, cursor = [], {}
    while True:
        answer = client.get(address, {**query, **cursor})
        assert answer.status_code == 200, answer.content
        page = answer.json()
        found += page["items"]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


@pytest.fixture
def reader(signed_in, audrey):
    return signed_in(audrey)


def test_rows_and_visits_of_one_person_come_newest_first_in_one_shape(reader, uma, oscar):
    about(uma, timestamp=T, provider_name="Wiki", details={"n": 1})
    visit(uma.uuid, T + timedelta(minutes=1))
    about(uma, timestamp=T + timedelta(minutes=2), domain="punch", category="punch", action="punch")
    about(oscar, timestamp=T + timedelta(minutes=3))
    visit(uuid4(), T)
    answer = reader.get(path(uma)).json()
    assert set(answer) == {"person", "items", "next"}
    assert answer["person"] == {
        "id": str(uma.uuid),
        "login": "uma",
        "firstname": "Uma",
        "lastname": "Noir",
        "active": True,
    }
    assert answer["next"] is None
    assert [item["action"] for item in answer["items"]] == ["open_timeline", "punch", "visit", "access"]
    assert all(set(item) == ITEM for item in answer["items"])
    seen, access = answer["items"][2:]
    assert seen["object"] == {"type": "page", "id": "https://www.example.org/a"}
    assert (seen["domain"], seen["sequence"], seen["source_ip"]) == ("traffic", None, "192.0.2.1")
    assert (access["timestamp"], access["provider_name"]) == ("2026-03-01T12:00:00Z", "Wiki")
    assert (access["object"], access["details"]) == (None, {"n": 1})


def test_at_one_moment_rows_come_before_visits_and_higher_numbers_first(reader, uma):
    rows = [about(uma, timestamp=T, action=name) for name in ("r1", "r2")]
    for page in ("p1", "p2"):
        visit(uma.uuid, T, page)
    items = all_pages(reader, path(uma), limit=1)[1:]
    assert [item["sequence"] for item in items] == [rows[1].pk, rows[0].pk, None, None]
    assert [item["object"]["id"] for item in items[2:]] == ["p2", "p1"]


moments = st.lists(st.integers(0, 6), max_size=12)


@settings(max_examples=40)
@given(rows=moments, visits=moments, doors=moments, limit=st.integers(1, 7))
@pytest.mark.django_db
def test_paging_over_interleaved_sources_equals_one_sorted_list(settings, rows, visits, doors, limit):
    settings.TIMELINE_SOURCES = [*settings.TIMELINE_SOURCES[:1], f"{__name__}.at_the_door"]
    person = uuid4()
    DOOR[:] = [(T + timedelta(seconds=second), number) for number, second in enumerate(doors)]
    made = [(at, -2, number) for at, number in DOOR]
    for second in rows:
        entry = EntryFactory(user_id=str(person), timestamp=T + timedelta(seconds=second))
        made.append((entry.timestamp, 0, entry.pk))
    for second in visits:
        seen = visit(person, T + timedelta(seconds=second), f"page-{len(made)}")
        made.append((seen.received_at, -1, seen.pk))
    paged, after = [], None
    while True:
        items, after = page_of(person, Filters(), limit, after)
        paged += items
        if after is None:
            break
        assert len(items) == limit
    whole, rest = page_of(person, Filters(), 200)
    assert rest is None
    assert paged == whole
    places = {"access": 0, "visit": -1, "door": -2}
    made.sort(reverse=True)
    assert [(item["timestamp"], places[item["action"]]) for item in paged] == [made_[:2] for made_ in made]
    assert [item["sequence"] for item in paged] == [n if place == 0 else None for _, place, n in made]


def test_rows_that_arrive_while_paging_neither_repeat_nor_hide_others(reader, uma):
    made = [about(uma, timestamp=T + timedelta(minutes=n)).pk for n in range(6)]
    query = {"limit": 3, "domain": "activity", "to": "2026-04-01"}
    first = reader.get(path(uma), query).json()
    for minute in (0, 3, 5, 60):
        about(uma, timestamp=T + timedelta(minutes=minute), action="late")
    visit(uma.uuid, T)
    query["cursor"] = first["next"]
    query["limit"] = 50
    rest = reader.get(path(uma), query).json()["items"]
    numbers = [item["sequence"] for item in first["items"] + rest]
    assert len(numbers) == len(set(numbers))
    assert [number for number in numbers if number in made] == made[::-1]


def test_domains_and_times_choose_the_events(reader, uma):
    for n, domain in enumerate(["activity", "identity", "punch"]):
        about(uma, timestamp=T + timedelta(hours=n), domain=domain, action=domain)
    visit(uma.uuid, T + timedelta(hours=3))
    until = {"to": "2026-03-31"}
    assert actions(reader.get(path(uma), until)) == ["visit", "punch", "identity", "activity"]
    assert actions(reader.get(path(uma), {**until, "domain": ["punch", "activity"]})) == ["punch", "activity"]
    assert actions(reader.get(path(uma), {**until, "domain": "traffic"})) == ["visit"]
    assert actions(reader.get(path(uma), {**until, "domain": "foo"})) == []
    span = {"from": "2026-03-01T13:00", "to": "2026-03-01T14:00"}
    assert actions(reader.get(path(uma), span)) == ["punch", "identity"]
    assert actions(reader.get(path(uma), {"from": span["to"], "to": span["from"]})) == []


def test_opening_is_a_row_that_names_viewer_and_reason_and_the_person_sees_it(reader, signed_in, uma):
    reader.get(path(uma), {"reason": "Ticket 4711"})
    row = openings().get()
    assert (row.domain, row.category, row.result) == ("activity", "management", "success")
    assert (row.user_id, row.user_login) == (str(uma.uuid), "uma")
    assert (row.source_admin, row.info) == ("audrey", "Ticket 4711")
    (seen,) = [i for i in signed_in(uma).get(OWN).json()["items"] if i["action"] == "open_timeline"]
    assert (seen["source_admin"], seen["info"], seen["sequence"]) == ("audrey", "Ticket 4711", row.pk)


def test_following_pages_and_ones_own_timeline_are_no_openings(reader, signed_in, uma, audrey):
    for n in range(5):
        about(uma, timestamp=T + timedelta(minutes=n))
    assert len(all_pages(reader, path(uma), limit=2)) == 6
    assert openings().count() == 1
    assert signed_in(uma).get(OWN).status_code == 200
    assert reader.get(OWN).json()["person"]["login"] == "audrey"
    assert reader.get(path(audrey)).status_code == 200
    assert openings().count() == 1


def test_nobody_without_a_reader_role_opens_somebody_elses(api, signed_in, uma, mona, oscar):
    about(oscar)
    assert (api.get(path(oscar)).status_code, api.get(OWN).status_code) == (401, 401)
    for person in (uma, mona):
        assert signed_in(person).get(path(oscar)).status_code == 403
    assert not openings().exists()


def test_a_deleted_person_keeps_a_timeline_under_the_last_login(reader, alice, uma):
    from activity.callers import Caller

    about(uma, timestamp=T)
    retire_user(uma, by=Caller(user=alice))
    answer = reader.get(path(uma))
    assert answer.json()["person"] == {
        "id": str(uma.uuid),
        "login": "uma",
        "firstname": None,
        "lastname": None,
        "active": False,
    }
    assert actions(answer) == ["open_timeline", "delete_user", "access"]
    assert openings().get().user_login == "uma"


def test_who_is_known_to_the_trail_alone_has_a_timeline(reader):
    gone = uuid4()
    EntryFactory(user_id=str(gone), user_login="old", timestamp=T)
    EntryFactory(user_id=str(gone), user_login="newer", timestamp=T + timedelta(1))
    assert reader.get(path(gone)).json()["person"]["login"] == "newer"
    assert openings().get().user_id == str(gone)


@pytest.mark.parametrize("text", ["00000000-0000-4000-8000-000000000000", "x", "é", "0" * 40])
def test_a_person_nobody_knows_is_not_found_and_leaves_no_row(reader, text):
    answer = reader.get(path(text))
    assert (answer.status_code, answer.json()) == (404, {"detail": "Person not found"})
    assert not openings().exists()


def test_a_deactivated_person_is_not_active(reader, uma):
    uma.is_active = False
    uma.save()
    assert reader.get(path(uma)).json()["person"]["active"] is False


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"}, {"limit": "201"}, {"limit": "x"}, {"from": "soon"}, {"to": "99999-01-01"},
        {"reason": "x" * 201}, {"reason": "a\0"}, {"domain": ["punch"] * 201}, {"x": "1"},
        {"cursor": ""}, {"cursor": "é"}, {"cursor": "a:b:c"}, {"cursor": "x" * 501}, {"cursor": "a\0"},
    ],
)  # fmt: skip
def test_wrong_parameters_are_named_and_leave_no_row(reader, uma, query):
    answer = reader.get(path(uma), query)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][:2] == ["query", next(iter(query))]
    assert not openings().exists()


@pytest.fixture
def cursor(reader, uma, oscar):
    """Audrey's, for all of Uma's timeline."""
    for person in (uma, oscar):
        EntryFactory.create_batch(3, user_id=str(person.uuid), user_login=person.username, timestamp=T)
    return reader.get(path(uma), {"limit": 2}).json()["next"]


def refused(answer):
    return answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["query", "cursor"]


def test_a_cursor_serves_its_viewer_person_and_filters_only(reader, signed_in, uma, oscar, cursor):
    follow = {"cursor": cursor}
    assert reader.get(path(uma), {**follow, "limit": 200}).status_code == 200
    assert refused(reader.get(path(oscar), follow))
    assert refused(signed_in(oscar).get(path(uma), follow))
    assert refused(signed_in(uma).get(OWN, follow))
    assert refused(reader.get(path(uma), {**follow, "domain": "activity"}))
    assert refused(reader.get(path(uma), {**follow, "from": "2026-01-01"}))
    assert refused(reader.get(path(uma), {**follow, "to": "2027-01-01"}))


def test_a_tampered_or_forged_cursor_is_refused(reader, uma, cursor):
    value, rest = cursor.split(":", 1)
    for false in (f"{value[:-1]}A:{rest}", cursor[:-1], cursor[::-1], signing.dumps([T.isoformat(), 0, 9])):
        assert refused(reader.get(path(uma), {"cursor": false}))


def test_a_cursor_is_good_for_one_hour(reader, uma, cursor, monkeypatch):
    import time

    now = time.time()
    monkeypatch.setattr(signing.time, "time", lambda: now + 3590)
    assert reader.get(path(uma), {"cursor": cursor}).status_code == 200
    monkeypatch.setattr(signing.time, "time", lambda: now + 3610)
    assert refused(reader.get(path(uma), {"cursor": cursor}))


def test_an_opening_that_cannot_be_recorded_shows_nothing(reader, uma, monkeypatch):
    def broken(*args, **kwargs):
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(Entry, "save", broken)
    monkeypatch.setattr(service, "page_of", lambda *args: pytest.fail("the events were read"))
    answer = reader.get(path(uma))
    assert (answer.status_code, answer.json()) == (503, {"detail": "Service temporarily unavailable"})
    assert int(answer["Retry-After"]) > 0


@pytest.mark.django_db(transaction=True)
def test_the_opening_is_committed_before_the_events_are_read(reader, uma, monkeypatch):
    found = []

    def read(*args):
        found.append((connection.in_atomic_block, openings().count()))
        return timeline.page_of(*args)

    monkeypatch.setattr(service, "page_of", read)
    assert actions(reader.get(path(uma)))[0] == "open_timeline"
    assert found == [(False, 1)]


def test_sixty_openings_a_minute_are_enough_and_pages_do_not_count(
    reader, signed_in, oscar, uma, monkeypatch
):
    assert service.OPENINGS == [(60, 60)]
    monkeypatch.setattr(service, "OPENINGS", [(2, 60)])
    for _ in range(2):
        last = reader.get(path(uma), {"limit": 1})
        assert last.status_code == 200
    answer = reader.get(path(uma))
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert openings().count() == 2
    assert reader.get(path(uma), {"limit": 1, "cursor": last.json()["next"]}).status_code == 200
    assert reader.get(OWN).status_code == 200
    assert signed_in(oscar).get(path(uma)).status_code == 200


def test_the_number_of_queries_does_not_grow_with_the_rows(reader):
    counts = []
    for rows in (1, 60):
        person = PersonFactory()
        EntryFactory.create_batch(rows, user_id=str(person.uuid), timestamp=T)
        for _ in range(rows):
            visit(person.uuid, T)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert len(reader.get(path(person), {"limit": 200}).json()["items"]) == rows * 2 + 1
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_page_deep_in_a_long_timeline_is_read_from_the_index_in_its_order(uma):
    rows = Entry.objects.filter(user_id=str(uma.uuid))
    page = Stretch(uma.uuid, 51, below=(T, 7)).newest(rows, "timestamp", "sequence")
    if connection.vendor == "sqlite":
        plan = page.explain()
        assert "entry_user (user_id=? AND timestamp<?)" in plan
        assert "TEMP B-TREE" not in plan
        return
    with connection.cursor() as cursor:  # a table this small is read whole otherwise
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
    plan = page.explain()
    assert "using entry_user" in plan
    assert "Sort" not in plan
