"""The laws of activity.md 6.3, on generated histories."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_address
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from activity.generator import PROVIDERS, OutOfReach, Story, Thinning, cast_of, draws, finished, plan
from activity.generator.addresses import MONITORING, address
from activity.generator.clock import DAY, HOUR, MINUTE, milliseconds, moment, next_start
from activity.generator.people import CLOSING, MAX_PEOPLE, OPENING, person_of
from activity.generator.sessions import PERIODS, Raw
from activity.generator.story import START_OF_DIGEST, columns, history
from activity.generator.thinning import TENKO_CLOSES, TENKO_OPENS
from activity.sealing import canonical

JUNE = milliseconds(datetime(2025, 6, 15, tzinfo=UTC))
EARLIEST = milliseconds(datetime(2025, 5, 5, tzinfo=UTC))
seeds = st.integers(0, 2**63 - 1)
draws_of_32_bits = st.integers(0, 2**32 - 1)
untils = st.integers(EARLIEST, EARLIEST + 5 * DAY)


@lru_cache(maxsize=1)
def rows() -> list[Raw]:
    """The history of the acceptance: seed 42, ten people, until 2025-06-15."""
    return list(history(cast_of(42, 10), JUNE))


@lru_cache(maxsize=1)
def sessions() -> dict[str, list[Raw]]:
    """The rows of known people's sessions by trace_id, in order."""
    found = defaultdict(list)
    for row in rows():
        if row[3].category == "autorisation" and row[7].user_id:
            found[row[5]].append(row)
    return found


def digests(story: Story, *marks: int) -> tuple[dict[str, bytes], list[str]]:
    """The heads and audit ids of a history told up to each of these marks by a new storyteller."""
    heads = {"identity": START_OF_DIGEST, "activity": START_OF_DIGEST}
    audits: list[str] = []
    for until in marks:
        for batch in story.batches(until, size=500):
            audits += [row[1] for row in finished(batch.rows, heads)]
        cursors = json.loads(json.dumps(story.cursors()))
        story = Story(
            story.cast,
            mark=story.mark,
            cursors=cursors,
            births_after=story.births_after,
            thinning=story.thinning,
        )
    return heads, audits


def share(found: list[Raw], result: str) -> float:
    return sum(row[3].result == result for row in found) / len(found)


# --- 1 and 2: people and providers ---------------------------------------------------------------------------
@given(seeds, st.integers(1, 30))
def test_people_join_to_the_second_in_march_or_april(seed: int, users: int) -> None:
    for person in cast_of(seed, users).people:
        assert OPENING <= person.created < CLOSING
        assert person.created % 1000 == 0


@settings(max_examples=8)
@given(seeds)
def test_every_person_has_a_login_and_an_email_of_their_own(seed: int) -> None:
    people = cast_of(seed, 400).people
    assert len({person.login.lower() for person in people}) == 400
    emails = [person.email.lower() for person in people if person.email]
    assert len(set(emails)) == len(emails) == 398


def test_invented_names_suffice_for_the_largest_cast() -> None:
    assert len({person_of(7, index).login.lower() for index in range(MAX_PEOPLE)}) == MAX_PEOPLE


def test_base_data_is_what_the_contract_asks_for() -> None:
    people = cast_of(1, 10).people
    assert [person.email for person in people].count(None) == 2
    assert [person.lastname for person in people].count(None) == 1
    assert sum("@" in person.login for person in people) == 1
    assert sum(person.login != person.login.lower() for person in people) == 2
    assert [f"{p.type} {p.protocol}" for p in PROVIDERS] == [
        *("idp SAML", "idp Internal", "idp LDAP"),
        *("sp SAML", "sp SAML", "sp OIDC", "sp OAuth2", "sp OAuth2"),
    ]


def test_providers_are_entered_on_the_day_before_the_first_person_and_nothing_is_earlier() -> None:
    cast = cast_of(42, 10)
    entered = [row for row in rows() if row[3].action == "create_provider"]
    midnight = cast.oldest // DAY * DAY - DAY
    assert [row[0] for row in entered] == [midnight + k * 30 * MINUTE for k in range(1, 9)]
    assert rows()[:8] == entered


def test_each_person_has_one_first_row() -> None:
    born = [row for row in rows() if row[3].action == "create_user"]
    expected = sorted((p.created, p.uuid, p.login) for p in cast_of(42, 10).people)
    assert sorted((row[0], row[7].user_id, row[7].login) for row in born) == expected
    assert {(row[3].domain, row[3].source_admin, row[6]) for row in born} == {
        ("identity", "init-system", "127.0.0.1")
    }


