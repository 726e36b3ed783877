"""The search against a plain Python oracle, and totals that are kept rather than counted (activity.md 2.4)."""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activity.models import Block, Entry, Tally
from activity.queries import networks
from activity.queries.search import EXTENDED_ROW, Filter, matching, search, total
from activity.services import count_blocks
from tests.factories import EntryFactory

T = datetime(2026, 3, 1, tzinfo=UTC)
ADDRESSES = [
    "10.0.0.1", "10.0.0.2", "10.0.1.1", "10.1.0.1", "10.10.0.1", "100.1.2.3", "1.0.0.1", "203.0.113.7",
    "2001:db8::1", "2001:db8:0:1::1", "2001:db8:1::5", "2001:db80::1", "::1", "fe80::1", "::", None,
]  # fmt: skip
NETWORKS = [
    "10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/24", "10.0.0.0/31", "10.0.0.0/15", "10.0.0.1", "10.0.0.1/32",
    "0.0.0.0/0", "0.0.0.0/5", "1.0.0.0/8", "::/0", "2001:db8::/32", "2001:db8::/48", "2001:db8:1::/48",
    "2001:db8::/31", "fe80::/10", "::1", "::1/128", "::ffff:10.0.0.0/104", "::ffff:10.0.0.1", "2001:DB8::0:1",
]  # fmt: skip
SMALL = {
    "domain": ["activity", "identity"],
    "category": ["autorisation", "management"],
    "action": ["access", "Access", "logout"],
    "result": ["success", "fail", None],
    "reason": ["timeout", None],
    "trace_id": ["t1", "t2"],
    "user_id": ["u1", "u2", None],
    "user_login": ["uma", "Uma", None],
    "source_admin": ["alice", None],
    "source_ip": ADDRESSES,
    "provider_id": [1, 2, None],
    "provider_type": ["idp", "sp", None],
    "provider_name": ["Mail", "mail", None],
    "provider_protocol": ["SAML", None],
    "object_type": ["user", None],
    "object_id": ["7", None],
}
moments = st.integers(0, 12).map(lambda n: T + timedelta(minutes=n))
rows = st.fixed_dictionaries(
    {"timestamp": moments, **{name: st.sampled_from(values) for name, values in SMALL.items()}}
)
asked_values = {
    name: st.lists(
        st.sampled_from(NETWORKS if name == "source_ip" else [v for v in values if v is not None]), max_size=3
    )
    for name, values in SMALL.items()
}


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    names = draw(st.lists(st.sampled_from(sorted(SMALL)), max_size=3, unique=True))
    start, end = draw(st.none() | moments), draw(st.none() | moments)
    return Filter(start, end, **{name: tuple(draw(asked_values[name])) for name in names})


def in_network(address: str | None, asked: str) -> bool:
    if address is None:
        return False
    network = ipaddress.ip_network(asked, strict=False)
    found = ipaddress.ip_address(address)
    if network.version == 6 and network.prefixlen >= 96 and network.network_address.ipv4_mapped:
        network = ipaddress.ip_network(f"{network.network_address.ipv4_mapped}/{network.prefixlen - 96}")
    return found in network


def meant(row: Entry, asked: Filter) -> bool:
    """The oracle: the contract's sentences about a filter, word by word."""
    if (asked.start and row.timestamp < asked.start) or (asked.end and row.timestamp > asked.end):
        return False
    for name in SMALL:
        values = getattr(asked, name)
        if not values:
            continue
        value = getattr(row, name)
        if name == "source_ip":
            if not any(in_network(value, each) for each in values):
                return False
        elif value not in values:
            return False
    return True


@contextmanager
def undone() -> Iterator[None]:
    """The trail cannot be emptied, so each example is rolled back."""
    mark = transaction.savepoint()
    try:
        yield
    finally:
        transaction.savepoint_rollback(mark)


def plant(made: list[dict]) -> list[Entry]:
    Entry.objects.bulk_create(
        EntryFactory.build(sequence=number, **values) for number, values in enumerate(made, start=1)
    )
    return list(Entry.objects.all())


