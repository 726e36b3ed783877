"""Throttles that all processes share: Redis where there is one, one row per key in the database otherwise.

A fixed window per key and length, raised by one atomic statement, so parallel requests cannot slip through.
"""

import hashlib
import logging
import math
import time
from collections.abc import Sequence

from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from redis.exceptions import RedisError

from config.errors import TooManyRequests
from config.models import RateWindow

log = logging.getLogger("waymark.throttles")
Rule = tuple[int, int]

HIT = """
INSERT INTO config_ratewindow (key, seconds, started_at, count) VALUES (%s, %s, %s, 1)
ON CONFLICT (key, seconds) DO UPDATE SET
  count = CASE WHEN config_ratewindow.started_at <= %s THEN 1 ELSE config_ratewindow.count + 1 END,
  started_at = CASE WHEN config_ratewindow.started_at <= %s THEN %s ELSE config_ratewindow.started_at END
RETURNING count, started_at
"""


def _hit_database(key: str, seconds: int, now: float) -> tuple[int, float]:
    edge = now - seconds
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(HIT, [key, seconds, now, edge, edge, now])
        count, started = cursor.fetchone()
    return count, started + seconds - now


def _count(key: str, seconds: int, now: float) -> tuple[int, float]:
    """Redis if it is configured and answers; the database is always there."""
    if settings.REDIS_URL:
        try:
            return _hit_redis(key, seconds, now)
        except RedisError:
            log.warning("Redis does not answer; throttling in the database")
    return _hit_database(key, seconds, now)


def _hit_redis(key: str, seconds: int, now: float) -> tuple[int, float]:
    slot = int(now // seconds)
    name = f"throttle:{key}:{seconds}:{slot}"
    cache.add(name, 0, timeout=seconds + 1)
    try:
        count = cache.incr(name)
    except ValueError:  # evicted, or emptied by an operator, since the line above
        cache.set(name, 1, timeout=seconds + 1)
        count = 1
    return count, (slot + 1) * seconds - now


def hit(name: str, who: str, rules: Sequence[Rule]) -> None:
    """Count one request of `who` at the door `name`; over any `(count, seconds)` of `rules`: TooManyRequests."""
    digest = hashlib.sha256(who.encode("utf-8", "replace")).hexdigest()[:32]
    now = time.time()
    waits = []
    for allowed, seconds in rules:
        count, left = _count(f"{name}:{digest}", seconds, now)
        if count > allowed:
            waits.append(max(1, math.ceil(left)))
    if waits:
        raise TooManyRequests(max(waits))


def purge(now: float | None = None) -> int:
    """Delete windows that ended a day ago; how many were deleted."""
    edge = (now or time.time()) - 86_400
    return RateWindow.objects.filter(started_at__lt=edge).delete()[0]
