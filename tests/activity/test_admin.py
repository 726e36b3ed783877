"""The trail in Django's admin (activity.md 5)."""

import pytest
from django.contrib import admin
from django.urls import reverse

from activity.admin import ENOUGH, NearCount
from activity.models import Entry, Provider, Segment
from identity.authentication import SESSION_KEY
from identity.services import open_sign_in
from tests.factories import EntryFactory, ProviderFactory

ENTRIES = "/admin/activity/entry/"
PROVIDERS = "/admin/activity/provider/"


@pytest.fixture
def browser(client):
    def sign(person):
        session = client.session
        session[SESSION_KEY] = str(open_sign_in(person).sign_in.pk)
        session.save()
        return client

    return sign


@pytest.fixture
def as_admin(browser, alice):
    return browser(alice)


@pytest.mark.parametrize("model", [Entry, Segment])
@pytest.mark.parametrize("page", ["add", "change", "delete"])
def test_nobody_changes_the_trail(as_admin, model, page):
    row = EntryFactory()
    arguments = [] if page == "add" else [row.pk]
    url = reverse(f"admin:activity_{model._meta.model_name}_{page}", args=arguments)
    before = Entry.objects.count()
    assert as_admin.post(url, {"post": "yes", "action": "x"}).status_code in (302, 403)
    assert Entry.objects.count() == before


def test_a_row_can_be_looked_at_by_every_reader(browser, oscar):
    row = EntryFactory(user_login="uma", details={"user_agent": "Firefox"})
    answer = browser(oscar).get(f"{ENTRIES}{row.pk}/change/")
    assert answer.status_code == 200
    assert "Firefox" in answer.content.decode()
    assert "_save" not in answer.content.decode()


def test_the_list_has_no_bulk_actions_and_no_full_count(as_admin, django_assert_max_num_queries):
    EntryFactory.create_batch(60)
    with django_assert_max_num_queries(8) as made:
        answer = as_admin.get(ENTRIES)
    assert 'name="action"' not in answer.content.decode()
    counts = [each["sql"] for each in made if "COUNT(" in each["sql"] and "activity_entry" in each["sql"]]
    assert counts
    assert all(f"LIMIT {ENOUGH}" in sql for sql in counts)


@pytest.mark.parametrize("column", ["user_login", "audit_id", "trace_id", "source_ip"])
def test_rows_are_found_by_whole_values(as_admin, column):
    EntryFactory.create_batch(2, user_login="somebody", source_ip="198.51.100.1")
    wanted = EntryFactory(user_login="uma", source_ip="203.0.113.99")
    found = as_admin.get(ENTRIES, {"q": f" {getattr(wanted, column)} "}).context["cl"].queryset
    assert [row.pk for row in found] == [wanted.pk]


def test_a_search_with_characters_that_cannot_be_stored_is_complained_about(as_admin):
    answer = as_admin.get(ENTRIES, {"q": "a\x00b"})
    assert answer.status_code == 200
    assert "Null characters are not allowed" in answer.content.decode()


def test_the_paginator_stops_counting_where_nobody_turns_pages(db, django_assert_num_queries):
    EntryFactory.create_batch(3)
    with django_assert_num_queries(1) as made:
        assert NearCount(Entry.objects.order_by("-timestamp"), 50).count == 3
    assert f"LIMIT {ENOUGH}" in made[0]["sql"]


def test_segments_open_without_reading_their_digests(as_admin):
    model_admin = admin.site.get_model_admin(Segment)
    assert "digests" not in model_admin.get_fields(None)
    assert as_admin.get("/admin/activity/segment/").status_code == 200


def test_administrators_keep_providers_and_each_change_leaves_its_row(as_admin):
    start = Entry.objects.count()
    as_admin.post(f"{PROVIDERS}add/", {"type": "sp", "protocol": "OIDC", "name": "Mail"})
    provider = Provider.objects.get()
    as_admin.post(f"{PROVIDERS}{provider.pk}/change/", {"protocol": "SAML", "name": "Post"})
    provider.refresh_from_db()
    assert (provider.type, provider.protocol, provider.name) == ("sp", "SAML", "Post")
    as_admin.post(f"{PROVIDERS}{provider.pk}/delete/", {"post": "yes"})
    assert not Provider.objects.exists()
    rows = Entry.objects.order_by("sequence")[start:]
    assert [row.action for row in rows] == ["create_provider", "update_provider", "delete_provider"]
    assert {row.source_admin for row in rows} == {"alice"}


def test_a_taken_name_is_refused_in_words(as_admin):
    ProviderFactory(name="Mail", type="sp")
    form = {"type": "sp", "protocol": "OIDC", "name": "mAiL"}
    answer = as_admin.post(f"{PROVIDERS}add/", form, follow=True)
    assert answer.status_code == 200
    assert Provider.objects.count() == 1
    text = answer.content.decode()
    assert "already" in text or "violated" in text


def test_the_service_refuses_what_the_form_lets_pass(as_admin):
    ProviderFactory(name="Écoute", type="sp")
    form = {"type": "sp", "protocol": "OIDC", "name": "éCOUTE"}
    as_admin.post(f"{PROVIDERS}add/", form, follow=True)
    assert Provider.objects.count() == 1


@pytest.mark.parametrize("person", ["oscar", "audrey"])
def test_readers_who_are_no_administrators_only_look_at_providers(db, request, browser, person):
    provider = ProviderFactory(name="Mail")
    client = browser(request.getfixturevalue(person))
    assert client.get(PROVIDERS).status_code == 200
    assert client.get(f"{PROVIDERS}{provider.pk}/change/").status_code == 200
    assert client.post(f"{PROVIDERS}{provider.pk}/change/", {"name": "X"}).status_code == 403
    assert client.post(f"{PROVIDERS}{provider.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Provider.objects.get().name == "Mail"
