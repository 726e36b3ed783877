"""What the README tells a newcomer to do, in its order."""

import re
from pathlib import Path

import pytest
from django.core.management import call_command, get_commands
from django.test import Client

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()

pytestmark = pytest.mark.django_db


@pytest.fixture
def seeded(transactional_db: None, settings) -> None:
    settings.DEBUG = True
    call_command(
        "seed", "--seed", "1", "--rows", "10000", "--until", "2025-06-15", "--domain", "activity", verbosity=0
    )


def test_a_newcomer_signs_in_asks_for_statistics_and_searches_the_trail(seeded: None, settings) -> None:
    client = Client()
    form = {"username": "operator", "password": settings.DEMO_PASSWORD}
    token = client.post("/auth/token", form).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/stats/current", headers=headers).json()["total_idp"] == 3
    asked = re.search(r"-d '(\{\"filter\".*?\})'$", README, re.MULTILINE)
    assert asked, "the README shows a search"
    found = client.post("/api/v1/audit/", asked.group(1), "application/json", headers=headers).json()
    assert found["metadata"]["items_in_page"] == 5
    assert {row["result"] for row in found["items"]} == {"fail"}


def test_a_newcomer_signs_in_at_the_page_and_opens_every_place_the_readme_names(
    seeded: None, settings
) -> None:
    client = Client(headers={"Accept": "text/html"})
    assert client.get("/")["Location"].startswith("/accounts/login/")
    client.post("/accounts/login/", {"username": "operator", "password": settings.DEMO_PASSWORD})
    section = README.split("## Where to look first")[1].split("##")[0]
    places = re.findall(r"^\| `(/[^`]*)`", section, re.MULTILINE)
    assert len(places) >= 5
    for place in places:
        assert client.get(place).status_code == 200, place


def test_every_command_the_readme_names_exists() -> None:
    section = README.split("## Commands")[1].split("##")[0]
    named = set(re.findall(r"manage\.py (\w+)", section))
    assert named
    assert named <= set(get_commands())


def test_every_setting_the_readme_names_is_in_the_example_file() -> None:
    example = (ROOT / ".env.example").read_text()
    section = README.split("## Settings")[1]
    for name in re.findall(r"`([A-Z][A-Z_]{3,})`", section):
        assert re.search(rf"^#?\s*{name}=", example, re.MULTILINE), name


def test_every_picture_of_the_readme_is_there_and_small() -> None:
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert pictures
    assert all((ROOT / picture).stat().st_size < 400_000 for picture in pictures)
