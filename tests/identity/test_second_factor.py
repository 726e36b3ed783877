"""The second factor: one-time codes, recovery codes, locks, and the page where it is set up."""

import re
from datetime import timedelta

import pyotp
import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from activity.callers import Caller
from activity.models import Entry
from identity import services, totp
from identity.models import RecoveryCode, SignIn, TotpSecret, User
from identity.services import open_sign_in, second_factor
from tests.factories import PASSWORD
from tests.identity.together import together

HERE = Caller()
SECURITY = "/accounts/security/"


def switch_on(person, at=None):
    """Turn the second factor on as the page does; the app and the recovery codes."""
    moment = at or timezone.now() - timedelta(minutes=2)
    with time_machine.travel(moment, tick=False):
        app = pyotp.TOTP(second_factor.enrol(person).secret)
        codes = second_factor.confirm(person, app.at(moment), by=HERE)
    return app, codes


def enter(code=None, login="uma", password=PASSWORD):
    return services.sign_in(login, password, by=HERE, door="auth", otp=code)


def reasons():
    return list(Entry.objects.filter(action="sign_in").order_by("sequence").values_list("reason", flat=True))


@pytest.fixture
def app(uma):
    return switch_on(uma)[0]


def test_codes_are_those_of_rfc_6238():
    """Appendix B of the RFC, cut to six digits."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for seconds, code in [(59, "287082"), (1111111109, "081804"), (20000000000, "353130")]:
        moment = timezone.datetime.fromtimestamp(seconds, tz=timezone.now().tzinfo)
        assert totp.step_of(secret, code, moment) == seconds // 30


@pytest.mark.parametrize(("off", "accepted"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_code_may_be_one_step_off(off, accepted):
    secret, now = totp.new_secret(), timezone.now()
    code = pyotp.TOTP(secret).at(now + timedelta(seconds=off))
    assert (totp.step_of(secret, code, now) is not None) == accepted


@pytest.mark.django_db
def test_the_password_alone_opens_nothing_and_the_code_does(uma, app):
    with pytest.raises(services.MoreNeeded):
        enter()
    assert enter(app.now()).sign_in.user == uma
    assert reasons() == ["mfa_required", None]


@pytest.mark.django_db
def test_the_form_of_auth_token_takes_the_code(api, uma, app):
    form = {"username": "uma", "password": PASSWORD}
    refused = api.post("/auth/token", form, format="multipart")
    assert (refused.status_code, refused.json()) == (401, {"detail": "otp_required"})
    refused = api.post("/auth/token", {**form, "otp": "000000"}, format="multipart")
    assert (refused.status_code, refused.json()) == (401, {"detail": "invalid_credentials"})
    code = app.now()
    spaced = f" {code[:3]} {code[3:]} "
    assert api.post("/auth/token", {**form, "otp": spaced}, format="multipart").status_code == 200


@pytest.mark.django_db
def test_a_wrong_password_says_nothing_of_the_second_factor(uma, app):
    with pytest.raises(services.InvalidCredentials) as refused:
        enter(app.now(), password="wrong")
    assert (refused.value.detail, reasons()) == ("invalid_credentials", ["bad_password"])


@pytest.mark.django_db
def test_a_code_is_accepted_once(uma, app):
    code = app.now()
    enter(code)
    with pytest.raises(services.InvalidCode):
        enter(code)
    assert reasons() == [None, "otp_reused"]


@pytest.mark.django_db
def test_the_code_that_confirmed_the_enrolment_is_used_up(uma):
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        app, _ = switch_on(uma, now)
        with pytest.raises(services.InvalidCode):
            enter(app.at(now))


@pytest.mark.django_db(transaction=True)
def test_of_two_who_send_one_code_at_once_one_gets_in(uma):
    app, _ = switch_on(uma)
    code = app.now()
    results = together(*[lambda: enter(code)] * 4)
    assert sorted(type(r).__name__ for r in results) == ["InvalidCode"] * 3 + ["Tokens"]


@pytest.mark.django_db
def test_a_recovery_code_stands_in_once_however_it_is_typed(uma):
    _, codes = switch_on(uma)
    assert len(set(codes)) == 8
    assert enter(codes[0].lower().replace("-", " "))
    with pytest.raises(services.InvalidCode):
        enter(codes[0])
    assert second_factor.codes_left(uma) == 7
    assert codes[1] not in str(list(RecoveryCode.objects.values()))


@pytest.mark.django_db
def test_five_wrong_codes_lock_the_factor_for_everybody_and_a_right_code_too(uma, app):
    for address in range(5):
        with pytest.raises(services.InvalidCode):
            services.sign_in("uma", PASSWORD, by=Caller(ip=f"203.0.113.{address}"), door="auth", otp="000000")
    with pytest.raises(services.locks.Locked):
        enter(app.now())
    assert reasons()[-1] == "locked"
    with time_machine.travel(timezone.now() + timedelta(minutes=15, seconds=1)):
        assert enter(app.now())


@pytest.mark.django_db
def test_an_operator_unlocks_and_resets(oscar, uma, app):
    by = Caller(user=oscar)
    for _ in range(5):
        with pytest.raises(services.InvalidCode):
            enter("000000")
    services.unlock(uma, by=by)
    live = enter(app.now())
    assert second_factor.remove(uma, by=by)
    assert not second_factor.remove(uma, by=by)
    assert not SignIn.objects.live(timezone.now()).filter(pk=live.sign_in.pk).exists()
    assert enter()
    row = Entry.objects.get(action="reset_second_factor")
    assert (row.user_login, row.source_admin) == ("uma", "oscar")
    assert not TotpSecret.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("factor", ["adfs", "hardware_token"])
def test_a_factor_that_is_not_set_up_here_opens_nothing(uma, factor):
    User.objects.filter(pk=uma.pk).update(**{f"{factor}_enabled": True})
    with pytest.raises(services.MoreNeeded) as refused:
        enter()
    assert refused.value.factor == factor


@pytest.mark.django_db
def test_without_a_password_one_hears_which_factor_is_wanted_and_nothing_is_hashed(
    uma, app, alice, monkeypatch
):
    monkeypatch.setattr(services.passwords, "check_password", None)
    with pytest.raises(services.MoreNeeded):
        enter(password=None)
    for login, code in [("uma", app.now()), ("alice", None), ("nobody", None)]:
        with pytest.raises(services.InvalidCredentials):
            enter(code, login, None)
    assert reasons() == ["mfa_required", *["password_missing"] * 3]
    monkeypatch.undo()
    assert enter(app.now()), "the code was not used up"


@pytest.mark.django_db
def test_a_deactivated_account_stays_out_with_the_right_code(uma, app):
    User.objects.filter(pk=uma.pk).update(is_active=False)
    with pytest.raises(services.InvalidCredentials):
        enter(app.now())
    assert reasons() == ["deactivated"]


@pytest.mark.django_db
def test_the_secret_is_encrypted_at_rest(uma, app, django_db_blocker):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM identity_totpsecret")
        assert app.secret not in cursor.fetchone()[0]


# --- The pages --------------------------------------------------------------------------------------------------


@pytest.fixture
def browser(uma):
    client = Client()
    client.post("/accounts/login/", {"username": "uma", "password": PASSWORD})
    return client


@pytest.mark.django_db
def test_strangers_are_sent_to_the_login_page(client):
    assert client.get(SECURITY)["Location"].startswith("/accounts/login/")
    for path in ("password/", "second-factor/", "second-factor/confirm/", "second-factor/remove/"):
        assert client.post(SECURITY + path).status_code == 302


@pytest.mark.django_db
def test_the_second_factor_is_set_up_confirmed_and_asked_for(browser, uma):
    elsewhere = open_sign_in(uma)
    page = browser.post(f"{SECURITY}second-factor/", {"enrol-password": "wrong"})
    assert "This is not your password" in page.text
    page = browser.post(f"{SECURITY}second-factor/", {"enrol-password": PASSWORD}, follow=True)
    assert "<svg" in page.text
    app = pyotp.TOTP(TotpSecret.objects.get().secret)
    before = timezone.now() - timedelta(seconds=30)
    assert "not the one" in browser.post(f"{SECURITY}second-factor/confirm/", {"confirm-code": "000000"}).text
    page = browser.post(f"{SECURITY}second-factor/confirm/", {"confirm-code": app.at(before)})
    codes = re.findall(r"<li>(\w{4}(?:-\w{4}){3})</li>", page.text)
    assert len(codes) == 8
    assert codes[0] not in browser.get(SECURITY).text, "shown once"
    assert not SignIn.objects.live(timezone.now()).filter(pk=elsewhere.sign_in.pk).exists()

    stranger = Client()
    page = stranger.post("/accounts/login/", {"username": "uma", "password": PASSWORD, "next": "/me/"})
    assert 'name="code"' in page.text
    assert PASSWORD not in page.text
    assert "not valid" in stranger.post("/accounts/login/", {"code": "000000"}).text
    entered = stranger.post("/accounts/login/", {"code": app.now(), "next": "/me/"})
    assert (entered.status_code, entered["Location"]) == (302, "/me/")
    assert stranger.get("/auth/me").status_code == 200


@pytest.mark.django_db
def test_the_half_way_browser_cannot_wait_for_ever_nor_survive_a_new_password(uma, app):
    for change in ("wait", "password"):
        client = Client()
        client.post("/accounts/login/", {"username": "uma", "password": PASSWORD})
        assert client.get("/auth/me").status_code == 401
        moment = timezone.now()
        if change == "wait":
            moment += timedelta(minutes=6)
        else:
            services.set_password(uma, "another good one", by=HERE)
        with time_machine.travel(moment, tick=False):
            page = client.post("/accounts/login/", {"code": app.at(moment)})
        assert page.status_code == 200
        assert 'name="username"' in page.text


@pytest.mark.django_db
def test_turning_the_factor_off_needs_the_password(browser, uma):
    switch_on(uma)
    browser.post("/accounts/login/", {"username": "uma", "password": PASSWORD})
    browser.post("/accounts/login/", {"code": pyotp.TOTP(TotpSecret.objects.get().secret).now()})
    browser.post(f"{SECURITY}second-factor/remove/", {"remove-password": "wrong"})
    assert TotpSecret.objects.exists()
    browser.post(f"{SECURITY}second-factor/remove/", {"remove-password": PASSWORD})
    assert not TotpSecret.objects.exists()
    assert browser.get(SECURITY).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("current", "new", "said"),
    [
        ("wrong", "a good new one", "This is not your password"),
        (PASSWORD, "short", "too short"),
        (PASSWORD, "pass1234", "too common"),
        (PASSWORD, "a good new one", "is changed"),
    ],
)
def test_changing_the_password_asks_for_the_old_one_and_keeps_this_browser_only(
    browser, uma, current, new, said
):
    open_sign_in(uma)
    key = browser.session.session_key
    page = browser.post(f"{SECURITY}password/", {"new-password": current, "new-new_password": new})
    assert said in page.text
    changed = said == "is changed"
    assert SignIn.objects.live(timezone.now()).count() == (1 if changed else 2)
    assert browser.get(SECURITY).status_code == 200
    assert (browser.session.session_key != key) == changed


@pytest.mark.django_db
def test_one_ends_ones_own_sign_ins_and_nobody_elses(browser, uma, mona):
    mine, others = open_sign_in(uma).sign_in, open_sign_in(mona).sign_in
    assert browser.post(f"{SECURITY}sign-ins/{others.pk}/end/").status_code == 404
    assert browser.post(f"{SECURITY}sign-ins/{mine.pk}/end/").status_code == 302
    mine.refresh_from_db()
    assert mine.end_reason == "signed_out"
    open_sign_in(uma)
    assert "everywhere else: 1" in browser.post(f"{SECURITY}sign-ins/others/end/").text
    assert browser.get(SECURITY).status_code == 200
    assert SignIn.objects.live(timezone.now()).filter(user=mona).exists()


@pytest.mark.django_db
def test_one_revokes_ones_own_devices_and_nobody_elses(browser, uma, mona):
    from identity.devices import register_device

    mine = register_device(uma, "a" * 20, "Uma's phone", by=HERE)
    others = register_device(mona, "b" * 20, "Mona's phone", by=HERE)
    page = browser.get(SECURITY).text
    assert "Uma&#x27;s phone" in page
    assert "Mona" not in page
    assert browser.post(f"{SECURITY}devices/{others.pk}/revoke/").status_code == 404
    assert browser.post(f"{SECURITY}devices/{mine.pk}/revoke/").status_code == 302
    assert "already" in browser.post(f"{SECURITY}devices/{mine.pk}/revoke/").text
    mine.refresh_from_db()
    assert mine.is_revoked


@pytest.mark.django_db
def test_the_security_page_costs_the_same_queries_for_many_sign_ins(
    browser, uma, django_assert_max_num_queries
):
    for _ in range(2):
        for _ in range(10):
            open_sign_in(uma)
        with django_assert_max_num_queries(8):
            browser.get(SECURITY)