LENIENT = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@LENIENT
@given(made=st.lists(rows, max_size=24), asked=filters(), per_page=st.integers(1, 7), counted=st.booleans())
def test_the_search_finds_what_a_plain_loop_finds(db, monkeypatch, made, asked, per_page, counted):
    monkeypatch.setattr(Block, "WIDTH", 3)
    with undone():
        planted = plant(made)
        if counted:
            assert count_blocks() == len(made) // 3
        expected = [row for row in planted if meant(row, asked)]
        expected.sort(key=lambda row: (row.timestamp, row.sequence), reverse=True)
        numbers = [row.sequence for row in expected]
        assert total(asked) == len(numbers)
        assert sorted(matching(asked).values_list("pk", flat=True)) == sorted(numbers)
        for page in range(1, len(numbers) // per_page + 3):
            found = search(asked, page, per_page)
            assert found.total == len(numbers)
            assert [row["sequence"] for row in found.rows] == numbers[(page - 1) * per_page : page * per_page]


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_finds_exactly_its_addresses(db, network):
    for address in ADDRESSES:
        EntryFactory(source_ip=address)
    found = set(matching(Filter(source_ip=(network,))).values_list("source_ip", flat=True))
    assert found == {address for address in ADDRESSES if in_network(address, network)}


def test_a_network_with_many_stored_addresses_is_exact_too(db):
    addresses = [f"10.{n // 250}.{n % 250}.9" for n in range(1500)]
    Entry.objects.bulk_create(EntryFactory.build(source_ip=address) for address in addresses)
    expected = sum(int(address.split(".")[1]) < 4 for address in addresses)
    assert total(Filter(source_ip=("10.0.0.0/14",))) == expected == 1000


@pytest.mark.parametrize(
    "text", ["10.0.0.0/33", "10.0.0", "", "::1%eth0", "fe80::%1/64", "a/8", "10.0.0.1/-1"]
)
def test_what_is_no_network_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        networks.parse(text)


def test_blocks_are_counted_once_and_only_when_complete(db, monkeypatch):
    monkeypatch.setattr(Block, "WIDTH", 4)
    plant([{"timestamp": T + timedelta(minutes=n)} for n in range(10)])
    assert count_blocks() == 2
    assert count_blocks() == 0
    assert list(Block.objects.order_by("number").values_list("number", "rows")) == [(1, 4), (2, 4)]
    assert Block.objects.get(number=2).first_at == T + timedelta(minutes=4)
    assert Tally.objects.filter(block=1).count() == 1
    assert total(Filter()) == 10


def test_numbers_that_were_never_used_leave_empty_blocks(db, monkeypatch):
    monkeypatch.setattr(Block, "WIDTH", 4)
    EntryFactory(sequence=1, timestamp=T)
    EntryFactory(sequence=14, timestamp=T)
    assert count_blocks() == 3
    assert list(Block.objects.order_by("number").values_list("rows", flat=True)) == [1, 0, 0]
    assert total(Filter(T, T)) == 2


def test_kept_counts_spare_the_database_the_counting(db, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(Block, "WIDTH", 4)
    plant([{"timestamp": T + timedelta(minutes=n)} for n in range(64)])
    count_blocks()
    with django_assert_num_queries(5) as made:
        assert total(Filter(T, T + timedelta(minutes=63), action=("access",))) == 64
    counted = [each["sql"] for each in made if "activity_entry" in each["sql"]]
    assert len(counted) == 1
    assert '"sequence" >' in counted[0]


def test_a_page_has_the_columns_that_were_asked_for(db):
    EntryFactory(timestamp=T)
    assert tuple(search(Filter(), 1, 1).rows[0]) == EXTENDED_ROW
    assert tuple(search(Filter(), 1, 1, ("action",)).rows[0]) == ("action",)


@pytest.mark.parametrize("page", [1, 2, 6, 7])
def test_pages_from_both_ends_agree(db, page):
    plant([{"timestamp": T + timedelta(minutes=n // 5)} for n in range(65)])
    everything = [row["sequence"] for row in search(Filter(), 1, 1000).rows]
    assert [row["sequence"] for row in search(Filter(), page, 10).rows] == everything[
        (page - 1) * 10 : page * 10
    ]
