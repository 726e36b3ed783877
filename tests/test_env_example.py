import itertools
import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
EXAMPLE = (ROOT / ".env.example").read_text().splitlines()
CODE = (ROOT / "config" / "settings.py").read_text()
READ = set(re.findall(r'(?:\benv(?:\.\w+)?|\bsecret)\(\s*"([A-Z_]+)"', CODE))
READ |= {f"PUNCH_THROTTLE_{name}" for name in {**settings.THROTTLES, **settings.PUNCH_THROTTLES}}
READ -= {"SERVING_SINCE"}  # `serve` hands it to its own processes
SETTING = re.compile(r"#?([A-Z_]+)=(.*)")


def listed() -> dict[str, str]:
    return {found[1]: found[2] for line in EXAMPLE if (found := SETTING.fullmatch(line))}


def test_settings_read_more_than_a_handful_of_names() -> None:
    assert len(READ) > 20


@pytest.mark.parametrize("name", sorted(READ))
def test_every_name_the_settings_read_is_listed(name: str) -> None:
    assert name in listed()


def test_every_listed_name_has_its_meaning_above_it() -> None:
    unexplained = [
        line
        for above, line in itertools.pairwise(EXAMPLE)
        if SETTING.fullmatch(line) and not re.match(r"# [^-]", above)
    ]
    assert unexplained == []


def test_no_name_is_listed_twice_and_no_secret_is_given() -> None:
    names = [found[1] for line in EXAMPLE if (found := SETTING.fullmatch(line))]
    assert len(names) == len(set(names))
    secrets = {"SECRET_KEY", "PII_ENCRYPTION_KEYS", "PII_INDEX_KEYS", "DEMO_PASSWORD", "POSTGRES_PASSWORD"}
    assert {listed()[name] for name in secrets} == {""}
