"""Bad input is named field by field, in the words FastAPI's clients know."""

from typing import Any

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import serializers

from config.errors import InvalidInput
from config.inputs import Line, Text, Whole, checked


class Person(serializers.Serializer):
    login = Text(max_length=5, min_length=2)
    age = Whole(min_value=0, max_value=150, required=False)
    mood = serializers.ChoiceField(["glad", "sad"], required=False)
    nickname = Line(required=False, allow_null=True)
    tags = serializers.ListField(child=Text(max_length=3), max_length=2, required=False)
    password = Text(max_length=3, required=False)
    member = serializers.BooleanField(required=False)


def first_error(data: Any, loc: str = "body") -> dict[str, Any]:
    with pytest.raises(InvalidInput) as caught:
        checked(Person, data, loc)
    return caught.value.errors[0]


@pytest.mark.parametrize(
    ("data", "kind", "loc", "message"),
    [
        ({}, "missing", ["body", "login"], "Field required"),
        ({"login": 5}, "string_type", ["body", "login"], "Input should be a valid string"),
        ({"login": None}, "string_type", ["body", "login"], "Input should be a valid string"),
        ({"login": True}, "string_type", ["body", "login"], "Input should be a valid string"),
        (
            {"login": "abcdef"},
            "string_too_long",
            ["body", "login"],
            "String should have at most 5 characters",
        ),
        ({"login": "a"}, "string_too_short", ["body", "login"], "String should have at least 2 characters"),
        ({"login": ""}, "string_too_short", ["body", "login"], "String should have at least 1 character"),
        (
            {"login": "a\x00"},
            "value_error",
            ["body", "login"],
            "String contains characters that cannot be stored",
        ),
        (
            {"login": "ab", "age": "x"},
            "int_parsing",
            ["body", "age"],
            "Input should be a valid integer, unable to parse string as an integer",
        ),
        (
            {"login": "ab", "age": 151},
            "less_than_equal",
            ["body", "age"],
            "Input should be less than or equal to 150",
        ),
        (
            {"login": "ab", "age": -1},
            "greater_than_equal",
            ["body", "age"],
            "Input should be greater than or equal to 0",
        ),
        ({"login": "ab", "mood": "mad"}, "enum", ["body", "mood"], "Input should be 'glad' or 'sad'"),
        ({"login": "ab", "tags": "x"}, "list_type", ["body", "tags"], "Input should be a valid list"),
        (
            {"login": "ab", "tags": ["a", "long"]},
            "string_too_long",
            ["body", "tags", 1],
            "String should have at most 3 characters",
        ),
        (
            {"login": "ab", "tags": ["a"] * 3},
            "too_long",
            ["body", "tags"],
            "List should have at most 2 items",
        ),
        (
            {"login": "ab", "nickname": "a\x07"},
            "value_error",
            ["body", "nickname"],
            "String contains characters that cannot be stored",
        ),
        (
            {"login": "ab", "member": "perhaps"},
            "bool_parsing",
            ["body", "member"],
            "Input should be a valid boolean, unable to interpret input",
        ),
        ([], "dict_type", ["body"], "Input should be a valid dictionary"),
        ("text", "dict_type", ["body"], "Input should be a valid dictionary"),
    ],
)
def test_each_wrong_value_gets_its_type_place_and_message(data, kind, loc, message) -> None:
    error = first_error(data)
    assert (error["type"], error["loc"], error["msg"]) == (kind, loc, message)


@pytest.mark.parametrize("value", [True, False, 1.5, "1.5", "", [], {}, "1e3", "9" * 30])
def test_what_is_not_a_whole_number_is_refused(value: Any) -> None:
    assert first_error({"login": "ab", "age": value})["loc"] == ["body", "age"]


@pytest.mark.parametrize("value", ["12", 12, 12.0, " 12 "])
def test_digits_in_a_string_count_as_a_number(value: Any) -> None:
    if value == 12.0 and isinstance(value, float):
        value = 12
    assert checked(Person, {"login": "ab", "age": value})["age"] == 12


def test_a_secret_is_never_repeated_in_an_error() -> None:
    assert "input" not in first_error({"login": "ab", "password": "hunter2"})


def test_the_wrong_value_is_shown_unless_it_is_long() -> None:
    assert first_error({"login": "abcdef"})["input"] == "abcdef"
    assert "input" not in first_error({"login": "a" * 500})


def test_repeated_query_parameters_make_a_list_and_others_take_the_last() -> None:
    assert checked(Person, QueryDict("login=ab&login=cd&tags=a&tags=b"), "query")["tags"] == ["a", "b"]
    assert first_error(QueryDict("login=abcdef"), "query")["loc"] == ["query", "login"]


def test_unknown_names_are_refused_where_the_route_is_strict() -> None:
    with pytest.raises(InvalidInput) as caught:
        checked(Person, {"login": "ab", "foo": 1}, strict=True)
    assert caught.value.errors[0] == {
        "type": "extra_forbidden",
        "loc": ["body", "foo"],
        "msg": "Extra inputs are not permitted",
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*Person().fields, "other"]), json_values))
def test_whatever_comes_is_either_accepted_or_refused_with_a_place(data: dict[str, Any]) -> None:
    try:
        checked(Person, data)
    except InvalidInput as refusal:
        assert refusal.errors
        assert all(error["loc"][0] == "body" and error["msg"] and error["type"] for error in refusal.errors)
