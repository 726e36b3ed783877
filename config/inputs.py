"""What comes in from strangers: field checks by DRF serializers, errors in the shape FastAPI clients know.

An error is `{"type", "loc", "msg", "input"?}`; `loc` starts with `body`, `query` or `path`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.datastructures import MultiValueDict
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ParseError
from rest_framework.parsers import JSONParser
from rest_framework.request import Request

from config.errors import InvalidInput

SECRET_FIELDS = {"password", "otp", "otp_code", "qr_token", "refresh_token", "token", "secret"}
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
MAX_INPUT_SHOWN = 100


class StrictJSONParser(JSONParser):
    """JSON whose depth and numbers cannot hurt the server: every failure is one ParseError."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise ParseError("JSON nested too deeply") from error


class Text(serializers.CharField):
    """A string and nothing that merely looks like one; no NUL, no lone surrogate."""

    default_error_messages = {"characters": "String contains characters that cannot be stored"}
    forbidden = UNSTORABLE

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("trim_whitespace", False)
        super().__init__(**kwargs)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if data is not serializers.empty and data is not None and not isinstance(data, str):
            self.fail("invalid")
        if isinstance(data, str) and self.forbidden.search(data):
            self.fail("characters")
        return super().run_validation(data)


class Line(Text):
    """Text for names: no control characters but CR, LF and tab."""

    forbidden = CONTROL


class Whole(serializers.IntegerField):
    """A whole number; digits in a string count, booleans and fractions do not."""

    MAX_STRING_LENGTH = 20

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or (isinstance(data, float) and not data.is_integer()):
            self.fail("invalid")
        if not isinstance(data, int | float | str) or not re.fullmatch(r"\s*[+-]?\d+\s*", f"{data}"):
            self.fail("invalid")
        if len(str(data)) > self.MAX_STRING_LENGTH:
            self.fail("max_string_length")
        return int(data)


