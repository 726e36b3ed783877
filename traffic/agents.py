"""What a user agent says about itself: which family of browsers, and whether it is a bot."""

import re
from functools import lru_cache
from pathlib import Path

OTHER = "Other"
# The first that matches: most browsers also carry the names of those they descend from.
FAMILIES = [
    ("Edge", re.compile(r"\bEdg(?:e|A|iOS)?/")),
    ("Opera", re.compile(r"\b(?:OPR|Opera|OPiOS|OPT)[/ ]")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/")),
    ("Chrome", re.compile(r"\b(?:Chrome|CriOS|Chromium|HeadlessChrome)/")),
    ("Safari", re.compile(r"\bVersion/[\d.]+.*\bSafari/|\bAppleWebKit/.*\bMobile/")),
]
BROWSERS = [*(name for name, _ in FAMILIES), OTHER]


def _pattern(entry: str) -> str:
    """A whole word of an agent; a star at either end lets the word go on there."""
    before = "" if entry.startswith("*") else r"(?<![a-z0-9])"
    after = "" if entry.endswith("*") else r"(?![a-z0-9])"
    return before + re.escape(entry.strip("*")) + after


def _compiled(lines: list[str]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    entries = [line.strip().lower() for line in lines if line.strip() and not line.startswith("#")]
    bots = "|".join(_pattern(entry) for entry in entries if not entry.startswith("!"))
    people = "|".join(_pattern(entry[1:]) for entry in entries if entry.startswith("!"))
    return re.compile(bots, re.IGNORECASE), re.compile(people, re.IGNORECASE)


BOTS, PEOPLE = _compiled((Path(__file__).parent / "data" / "bots.txt").read_text("utf-8").splitlines())


def is_bot(agent: str) -> bool:
    """Whether the list in `data/bots.txt` names it; libraries and command-line tools are not bots."""
    return BOTS.search(PEOPLE.sub("", agent)) is not None


@lru_cache(maxsize=4096)
def recognised(agent: str | None) -> tuple[str, bool]:
    """Browser family, and whether it is a bot."""
    if agent is None:
        return OTHER, False
    family = next((name for name, pattern in FAMILIES if pattern.search(agent)), OTHER)
    return family, is_bot(agent)
