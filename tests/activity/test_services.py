"""Writing the trail (activity.md 3.1): one command, one transaction, one row."""

import json

import pytest
from django.db import transaction

from activity.callers import Caller
from activity.models import Entry, Provider
from activity.services import NOBODY, Line, record, record_refusal, recorded
from activity.services.trail import entry_of
from config.errors import Refusal
from tests.factories import PersonFactory, ProviderFactory

SYSTEM = Caller(ip="127.0.0.1", trace_id="t", system="system")


class Remembered(Refusal):
    status, detail, trailed = 409, "No", "because"


class Forgotten(Refusal):
    status, detail = 409, "No"


def half_done(error):
    """A command that fails after its first change."""
    with recorded("create_provider", domain="activity", by=SYSTEM):
        ProviderFactory()
        raise error


def latest():
    return Entry.objects.latest("sequence")


def test_a_command_leaves_one_row_that_it_may_complete(db):
    with recorded("revoke_device", domain="identity", by=SYSTEM, person=NOBODY, target=("device", 7)) as line:
        line.info = "lost"
        line.details["count"] = 2
    assert Entry.objects.count() == 1
    row = latest()
    assert (row.domain, row.category, row.action, row.result) == (
        "identity", "management", "revoke_device", "success",
    )  # fmt: skip
    assert (row.object_type, row.object_id, row.info, row.details) == ("device", "7", "lost", {"count": 2})
    assert len(row.audit_id) == 32


def test_a_command_that_changed_nothing_leaves_none(db):
    with recorded("update_user", domain="identity", by=SYSTEM) as line:
        line.kept = False
    assert not Entry.objects.exists()


def test_a_refusal_undoes_the_command_and_is_remembered_afterwards(db):
    with pytest.raises(Remembered):
        half_done(Remembered())
    assert not Provider.objects.exists()
    assert (latest().action, latest().result, latest().reason) == ("create_provider", "fail", "because")


def test_a_refusal_that_is_not_worth_remembering_leaves_no_row(db):
    with pytest.raises(Forgotten), recorded("x", domain="activity", by=SYSTEM):
        raise Forgotten
    assert not Entry.objects.exists()


def test_a_defect_leaves_neither_change_nor_row(db):
    with pytest.raises(ZeroDivisionError):
        half_done(ZeroDivisionError())
    assert not Provider.objects.exists()
    assert not Entry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_commands_do_not_nest():
    with pytest.raises(RuntimeError), transaction.atomic(), recorded("x", domain="activity", by=SYSTEM):
        raise AssertionError("not reached")


@pytest.mark.parametrize(
    ("domain", "action", "category"),
    [
        ("activity", "access", "autorisation"),
        ("activity", "authentication", "autorisation"),
        ("identity", "sign_in", "autorisation"),
        ("identity", "create_user", "management"),
        ("activity", "export_trail", "management"),
        ("punch", "punch", "punch"),
        ("pools", "sign_in", "pools"),
    ],
)
def test_the_category_follows_domain_and_action(domain, action, category):
    assert entry_of(Line(action, domain, SYSTEM)).category == category


def test_a_persons_own_act_names_nobody_else(db):
    uma = PersonFactory(username="uma")
    row = record("sign_out", domain="identity", by=Caller(user=uma, trace_id="t"))
    assert (row.user_id, row.user_login, row.source_admin) == (str(uma.uuid), "uma", None)


def test_an_act_on_somebody_else_names_both(db):
    uma, alice = PersonFactory(username="uma"), PersonFactory(username="alice")
    row = record("update_user", domain="identity", by=Caller(user=alice, trace_id="t"), person=uma)
    assert (row.user_id, row.user_login, row.source_admin) == (str(uma.uuid), "uma", "alice")


def test_an_act_about_no_person_names_only_who_did_it(db):
    alice = PersonFactory(username="alice")
    row = record("x", domain="activity", by=Caller(user=alice, trace_id="t"), person=NOBODY)
    assert (row.user_id, row.user_login, row.source_admin) == (None, None, "alice")


def test_a_strangers_attempt_keeps_the_login_that_was_typed(db):
    row = record("sign_in", domain="identity", by=Caller(trace_id="t"), login="eve", result="fail")
    assert (row.user_id, row.user_login, row.source_admin) == (None, "eve", None)


def test_a_system_is_named_as_the_one_who_did_it(db):
    assert record("x", domain="activity", by=SYSTEM).source_admin == "system"


def test_form_never_fails_an_act(db):
    caller = Caller(ip="::ffff:203.0.113.7", agent="A" * 900, trace_id="t" * 100)
    row = record(
        "a" * 100,
        domain="activity",
        by=caller,
        reason="nul\x00\ud800",
        info="x" * 300,
        target=("type" * 20, "id" * 50),
        login="l" * 200,
        details={"f": 1.5, "deep": {"a": {"b": {"c": {"d": {"e": 1}}}}}, "nul": "\x00"},
    )
    row.refresh_from_db()
    assert row.action == "a" * 63 + "…"
    assert row.reason == "nul��"
    assert (len(row.info), len(row.user_login), len(row.trace_id)) == (255, 150, 64)
    assert (len(row.object_type), len(row.object_id)) == (40, 64)
    assert row.source_ip == "203.0.113.7"
    assert row.details["f"] == "1.5"
    assert row.details["nul"] == "\ufffd"
    assert len(row.details["user_agent"]) == 500
    assert row.details["deep"]["a"]["b"]["c"] == {"d": "…"}


def test_details_stay_under_eight_kilobytes(db):
    row = record(
        "x", domain="activity", by=SYSTEM, details={f"k{n}": "ü" * 1000 for n in range(12)} | {"short": 1}
    )
    assert len(json.dumps(row.details, ensure_ascii=False).encode()) <= 8192
    assert row.details["short"] == 1


def test_an_act_without_details_has_none(db):
    assert record("x", domain="activity", by=SYSTEM).details is None


def test_the_provider_is_copied_into_the_row(db):
    provider = ProviderFactory(name="Mail", type="sp", protocol="OIDC")
    row = record("access", domain="activity", by=SYSTEM, provider=provider)
    assert (row.provider_id, row.provider_type, row.provider_name, row.provider_protocol) == (
        provider.pk, "sp", "Mail", "OIDC",
    )  # fmt: skip


SEEN = []


def index(entry):
    SEEN.append(entry.pk)


def test_the_indexes_of_other_apps_hear_of_each_row(db, settings):
    settings.TRAIL_INDEXES = ["tests.activity.test_services.index"]
    SEEN.clear()
    row = record("x", domain="activity", by=SYSTEM)
    assert [row.pk] == SEEN


def test_a_refusal_is_written_with_its_reason(db):
    row = record_refusal(Line("sign_in", "identity", SYSTEM), "bad_password")
    assert (row.result, row.reason) == ("fail", "bad_password")