class Moment(serializers.DateTimeField):
    """A moment of the years 1970 to 2999 as aware UTC: an ISO date or date and time, or a unix number.

    Without an offset it is UTC, a bare date is its midnight, a number from 2e10 up counts milliseconds.
    """

    EPOCH, END = datetime(1970, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
    TEXT = re.compile(
        r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,9})?)?( ?(Z|z|[+-]\d\d(:?\d\d)?))?)?", re.ASCII
    )
    NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,9})?", re.ASCII)
    MILLISECONDS_FROM = 2e10
    default_error_messages = {"range": "Year should be between 1970 and 2999"}

    def to_internal_value(self, value: Any) -> datetime:
        try:
            moment = self._read(str(value).strip() if isinstance(value, int | float | str) else "", value)
        except (ValueError, OverflowError):
            self.fail("invalid", format="ISO 8601")
        if not self.EPOCH <= moment < self.END:
            self.fail("range")
        return moment

    def _read(self, text: str, value: Any) -> datetime:
        if self.NUMBER.fullmatch(text) and not isinstance(value, bool):
            number = float(text)
            seconds = number / 1000 if abs(number) >= self.MILLISECONDS_FROM else number
            return self.EPOCH + timedelta(seconds=seconds)
        if not self.TEXT.fullmatch(text):
            raise ValueError(text)
        moment = datetime.fromisoformat(text.upper().replace(" Z", "Z"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


MESSAGES: dict[str, tuple[str, str]] = {
    "required": ("missing", "Field required"),
    "max_length": ("string_too_long", "String should have at most {max_length} characters"),
    "min_length": ("string_too_short", "String should have at least {min_length} characters"),
    "blank": ("string_too_short", "String should have at least 1 character"),
    "max_value": ("less_than_equal", "Input should be less than or equal to {max_value}"),
    "min_value": ("greater_than_equal", "Input should be greater than or equal to {min_value}"),
    "not_a_list": ("list_type", "Input should be a valid list"),
    "not_a_dict": ("dict_type", "Input should be a valid dictionary"),
}
WRONG_TYPE: list[tuple[type[serializers.Field], str, str]] = [
    (serializers.BooleanField, "bool_parsing", "Input should be a valid boolean, unable to interpret input"),
    (
        serializers.IntegerField,
        "int_parsing",
        "Input should be a valid integer, unable to parse string as an integer",
    ),
    (serializers.EmailField, "value_error", "value is not a valid email address"),
    (serializers.DateTimeField, "datetime_parsing", "Input should be a valid datetime"),
    (serializers.UUIDField, "uuid_parsing", "Input should be a valid UUID"),
    (serializers.ListSerializer, "list_type", "Input should be a valid list"),
    (serializers.BaseSerializer, "dict_type", "Input should be a valid dictionary"),
    (serializers.CharField, "string_type", "Input should be a valid string"),
]


def _kind_and_message(field: serializers.Field | None, error: ErrorDetail) -> tuple[str, str]:
    code = str(error.code)
    if isinstance(field, serializers.ListField | serializers.ListSerializer) and code in {
        "max_length",
        "min_length",
    }:
        limit = getattr(field, code)
        return (
            ("too_long", f"List should have at most {limit} items")
            if code == "max_length"
            else (
                "too_short",
                f"List should have at least {limit} items",
            )
        )
    if code == "invalid_choice" and isinstance(field, serializers.ChoiceField):
        names = [f"'{name}'" for name in field.choices]
        return "enum", "Input should be " + " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    if code in {"invalid", "null", "max_string_length"} and (not isinstance(field, Text) or code != "value"):
        for kind, name, text in WRONG_TYPE:
            if isinstance(field, kind) and _is_default(field, error):
                return name, text
    if code in MESSAGES:
        name, text = MESSAGES[code]
        return name, text.format(
            **{k: getattr(field, k, "") for k in ("max_length", "min_length", "max_value", "min_value")}
        )
    return "value_error", str(error)


def _is_default(field: serializers.Field, error: ErrorDetail) -> bool:
    """Whether the field itself complained, rather than a validator with words of its own."""
    known = str(field.error_messages.get(str(error.code), ""))
    return error.code in {"null", "max_string_length"} or str(error).split("{")[0][:12] == known[:12]


def _child(field: Any, key: Any) -> Any:
    if isinstance(field, serializers.BaseSerializer) and hasattr(field, "fields"):
        return field.fields.get(key)
    return getattr(field, "child", None)


def _dig(data: Any, key: Any) -> Any:
    if isinstance(data, Mapping):
        return data.get(key, serializers.empty)
    if isinstance(data, list) and isinstance(key, int) and key < len(data):
        return data[key]
    return serializers.empty


def _shown(value: Any) -> bool:
    if value is serializers.empty:
        return False
    try:
        return len(json.dumps(value)) <= MAX_INPUT_SHOWN and not UNSTORABLE.search(str(value))
    except (TypeError, ValueError):
        return False


def errors_of(
    field: Any, errors: Any, loc: list[str | int], data: Any, secret: bool = False
) -> Iterator[dict[str, Any]]:
    """Walk DRF's nested errors beside the fields that made them."""
    if isinstance(errors, Mapping):
        for key, inner in errors.items():
            if key == "non_field_errors":
                yield from errors_of(field, inner, loc, data, secret)
            else:
                hidden = secret or key in SECRET_FIELDS
                yield from errors_of(_child(field, key), inner, [*loc, key], _dig(data, key), hidden)
        return
    for position, error in enumerate(errors):
        if isinstance(error, Mapping):
            if error:
                yield from errors_of(
                    _child(field, position), error, [*loc, position], _dig(data, position), secret
                )
            continue
        kind, message = _kind_and_message(field, error)
        item = {"type": kind, "loc": loc, "msg": message}
        if not secret and kind != "missing" and _shown(data):
            item["input"] = data
        yield item


def _plain(data: Any, serializer: serializers.Serializer) -> Any:
    """A query string as a plain dict: lists for list fields, the last value for all others."""
    if not isinstance(data, MultiValueDict):
        return data
    return {
        key: data.getlist(key) if isinstance(serializer.fields.get(key), serializers.ListField) else data[key]
        for key in data
    }


def checked(
    kind: type[serializers.Serializer], data: Any, loc: str = "body", *, strict: bool = False, **options: Any
) -> dict[str, Any]:
    """The validated values, or InvalidInput that names every wrong field.

    `strict` refuses names that the serializer does not know.
    """
    serializer = kind(data=data, **options)
    plain = _plain(data, serializer)
    serializer.initial_data = plain
    if not isinstance(plain, Mapping):
        raise InvalidInput([{"type": "dict_type", "loc": [loc], "msg": "Input should be a valid dictionary"}])
    if strict and (unknown := [name for name in plain if name not in serializer.fields]):
        shown = [UNSTORABLE.sub("\ufffd", name)[:MAX_INPUT_SHOWN] for name in unknown]
        words = {"type": "extra_forbidden", "msg": "Extra inputs are not permitted"}
        raise InvalidInput([{**words, "loc": [loc, name]} for name in shown])
    if not serializer.is_valid():
        raise InvalidInput(list(errors_of(serializer, serializer.errors, [loc], plain)))
    return dict(serializer.validated_data)


def body(kind: type[serializers.Serializer], request: Request, **options: Any) -> dict[str, Any]:
    """The JSON body of a request, checked; an absent body is a missing one, not an empty object."""
    data = request.data
    if not isinstance(data, Mapping) or (not data and not _has_body(request)):
        kind_of_error = "dict_type" if _has_body(request) else "missing"
        message = "Input should be a valid dictionary" if _has_body(request) else "Field required"
        raise InvalidInput([{"type": kind_of_error, "loc": ["body"], "msg": message}])
    return checked(kind, data, **options)


class Nothing(serializers.Serializer):
    """A query without parameters."""


def _has_body(request: Request) -> bool:
    return int(request.META.get("CONTENT_LENGTH") or 0) > 0


def query(kind: type[serializers.Serializer], request: Request, **options: Any) -> dict[str, Any]:
    """The query string of a request, checked."""
    return checked(kind, request.query_params, "query", **options)
