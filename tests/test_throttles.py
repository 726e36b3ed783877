"""Throttles count for all processes together, in the database and in Redis."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from config import throttles
from config.errors import TooManyRequests
from config.models import RateWindow


def refused(times: int, rules: list[tuple[int, int]], who: str = "203.0.113.7") -> int:
    count = 0
    for _ in range(times):
        try:
            throttles.hit("test", who, rules)
        except TooManyRequests:
            count += 1
    return count


@pytest.fixture(params=["database", "redis"])
def store(request: pytest.FixtureRequest, settings, db: None) -> str:
    if request.param == "redis":
        url = os.environ.get("TEST_REDIS_URL") or os.environ.get("REDIS_URL")
        if not url:
            pytest.skip("no Redis")
        settings.REDIS_URL = url
        settings.CACHES = {
            "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}
        }
        from django.core.cache import cache

        cache.clear()
    else:
        settings.REDIS_URL = ""
    return request.param


def test_what_is_over_the_limit_is_refused_and_told_when_to_return(store: str) -> None:
    assert refused(5, [(3, 60)]) == 2
    with pytest.raises(TooManyRequests) as caught:
        throttles.hit("test", "203.0.113.7", [(3, 60)])
    assert 1 <= int(caught.value.headers["Retry-After"]) <= 60
    assert "Rate limit exceeded: retry in" in caught.value.detail


def test_each_address_has_a_count_of_its_own(store: str) -> None:
    assert refused(3, [(3, 60)]) == 0
    assert refused(3, [(3, 60)], who="198.51.100.1") == 0


def test_the_strictest_of_several_rules_decides(store: str) -> None:
    assert refused(4, [(2, 10), (3, 60)]) == 2


def test_no_rule_means_no_throttle(store: str) -> None:
    assert refused(50, []) == 0


@pytest.mark.django_db
def test_a_window_ends(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REDIS_URL = ""
    clock = [1_000_000.0]
    monkeypatch.setattr(throttles.time, "time", lambda: clock[0])
    assert refused(4, [(3, 60)]) == 1
    clock[0] += 61
    assert refused(3, [(3, 60)]) == 0
    clock[0] += 90_000
    assert throttles.purge() == 1
    assert not RateWindow.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_parallel_requests_do_not_slip_through() -> None:
    def one(_: int) -> int:
        try:
            return refused(1, [(10, 60)])
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(40))) == 30


@pytest.mark.django_db
def test_without_redis_the_database_counts(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from redis.exceptions import ConnectionError as RedisDown

    def down(*args: object) -> None:
        raise RedisDown

    settings.REDIS_URL = "redis://127.0.0.1:1"
    monkeypatch.setattr(throttles, "_hit_redis", down)
    assert refused(5, [(3, 60)]) == 2
