from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from activity.models import Entry
from activity.queries.matching import matcher
from activity.queries.search import EXTENDED_ROW, LISTS, Filter, matching
from tests.factories import EntryFactory

VALUES: dict[str, list[Any]] = {
    "domain": ["activity", "identity", "punch"],
    "action": ["access", "Access", "sign_in"],
    "result": ["success", "fail", None],
    "reason": ["timeout", "", None],
    "user_login": ["uma", "Uma", "ümä", "", None],
    "user_id": ["u1", None],
    "provider_id": [1, 2, None],
    "provider_name": ["Keycloak", "50%", None],
    "object_type": ["device", None],
    "source_admin": ["alice", None],
    "source_ip": [
        "10.0.0.1",
        "10.0.1.1",
        "100.0.0.1",
        "192.168.7.9",
        "2001:db8::1",
        "2001:db8:0:1::9",
        "::1",
        None,
    ],
}
PLACES = [
    "10.0.0.1",
    "10.0.0.0/24",
    "10.0.0.0/15",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::/32",
    "2001:db8::/64",
    "::1/128",
]


def asked_values(name: str) -> st.SearchStrategy[tuple[Any, ...]]:
    known = PLACES if name == "source_ip" else [value for value in VALUES[name] if value is not None]
    return st.lists(st.sampled_from(known), max_size=2).map(tuple)


filters = st.fixed_dictionaries({}, optional={name: asked_values(name) for name in VALUES}).map(
    lambda fields: Filter(**fields)
)
rows = st.lists(
    st.fixed_dictionaries({name: st.sampled_from(known) for name, known in VALUES.items()}), max_size=8
)


class TestAgreement(TestCase):
    @given(rows, filters)
    def test_the_feed_and_the_search_mean_the_same_rows(
        self, columns: list[dict[str, Any]], asked: Filter
    ) -> None:
        for values in columns:
            EntryFactory(**values)
        wanted = matcher(asked)
        by_hand = {row["sequence"] for row in Entry.objects.values(*EXTENDED_ROW) if wanted(row)}
        assert by_hand == set(matching(asked).values_list("pk", flat=True))


@pytest.mark.parametrize("name", [name for name in LISTS if name != "source_ip"])
def test_each_field_restricts_exactly_and_null_is_never_meant(name: str) -> None:
    value: Any = 7 if name == "provider_id" else "x"
    wanted = matcher(Filter(**{name: (value,)}))
    nothing = dict.fromkeys(EXTENDED_ROW)
    assert wanted({**nothing, name: value})
    assert not wanted(nothing)
    assert not wanted({**nothing, name: 8 if name == "provider_id" else "X"})


def test_an_address_in_its_ipv6_coat_is_the_address() -> None:
    wanted = matcher(Filter(source_ip=("::ffff:10.0.0.1",)))
    assert wanted({"source_ip": "10.0.0.1"})
    assert not wanted({"source_ip": "unknown"})
    assert not matcher(Filter(source_ip=("10.0.0.0/8",)))({"source_ip": "unknown"})
