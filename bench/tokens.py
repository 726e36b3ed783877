"""A repeated token against an uncached RS256 verify: remembered signatures must be 20 times cheaper.

Alternated rounds; the ratio is formed inside each round. Needs no database.
"""

import os
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.update(DEBUG="1", VAR_DIR=tempfile.mkdtemp(prefix="waymark-bench-"))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django
import jwt

django.setup()

from django.utils import timezone  # noqa: E402

from identity import keys, tokens  # noqa: E402
from identity.models import SignIn, User  # noqa: E402

ROUNDS, TIMES = 7, 400
MUST = 1 / 20


def microseconds(act, times=TIMES):
    """The median time of one call."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        act()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1e6


def main():
    person = User(username="bench")
    person.roles = ["user"]
    text = str(tokens.AccessToken.issue(SignIn(id=uuid.uuid4()), person, timezone.now()))
    now = time.time()
    assert tokens.access_claims(text, now)["username"] == "bench"
    key = keys.ring().current.public_key()  # parsed once, as PyJWT wants it
    ratios = []
    for number in range(ROUNDS):
        verify = microseconds(lambda: jwt.decode(text, key, ["RS256"], issuer="waymark"))
        repeat = microseconds(lambda: tokens.access_claims(text, now))
        ratios.append(repeat / verify)
        print(
            f"round {number + 1}: verify {verify:.1f} µs, repeated {repeat:.2f} µs, ratio 1/{verify / repeat:.0f}"
        )
    middle = statistics.median(ratios)
    print(f"median 1/{1 / middle:.0f} (range 1/{1 / max(ratios):.0f} to 1/{1 / min(ratios):.0f}), must 1/20")
    return 0 if middle <= MUST else 1


if __name__ == "__main__":
    sys.exit(main())
