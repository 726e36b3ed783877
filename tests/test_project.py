"""What holds for the project as a whole, whatever is added to it."""

from io import StringIO

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from identity.models import User
from tests.factories import PASSWORD

OURS = ("activity", "identity", "config", "traffic", "punch", "pools", "compliance")


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", check=True, dry_run=True, stdout=StringIO())


def test_the_schema_is_valid_and_speaks_openapi_3_1(tmp_path, capfd) -> None:
    target = tmp_path / "openapi.yaml"
    call_command("spectacular", file=str(target), validate=True, fail_on_warn=True)
    assert target.read_text().startswith("openapi: 3.1.0")


def test_every_operation_says_what_it_does_and_what_it_answers() -> None:
    from drf_spectacular.generators import SchemaGenerator

    schema = SchemaGenerator().get_schema(request=None, public=True)
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary"), f"{method} {path} has no summary"
            assert operation["responses"], f"{method} {path} declares no answer"


@pytest.fixture
def in_admin(client: Client, alice: User) -> Client:
    client.post("/accounts/login/", {"username": alice.username, "password": PASSWORD})
    return client


@pytest.mark.parametrize("label", sorted(m._meta.label_lower for m in admin.site._registry))
@pytest.mark.django_db
def test_every_admin_list_and_its_search_open(in_admin: Client, label: str) -> None:
    model = apps.get_model(label)
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    assert in_admin.get(url).status_code == 200
    assert in_admin.get(url, {"q": "alice"}).status_code == 200


@pytest.mark.django_db
def test_columns_that_hold_secrets_or_names_are_never_plain(alice: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT first_name, last_name, full_name FROM identity_user WHERE id = %s", [alice.pk])
        stored = cursor.fetchone()
    assert all(text.startswith("v1.") for text in stored)
    assert User.objects.get(pk=alice.pk).full_name == "Alice Martin"
