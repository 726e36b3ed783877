import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import InvalidInput
from config.inputs import checked
from traffic.arrivals import (
    Arrival,
    NotJSON,
    Reporter,
    check_type,
    header_agent,
    plainly_right,
    read_visit,
    read_visits,
)
from traffic.serializers import VisitReport, VisitReports

REPORTER = Reporter("curl/8.5.0", "203.0.113.9")
ONE = {"user_id": "u1", "page_url": "https://example.org/a"}

odd_text = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["", " ", "\t", "\x00", "a\x1fb", "a\x7f", "\x85", "\xa0", "\u2028", "\ud800", "192.0.2.1", "::FFFF:192.0.2.1",
         "fe80::1%eth0", " 192.0.2.1", "1.2.3.4:80", "01.2.3.4", "unknown", "x" * 255, "x" * 256, "x" * 1024,
         "x" * 1025, "x" * 2048, "x" * 2049]
    ),
)  # fmt: skip
anything = st.one_of(
    odd_text,
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.lists(odd_text, max_size=2),
    st.just({}),
)
reports = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("user_id", "page_url", "user_agent", "ip_address", "referrer", "more"), anything),
)


def serializer_accepts(fields: Any) -> bool:
    try:
        checked(VisitReport, fields)
    except InvalidInput:
        return False
    return True


@given(reports)
def test_the_quick_look_and_the_serializer_agree(fields: dict[str, Any]) -> None:
    assert plainly_right(fields) == serializer_accepts(fields)


@given(st.one_of(reports, anything))
def test_the_door_says_of_a_wrong_body_what_the_serializer_says(fields: Any) -> None:
    body = json.dumps(fields).encode()
    try:
        expected = checked(VisitReport, json.loads(body))
    except InvalidInput as refusal:
        if "NaN" in body.decode() or "Infinity" in body.decode():
            return
        with pytest.raises(InvalidInput) as caught:
            read_visit(body, REPORTER)
        assert caught.value.errors == refusal.errors
    else:
        if "NaN" not in body.decode() and "Infinity" not in body.decode():
            assert read_visit(body, REPORTER).user_id == expected["user_id"]


@given(st.lists(reports, min_size=1, max_size=4))
def test_a_wrong_entry_among_many_is_named_as_the_serializer_names_it(entries: list[dict[str, Any]]) -> None:
    body = json.dumps({"visits": entries}, allow_nan=True).encode()
    if b"NaN" in body or b"Infinity" in body:
        return
    try:
        checked(VisitReports, json.loads(body))
    except InvalidInput as refusal:
        with pytest.raises(InvalidInput) as caught:
            read_visits(body, REPORTER)
        assert caught.value.errors == refusal.errors[:20]
    else:
        assert len(read_visits(body, REPORTER)) == len(entries)


@given(st.binary(max_size=60))
def test_no_bytes_are_ever_more_than_wrong_input(body: bytes) -> None:
    for read in (read_visit, read_visits):
        with pytest.raises(InvalidInput) as caught:
            read(body, REPORTER)
        assert caught.value.errors[0]["loc"][0] == "body"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"user_id": NaN}', b"[" * 100_000, b"1" * 5000])
def test_what_is_no_json_is_called_so(body: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_visit(body, REPORTER)
    assert caught.value.errors == [{"type": "json_invalid", "loc": ["body"], "msg": "JSON decode error"}]


def test_what_a_visit_leaves_out_comes_from_the_request() -> None:
    visit = read_visit(json.dumps({**ONE, "user_agent": "", "ip_address": None}).encode(), REPORTER)
    assert visit == Arrival(
        "u1", "https://example.org/a", "curl/8.5.0", "203.0.113.9", None, "example.org", "/a", "(direct)", "Other",
        bot=False, person=None,
    )  # fmt: skip


def test_an_address_is_stored_in_its_normal_form() -> None:
    for given_, stored in [("2001:DB8:0::1", "2001:db8::1"), ("::ffff:192.0.2.1", "192.0.2.1")]:
        assert read_visit(json.dumps({**ONE, "ip_address": given_}).encode(), REPORTER).address == stored


def test_only_a_canonical_uuid_is_a_person() -> None:
    person = "12345678-1234-4234-8234-1234567890ab"
    for user, known in [(person, True), (person.upper(), False), (person.replace("-", ""), False)]:
        visit = read_visit(json.dumps({**ONE, "user_id": user}).encode(), REPORTER)
        assert (visit.person is not None) == known


def test_a_header_is_cut_and_what_is_not_printable_ascii_is_replaced() -> None:
    assert header_agent(b"caf\xe9\tbar") == "caf\ufffd\ufffdbar"
    assert header_agent("caf\xe9") == "caf\ufffd"
    assert header_agent(b"x" * 3000) == "x" * 1024
    assert header_agent(b"") is None


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Text/Plain;charset=UTF-8",
        "application/ld+json",
    ],
)
def test_json_and_what_a_beacon_sends_are_taken(kind: str) -> None:
    check_type(kind)


@pytest.mark.parametrize(
    "kind", ["", "application/x-www-form-urlencoded", "multipart/form-data", "json", "+json", "text/html"]
)
def test_other_content_types_are_refused(kind: str) -> None:
    with pytest.raises(NotJSON):
        check_type(kind)


@pytest.mark.parametrize(
    ("entries", "kind"),
    [([], "too_short"), ([ONE] * 1001, "too_long"), (None, "list_type"), ("x", "list_type")],
)
def test_a_list_of_visits_has_one_to_a_thousand(entries: Any, kind: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_visits(json.dumps({"visits": entries}).encode(), REPORTER)
    assert [(e["type"], e["loc"]) for e in caught.value.errors] == [(kind, ["body", "visits"])]


def test_at_most_twenty_faults_are_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_visits(json.dumps({"visits": [ONE] * 17 + [{}] * 500}).encode(), REPORTER)
    assert len(caught.value.errors) == 20
    assert caught.value.errors[0]["loc"] == ["body", "visits", 17, "user_id"]
