"""The six statistics against a recount of the rows by plain SQL, and their finer rules (activity.md 2.5, 8.12)."""

import random
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from activity.models import Entry
from activity.queries import statistics
from tests.factories import EntryFactory, PersonFactory, ProviderFactory

NOW = datetime(2026, 3, 2, 12, 30, 15, 250, tzinfo=UTC)
HOUR = timedelta(hours=1)


def sql(text, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(text, parameters)
        return cursor.fetchall()


SCOPE = "domain = 'activity' AND category = 'autorisation' AND timestamp >= %s AND timestamp <= %s"


@pytest.fixture
def lively(db):
    """A few hundred rows over three days, of people, strangers, other domains and deleted providers."""
    rng = random.Random(7)
    people = [PersonFactory(username=f"p{n}") for n in range(4)]
    known = [
        ProviderFactory(type=kind, protocol=p)
        for kind, p in [("idp", "SAML"), ("sp", "OIDC"), ("sp", "SAML")]
    ]
    ProviderFactory(type="idp", protocol="LDAP", name="Idle")
    rows = []
    for _ in range(400):
        person, provider = rng.choice([*people, None]), rng.choice([*known, None])
        rows.append(
            EntryFactory.build(
                timestamp=NOW + rng.choice([-1, 1, -1, -1]) * timedelta(seconds=rng.randrange(3 * 86400)),
                domain=rng.choice(["activity"] * 4 + ["identity"]),
                category=rng.choice(["autorisation"] * 4 + ["management"]),
                action=rng.choice(["authentication", "access", "logout"]),
                result=rng.choice(["success", "fail", None]),
                reason=rng.choice(["timeout", "unknown_user", None]),
                trace_id=f"t{rng.randrange(60)}",
                user_id=person and str(person.uuid),
                user_login=person and person.username,
                provider_id=provider.pk if provider else 4711,
                provider_type=provider.type if provider else "sp",
                provider_protocol=provider.protocol if provider else "Kerberos",
            )
        )
    Entry.objects.bulk_create(rows)
    return people


@pytest.mark.parametrize("hours", [1, 24, 48, 720])
def test_the_figures_equal_a_recount_by_plain_sql(lively, hours):
    window = timedelta(hours=hours)
    span = [NOW - window, NOW]
    if connection.vendor == "sqlite":
        span = [moment.replace(tzinfo=None) for moment in span]

    current = statistics.current(NOW, window)
    ((sessions,),) = sql(
        f"SELECT COUNT(DISTINCT trace_id) FROM activity_entry WHERE {SCOPE} "
        "AND action = 'authentication' AND result = 'success'", *span,
    )  # fmt: skip
    ((users,),) = sql(
        f"SELECT COUNT(DISTINCT user_id) FROM activity_entry WHERE {SCOPE} "
        "AND action = 'access' AND result = 'success'", *span,
    )  # fmt: skip
    assert asdict(current) == {
        "active_sessions": sessions, "active_users": users, "total_users": 4, "total_idp": 2, "total_sp": 2,
    }  # fmt: skip

    hourly = statistics.users_by_hour(NOW, window)
    ((authentications, accesses),) = sql(
        "SELECT SUM(CASE action WHEN 'authentication' THEN 1 ELSE 0 END), "
        f"SUM(CASE action WHEN 'access' THEN 1 ELSE 0 END) FROM activity_entry WHERE {SCOPE} "
        "AND user_id IS NOT NULL", *span,
    )  # fmt: skip
    assert len(hourly.labels) == hours + 1
    assert (sum(hourly.authentications), sum(hourly.access)) == (authentications or 0, accesses or 0)

    for kind, found in statistics.providers(NOW, window).items():
        expected = dict(
            sql(
                f"SELECT provider_id, COUNT(*) FROM activity_entry WHERE {SCOPE} AND user_id IS NOT NULL "
                "AND result IS NOT NULL AND provider_type = %s AND provider_id <> 4711 GROUP BY provider_id",
                *span, kind,
            )
        )  # fmt: skip
        summed = [s + f for s, f in zip(found.success, found.failure, strict=True)]
        assert {number: n for number, n in zip(found.ids, summed, strict=True) if n} == expected
        assert summed == sorted(summed, reverse=True)

    protocols = statistics.protocols(NOW, window)
    assert protocols.protocols == ["LDAP", "OIDC", "SAML"]
    for kind, figures in (("idp", protocols.idp), ("sp", protocols.sp)):
        for name, figure in zip(protocols.protocols, figures, strict=True):
            ((users,),) = sql(
                f"SELECT COUNT(DISTINCT user_id) FROM activity_entry WHERE {SCOPE} AND result = 'success' "
                "AND provider_type = %s AND provider_protocol = %s", *span, kind, name,
            )  # fmt: skip
            assert figure == users

    reasons = statistics.failure_reasons(NOW, window)
    assert dict(zip(reasons.reasons, reasons.records, strict=True)) == dict(
        sql(
            f"SELECT COALESCE(reason, 'unspecified'), COUNT(*) FROM activity_entry WHERE {SCOPE} "
            "AND result = 'fail' AND user_id IS NOT NULL GROUP BY 1", *span,
        )
    )  # fmt: skip

    summary = statistics.users_summary(NOW, window)
    assert sum(row["events"] for row in summary) == sum(
        n for (n,) in sql(
            f"SELECT COUNT(*) FROM activity_entry WHERE {SCOPE} AND user_id IS NOT NULL", *span
        )
    )  # fmt: skip
    for row in summary:
        ((events, failure),) = sql(
            "SELECT COUNT(*), COALESCE(SUM(CASE result WHEN 'fail' THEN 1 ELSE 0 END), 0) FROM activity_entry "
            f"WHERE {SCOPE} AND user_login = %s", *span, row["login"],
        )  # fmt: skip
        assert (row["events"], row["failure"]) == (events, failure)


def test_both_ends_of_the_window_count(db):
    for moment in (NOW, NOW - HOUR):
        EntryFactory(timestamp=moment, user_id="u", action="access")
    for moment in (NOW + timedelta(microseconds=1), NOW - HOUR - timedelta(microseconds=1)):
        EntryFactory(timestamp=moment, user_id="u", action="access")
    assert sum(statistics.users_by_hour(NOW, HOUR).access) == 2


def test_a_row_written_before_the_request_is_counted(signed_in, audrey):
    client = signed_in(audrey)
    for expected in (1, 2):
        EntryFactory(timestamp=datetime.now(UTC), user_id=f"u{expected}")
        assert client.get("/api/v1/stats/current").json()["active_users"] == expected


def test_the_hours_run_from_the_windows_first_to_the_present_one(db):
    EntryFactory(timestamp=NOW - 24 * HOUR, user_id="u", action="authentication", result="fail")
    EntryFactory(timestamp=NOW, user_id="u", action="access")
    EntryFactory(timestamp=NOW, user_id=None, action="access")
    hourly = statistics.users_by_hour(NOW)
    assert (hourly.labels[0], hourly.labels[-1]) == ("2026-03-01 12:00", "2026-03-02 12:00")
    assert hourly.authentications == [1] + [0] * 24
    assert hourly.access == [0] * 24 + [1]


def test_idle_providers_come_last_and_equals_stand_by_name(db):
    names = {name: ProviderFactory(type="sp", name=name) for name in ("Zulu", "Idle", "Mike", "Alpha")}
    for name, events in (("Zulu", 2), ("Mike", 1), ("Alpha", 1)):
        EntryFactory.create_batch(
            events, timestamp=NOW, user_id="u", provider_id=names[name].pk, result="fail"
        )
    found = statistics.providers(NOW)
    assert found["sp"].names == ["Zulu", "Alpha", "Mike", "Idle"]
    assert found["sp"].failure == [2, 1, 1, 0]
    assert found["idp"].names == []


def test_a_type_without_providers_gives_zeros(db):
    provider = ProviderFactory(type="idp", protocol="SAML")
    EntryFactory(
        timestamp=NOW, user_id="u", provider_id=provider.pk, provider_type="idp", provider_protocol="SAML"
    )
    assert asdict(statistics.protocols(NOW)) == {"protocols": ["SAML"], "idp": [1], "sp": [0]}


def test_reasons_stand_by_frequency_then_name_and_null_is_unspecified(db):
    for reason, times in (("timeout", 1), (None, 2), ("locked", 1)):
        EntryFactory.create_batch(times, timestamp=NOW, user_id="u", result="fail", reason=reason)
    EntryFactory(timestamp=NOW, user_id=None, result="fail", reason="stranger")
    EntryFactory(timestamp=NOW, user_id="u", result="success", reason="fine")
    found = statistics.failure_reasons(NOW)
    assert (found.reasons, found.records) == (["unspecified", "locked", "timeout"], [2, 1, 1])


def test_a_renamed_user_keeps_the_events_and_a_retired_one_is_not_listed(db):
    person = PersonFactory(username="old")
    EntryFactory(timestamp=NOW, user_id=str(person.uuid), user_login="old")
    person.username = "new"
    person.save()
    PersonFactory(username="gone", deleted_at=NOW)
    assert statistics.users_summary(NOW) == [
        {"login": "new", "authentication": 0, "access": 1, "failure": 0, "events": 1}
    ]