# --- 3: when sessions start ----------------------------------------------------------------------------------
def busy(at: int) -> bool:
    time = moment(at)
    return time.weekday() < 5 and (6 <= time.hour < 10 or 13 <= time.hour < 15)


@given(st.integers(OPENING, JUNE), draws_of_32_bits, draws_of_32_bits)
def test_the_pause_follows_the_hour(ended: int, wait: int, delay: int) -> None:
    start = next_start(ended, wait, delay)
    pause = start - ended
    assert pause >= 5 * MINUTE
    if busy(ended):
        assert pause <= 15 * MINUTE
        return
    assert pause <= 3 * HOUR
    windows = [ended // DAY * DAY + hour * HOUR for hour in (6, 13, 30)]
    jumped = [window for window in windows if ended < window < start and busy(window)]
    if jumped or pause < HOUR:
        window = max(window for window in windows if ended < window <= start)
        assert busy(window)
        assert start <= max(window + 15 * MINUTE, ended + 5 * MINUTE)


@pytest.mark.parametrize(
    ("ended", "wait", "delay", "start"),
    [
        ("2025-05-05 06:00", 0, 0, "2025-05-05 06:05"),
        ("2025-05-05 09:59", 2**32 - 1, 0, "2025-05-05 10:14"),
        ("2025-05-05 10:00", 0, 0, "2025-05-05 11:00"),
        ("2025-05-05 12:30", 2**32 - 1, 0, "2025-05-05 13:00"),
        ("2025-05-05 12:58", 0, 0, "2025-05-05 13:03"),
        ("2025-05-05 15:00", 2**32 - 1, 0, "2025-05-05 18:00"),
        ("2025-05-10 05:30", 2**32 - 1, 0, "2025-05-10 08:30"),
        ("2025-05-10 07:00", 0, 0, "2025-05-10 08:00"),
    ],
)
def test_the_edges_of_busy_windows(ended: str, wait: int, delay: int, start: str) -> None:
    at = milliseconds(datetime.fromisoformat(f"{ended}+00:00"))
    assert moment(next_start(at, wait, delay)) == datetime.fromisoformat(f"{start}+00:00")


def test_sessions_of_one_person_are_five_minutes_apart() -> None:
    last: dict[str, int] = {}
    for session in sorted(sessions().values()):
        person = session[0][7].user_id
        assert session[0][0] - last.get(person, 0) >= 5 * MINUTE
        last[person] = session[-1][0]


def test_the_first_session_starts_a_minute_after_joining() -> None:
    first = {}
    for session in sorted(sessions().values()):
        first.setdefault(session[0][7].user_id, session[0][0])
    assert first == {person.uuid: person.created + MINUTE for person in cast_of(42, 10).people}


def test_busy_hours_stand_out_on_weekdays_only() -> None:
    hours: Counter[tuple[bool, int]] = Counter()
    for session in sessions().values():
        for row in session:
            if row[0] >= CLOSING:
                time = moment(row[0])
                hours[time.weekday() < 5, time.hour] += 1
    crowded = [6, 7, 8, 9, 13, 14]
    others = [hours[True, hour] for hour in range(24) if hour not in crowded]
    assert all(hours[True, hour] >= 5 * sum(others) / len(others) for hour in crowded)
    weekend = [hours[False, hour] for hour in range(24)]
    assert max(weekend) < 2.5 * sum(weekend) / 24


def test_the_natural_volume_is_about_97_rows_a_person_and_day() -> None:
    week = 7 * DAY
    of_people = [row for s in sessions().values() for row in s if CLOSING <= row[0] < CLOSING + 6 * week]
    assert 92 < len(of_people) / 10 / 42 < 102


# --- 4, 5, 6: what a session holds ---------------------------------------------------------------------------
def test_a_session_is_one_sign_in_and_up_to_four_accesses() -> None:
    for session in sessions().values():
        first, *rest = [row[3] for row in session]
        assert first.action == "authentication"
        assert {shape.action for shape in rest} <= {"access"}
        assert 1 <= len(rest) <= 4 or not rest
        assert bool(rest) <= (first.result == "success")
        assert len({(row[6], row[7].user_id) for row in session}) == 1
        gaps = [later[0] - row[0] for row, later in pairwise(session)]
        assert all(1_000 <= gap <= 60_000 for gap in gaps)


def test_only_the_last_session_of_a_person_may_lack_its_accesses() -> None:
    cut = [s for s in sessions().values() if len(s) == 1 and s[0][3].result == "success"]
    assert all(session[0][0] > JUNE - MINUTE for session in cut)


def test_three_quarters_sign_in_and_two_thirds_of_accesses_succeed() -> None:
    of_sessions = [row for session in sessions().values() for row in session]
    signed = [row for row in of_sessions if row[3].action == "authentication"]
    accessed = [row for row in of_sessions if row[3].action == "access"]
    assert share(signed, "success") == pytest.approx(0.75, abs=0.015)
    assert share(accessed, "success") == pytest.approx(2 / 3, abs=0.015)


def test_providers_and_reasons_come_in_equal_shares() -> None:
    of_sessions = [row[3] for session in sessions().values() for row in session]
    for action, reasons, providers in (("authentication", 4, 3), ("access", 3, 5)):
        shapes = [shape for shape in of_sessions if shape.action == action]
        by_provider = Counter(shape.provider.name for shape in shapes)
        by_reason = Counter(shape.reason for shape in shapes if shape.reason)
        infos = Counter(shape.info for shape in shapes if shape.reason == "permission_denied")
        for counts, kinds in ((by_provider, providers), (by_reason, reasons), (infos, 4)):
            assert len(counts) == kinds
            assert min(counts.values()) > 0.8 * max(counts.values())


def test_failures_explain_themselves() -> None:
    seen = {(r[3].action, r[3].reason, r[3].info) for s in sessions().values() for r in s if r[3].reason}
    signing = {("authentication", "permission_denied", info) for info in ("wrong_credentials",)}
    opening = {("access", "permission_denied", "profile_missing")}
    both = ("role_missing", "group_missing", "attribut_mismatch")
    signing |= {("authentication", "permission_denied", info) for info in both}
    opening |= {("access", "permission_denied", info) for info in both}
    for action, place, own in (("authentication", "IDP", signing), ("access", "SP", opening)):
        own |= {
            (action, "unknown_user", f"Unknown in {place}"),
            (action, "account_locked", f"Account locked in {place}"),
        }
    assert seen == signing | opening | {("authentication", "timeout", "No response from user")}


@given(draws_of_32_bits)
def test_addresses_are_public_unicast_and_never_those_of_the_monitoring(word: int) -> None:
    text = address(word)
    found = ip_address(text)
    assert found.is_global
    assert not found.is_multicast
    assert not found.is_reserved
    assert text not in MONITORING.values()


def test_addresses_reach_both_ends_of_the_public_range() -> None:
    assert address(0) == "1.0.0.0"
    assert address(2**32 - 1) == "223.255.255.255"


# --- 7: monitoring -------------------------------------------------------------------------------------------
def test_three_unknown_accounts_knock_at_their_intervals_from_their_addresses() -> None:
    found = defaultdict(list)
    for row in rows():
        if row[3].action == "access" and row[7].user_id is None:
            found[row[7].login].append(row)
    assert found.keys() == MONITORING.keys()
    for login, knocks in found.items():
        assert {row[6] for row in knocks} == {MONITORING[login]}
        assert {(r[3].result, r[3].reason, r[3].info) for r in knocks} == {
            ("fail", "unknown_user", "Unknown in KT")
        }
        assert all(row[3].details == {"synthetic": True} for row in knocks)
        assert [r[0] for r in knocks] == list(range(cast_of(42, 10).oldest, JUNE + 1, PERIODS[login]))
        assert len({row[5] for row in knocks}) == len(knocks)


# --- the whole -----------------------------------------------------------------------------------------------
def test_rows_are_in_order_within_bounds_and_have_ids_of_their_own() -> None:
    assert rows() == sorted(rows(), key=lambda row: row[:3])
    assert rows()[-1][0] <= JUNE
    assert len({row[4] for row in rows()}) == len(rows())
    assert all(len(row[4]) == len(row[5]) == 32 for row in rows())


@settings(max_examples=12)
@given(seeds, st.integers(1, 3), untils, st.data())
def test_told_in_parts_the_story_is_the_same(seed: int, users: int, until: int, data: st.DataObject) -> None:
    cast = cast_of(seed, users)
    anywhere = st.integers(cast.beginning - DAY, until)
    midnights = anywhere.map(lambda mark: mark - mark % DAY)
    marks = sorted(data.draw(st.lists(anywhere | midnights, max_size=4)))
    whole = digests(Story(cast, births_after=0), until)
    assert digests(Story(cast, births_after=0), *marks, until) == whole


@settings(max_examples=6)
@given(seeds, untils)
def test_a_thinned_story_killed_half_way_is_finished_alike(seed: int, until: int) -> None:
    thinning = Thinning(2**30, until)
    whole = digests(Story(cast_of(seed, 2), thinning=thinning), until)
    assert (
        digests(Story(cast_of(seed, 2), thinning=thinning), EARLIEST - 20 * DAY, EARLIEST - DAY, until)
        == whole
    )


@settings(max_examples=5)
@given(seeds, seeds)
def test_another_seed_tells_another_story(one: int, other: int) -> None:
    assume(one != other)
    early = CLOSING
    assert digests(Story(cast_of(one, 2)), early) != digests(Story(cast_of(other, 2)), early)


def test_the_digest_of_the_acceptance_never_changes() -> None:
    heads, _ = digests(Story(cast_of(42, 10), births_after=0), JUNE)
    assert heads["activity"].hex() == "1d911ce191004eb957c60622858289abf1cc1d02bc96877246076710b4005104"
    assert heads["identity"].hex() == "045aaad6f088ac73ba988f6a6fb30d3c7082e27797010e694bce3464216ae37f"


def test_the_digest_is_folded_over_canonical_rows() -> None:
    heads = {"identity": START_OF_DIGEST, "activity": START_OF_DIGEST}
    expected = dict(heads)
    for row in finished(rows()[:5000], heads):
        line = canonical(columns(row))
        expected[row[4].domain] = sha256(expected[row[4].domain] + line).digest()
    assert heads == expected


@given(st.integers(OPENING, JUNE))
def test_times_are_written_as_the_canonical_form_wants(at: int) -> None:
    raw = (at, *rows()[500][1:])
    [row] = finished([raw], {"activity": b""})
    assert row[0] == moment(at).isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert milliseconds(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)) == at


