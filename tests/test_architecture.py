"""HOUSE.md section 2: which way imports point, and what the house does not have."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = {"activity", "identity", "traffic", "punch", "pools", "compliance"}
MAY_IMPORT = {
    "config": set(),
    "activity": {"config"},
    "identity": {"activity", "config"},
    "traffic": {"identity", "activity", "config"},
    "punch": {"identity", "activity", "config"},
    "pools": {"identity", "activity", "config"},
    "compliance": {"identity", "activity", "config"},
}
# The roof: it knows every app, and nobody imports it.
ROOF = {"config.settings", "config.urls", "config.asgi", "config.wsgi", "config.root", "config.background"}
ROOF_FOLDERS = ("config.management",)
FORBIDDEN_NAMES = {"signals.py", "utils.py", "constants.py", "managers.py", "helpers.py"}
MAX_LINES = 400


def sources() -> Iterator[Path]:
    for top in [*APPS, "config"]:
        yield from (p for p in (ROOT / top).rglob("*.py") if "migrations" not in p.parts)


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_roof(module: str) -> bool:
    return module in ROOF or module.startswith(ROOF_FOLDERS)


@pytest.mark.parametrize("path", sorted(sources()), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_downward(path: Path) -> None:
    module = module_of(path)
    top = module.split(".")[0]
    offenders = []
    for name in imports_of(path):
        target = name.split(".")[0]
        if target not in MAY_IMPORT:
            continue
        roof_above = any(name == roof or name.startswith(f"{roof}.") for roof in ROOF) and not is_roof(module)
        sideways = target != top and target not in MAY_IMPORT[top] and not is_roof(module)
        if roof_above or sideways:
            offenders.append(name)
    assert not offenders, f"{module} may not import {offenders}"


def test_no_room_is_over_four_hundred_lines() -> None:
    too_long = {module_of(p): n for p in sources() if (n := len(p.read_text().splitlines())) > MAX_LINES}
    assert not too_long


def test_no_room_has_a_name_that_says_nothing() -> None:
    assert not [str(p) for p in sources() if p.name in FORBIDDEN_NAMES]


def test_only_the_trail_and_its_bulk_loader_insert_rows_into_the_trail() -> None:
    allowed = {"activity.services", "activity.services.trail", "activity.seed", "activity.loader"}
    inserting = {
        module_of(p)
        for p in sources()
        if re.search(r"\bEntry\.objects\.(bulk_)?create|\bEntry\(|INSERT INTO activity_entry", p.read_text())
    }
    assert inserting - allowed <= {"activity.models"}


def test_background_work_and_refusals_are_never_swallowed() -> None:
    silent = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler) and [type(s) for s in node.body] == [ast.Pass]:
                silent.append(f"{module_of(path)}:{node.lineno}")
    assert not silent
