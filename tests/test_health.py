import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection
from rest_framework.test import APIClient

from config import __version__


@contextmanager
def database_gone() -> Iterator[None]:
    def refuse(*args: Any) -> None:
        raise OperationalError("password authentication failed for user waymark at 10.1.2.3")

    with connection.execute_wrapper(refuse):
        yield


def test_health_serves_all_dialects_with_one_object(api: APIClient, db: None) -> None:
    answer = api.get("/health")
    assert answer.status_code == 200
    assert set(answer.data) == {"status", "db", "timestamp", "uptime_seconds", "service", "version"}
    assert (answer.data["status"], answer.data["db"]) == ("ok", "ok")
    assert (answer.data["service"], answer.data["version"]) == ("waymark", __version__)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", answer.data["timestamp"])
    assert answer.data["uptime_seconds"] >= 0
    assert answer.headers["Cache-Control"] == "no-store"


def test_uptime_grows(api: APIClient, db: None) -> None:
    first = api.get("/health").data["uptime_seconds"]
    assert api.get("/health").data["uptime_seconds"] > first


def test_without_its_database_the_service_is_alive_but_degraded(api: APIClient, db: None) -> None:
    with database_gone():
        answer = api.get("/health")
    assert answer.status_code == 200
    assert (answer.data["status"], answer.data["db"]) == ("degraded", "down")
    assert "password" not in answer.content.decode()


def test_without_its_database_the_service_is_not_ready(api: APIClient, db: None) -> None:
    assert api.get("/health/ready").status_code == 200
    with database_gone():
        answer = api.get("/health/ready")
    assert answer.status_code == 503
    assert answer.data["status"] == "degraded"


@pytest.mark.parametrize("path", ["/health", "/health/", "/health/ready", "/health/ready/"])
def test_both_spellings_and_head_answer_a_stranger(api: APIClient, db: None, path: str) -> None:
    assert api.get(path).status_code == 200
    assert api.head(path).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
def test_credentials_that_have_ended_do_not_matter(api: APIClient, db: None, path: str) -> None:
    assert api.get(path, HTTP_AUTHORIZATION="Bearer nonsense").status_code == 200
