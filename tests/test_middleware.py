"""What every answer carries, whichever route gave it."""

import re

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "path", ["/health", "/nowhere", "/api/v1/providers/", "/accounts/login/", "/admin/login/"]
)
def test_every_answer_carries_the_security_headers(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Permissions-Policy"].startswith("camera=()")
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    assert "'unsafe-inline'" not in answer["Content-Security-Policy"]
    assert answer["Referrer-Policy"]


def test_the_api_readers_may_style_but_not_script_inline(client: Client) -> None:
    policy = client.get("/docs")["Content-Security-Policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert "'unsafe-inline'" in directives["style-src"]
    assert directives.get("script-src", directives["default-src"]) == "'self'"


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_api_readers_load_nothing_from_elsewhere(client: Client, path: str) -> None:
    page = client.get(path).content.decode()
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert loaded
    assert all(url.startswith(("/", "#")) for url in loaded), loaded
    assert "<script>" not in page


def test_a_sane_request_id_is_kept_and_a_strange_one_replaced(client: Client) -> None:
    assert client.get("/health", headers={"X-Request-ID": "abc-123"})["X-Request-ID"] == "abc-123"
    for strange in ("", "a b", "x" * 65, "<script>"):
        answered = client.get("/health", headers={"X-Request-ID": strange})["X-Request-ID"]
        assert answered != strange
        assert len(answered) == 32


def test_the_request_id_stands_in_the_log(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="waymark.access"):
        client.get("/health", headers={"X-Request-ID": "find-me"})
    line = next(record for record in caplog.records if record.name == "waymark.access")
    assert "GET /health 200" in line.getMessage()


@pytest.mark.parametrize(
    "path", ["/health", "/health/", "/docs", "/docs/", "/openapi.json", "/schema", "/schema/"]
)
def test_a_path_answers_in_both_spellings_without_a_redirect(client: Client, path: str) -> None:
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/nowhere/", "/auth/nowhere"])
def test_an_unknown_path_is_json_for_programs_and_a_page_for_people(client: Client, path: str) -> None:
    assert client.get(path).json() == {"detail": "Not Found"}
    page = client.get(path, headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert page["Content-Type"].startswith("text/html")


def test_a_body_over_the_limit_is_refused_before_it_is_read(client: Client) -> None:
    answer = client.post("/api/v1/audit/", b"x" * 1_048_577, content_type="application/json")
    assert answer.status_code == 413
    assert answer.json() == {"detail": "Request body too large"}


def test_a_listed_origin_may_ask_and_a_foreign_one_gets_no_header(client: Client, settings) -> None:
    settings.ALLOWED_ORIGINS = ["https://tenko.example.org"]
    ours = client.get("/health", headers={"Origin": "https://tenko.example.org"})
    assert ours["Access-Control-Allow-Origin"] == "https://tenko.example.org"
    assert ours["Access-Control-Allow-Credentials"] == "true"
    foreign = client.get("/health", headers={"Origin": "https://evil.example.com"})
    assert "Access-Control-Allow-Origin" not in foreign
    preflight = client.options(
        "/api/v1/audit/",
        headers={"Origin": "https://tenko.example.org", "Access-Control-Request-Method": "POST"},
    )
    assert preflight.status_code == 204
    assert "x-kiosk-api-key" in preflight["Access-Control-Allow-Headers"]


def test_the_root_is_a_table_of_contents_for_programs(client: Client) -> None:
    answer = client.get("/").json()
    assert answer["service"] == "waymark"
    assert answer["endpoints"]["POST /visit"] == "Log a visit"


def test_every_place_in_the_table_of_contents_exists(client: Client) -> None:
    for line in client.get("/").json()["endpoints"]:
        method, path = line.split()
        assert client.generic(method, path).status_code not in (404, 405), line


def test_a_defect_answers_with_an_id_and_nothing_else(client: Client, monkeypatch) -> None:
    client.raise_request_exception = False

    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr("config.root.JsonResponse", broken)
    answer = client.get("/", headers={"X-Request-ID": "defect-1"})
    assert answer.status_code == 500
    assert answer.json() == {"detail": "Internal Server Error", "request_id": "defect-1"}