def test_a_session_that_reaches_over_the_mark_is_finished_from_there() -> None:
    cast = cast_of(42, 10)
    over = next(s for s in sessions().values() if len(s) > 2 and s[0][0] // DAY != s[-1][0] // DAY)
    mark = over[-1][0] // DAY * DAY - 1
    assert digests(Story(cast), mark, mark + DAY) == digests(Story(cast), mark + DAY)


@given(seeds, st.integers(1, 10**6))
def test_a_draw_stays_below_its_bound(seed: int, below: int) -> None:
    assert 0 <= draws.number(draws.key(seed, "law"), below) < below


# --- wanted numbers of rows ----------------------------------------------------------------------------------
@settings(max_examples=5)
@given(seeds, st.integers(10_000, 60_000), st.integers(EARLIEST, EARLIEST + 20 * DAY))
def test_a_wanted_number_of_rows_is_met_within_two_per_cent(seed: int, wanted: int, until: int) -> None:
    planned = plan(seed, 10, wanted, until)
    made = sum(
        row[3].domain == "activity" for row in history(cast_of(seed, planned.users), until, planned.thinning)
    )
    assert made == pytest.approx(wanted, rel=0.02)


def test_protected_periods_are_never_thinned() -> None:
    planned = plan(42, 10, 20_000, JUNE)
    assert planned.users == 10
    thinned = list(history(cast_of(42, 10), JUNE, planned.thinning))

    def protected(found: list[Raw]) -> list[Raw]:
        return [row for row in found if TENKO_OPENS <= row[0] < TENKO_CLOSES or row[0] >= JUNE - DAY]

    key = [row[:3] for row in protected(rows())]
    assert [row[:3] for row in protected(thinned)] == key


def test_thinning_takes_whole_sessions_evenly() -> None:
    planned = plan(42, 10, 40_000, JUNE)
    kept = defaultdict(list)
    days: Counter[int] = Counter()
    for row in history(cast_of(42, 10), JUNE, planned.thinning):
        if row[7].user_id and row[3].category == "autorisation":
            kept[row[5]].append(row[4])
            days[row[0] // DAY] += 1
    assert all([row[4] for row in sessions()[trace]] == audits for trace, audits in kept.items())
    mondays = [
        days[day] for day in range(TENKO_CLOSES // DAY, JUNE // DAY - 1) if moment(day * DAY).weekday() == 0
    ]
    assert max(mondays) < 1.6 * min(mondays)


def test_more_rows_than_nature_gives_need_more_people() -> None:
    assert plan(42, 10, 120_000, JUNE).users in {11, 12}
    assert plan(42, 10, 100_000, JUNE).users == 10


@pytest.mark.parametrize(("users", "wanted"), [(100, 10_000), (10, 10**9)])
def test_a_number_out_of_reach_is_refused(users: int, wanted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activity.generator.volume.MAX_PEOPLE", 120)
    with pytest.raises(OutOfReach):
        plan(42, users, wanted, EARLIEST)
