import asyncio
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.test import Client
from django.utils import timezone

from activity.callers import Caller
from identity import services
from identity.authentication import by_token
from identity.models import OpenSocket, RefreshToken, SocketTicket, User
from identity.services import open_sign_in
from identity.sockets import issue_ticket, leases
from identity.tokens import AccessToken
from tests.factories import PASSWORD
from tests.sockets import FEED, Peer, Refused, aside, bearer, played

pytestmark = pytest.mark.usefixtures("sockets")


@pytest.fixture
def token(audrey: User) -> str:
    return open_sign_in(audrey).access


def opened_with(*headers: tuple[str, str], path: str = FEED) -> int | str:
    """What a handshake with these headers leads to: `hello`, or the code of the close."""

    async def scene() -> int | str:
        peer = await Peer(path, *headers).open()
        event = await peer.event()
        await peer.leave()
        return event["code"] if event["type"] == "websocket.close" else "hello"

    return played(scene)


def test_a_token_in_the_header_opens_the_feed_in_both_schemes(token: str) -> None:
    assert opened_with(bearer(token)) == "hello"
    assert opened_with(("Authorization", f"jwt {token}")) == "hello"


def test_a_cookie_that_reads_jwt_opens_the_feed(token: str) -> None:
    assert opened_with(("Cookie", f"theme=dark; JWT {token}; other=1")) == "hello"


def test_the_session_cookie_of_the_login_page_opens_the_feed(audrey: User) -> None:
    browser = Client()
    browser.post("/accounts/login/", {"login": "audrey", "username": "audrey", "password": PASSWORD})
    cookie = browser.cookies[settings.SESSION_COOKIE_NAME].value
    assert opened_with(("Cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}")) == "hello"
    browser.post("/accounts/logout/")
    assert opened_with(("Cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}")) == 4401


def test_no_credentials_or_worthless_ones_are_told_so_after_the_handshake(token: str) -> None:
    assert opened_with() == 4401
    assert opened_with(("Authorization", "Basic YTpi")) == 4401
    assert opened_with(bearer("nonsense")) == 4401
    assert opened_with(bearer(token[:-6] + "AAAAAA")) == 4401
    assert opened_with(("Cookie", f"{settings.SESSION_COOKIE_NAME}=unknown")) == 4401


def test_a_token_in_the_address_does_not_count(token: str) -> None:
    assert opened_with(path=f"{FEED}?token={token}&access_token={token}") == 4401


def test_refresh_tokens_and_tickets_are_no_access_tokens_in_the_header(audrey: User) -> None:
    pair = open_sign_in(audrey)
    ticket = issue_ticket(by_token(pair.access, timezone.now()))
    assert opened_with(bearer(pair.refresh)) == 4401
    assert opened_with(bearer(ticket)) == 4401


def test_an_expired_a_revoked_and_a_stopped_sign_in_open_nothing(audrey: User, uma: User) -> None:
    with time_machine.travel(timezone.now() - timedelta(hours=2), tick=True):
        expired = open_sign_in(audrey)
    assert opened_with(bearer(expired.access)) == 4401
    revoked = open_sign_in(audrey)
    services.end_sign_ins(audrey, by=Caller.of_system())
    assert opened_with(bearer(revoked.access)) == 4401
    stopped = open_sign_in(audrey)
    User.objects.filter(pk=audrey.pk).update(is_active=False)
    assert opened_with(bearer(stopped.access)) == 4401


def test_a_role_without_the_right_is_told_so(uma: User) -> None:
    assert opened_with(bearer(open_sign_in(uma).access)) == 4403


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://testserver.evil.example",
        "http://testserver:8080",
        "null",
        "http://testserver/path",
        "ftp://testserver",
        "http://[broken",
        "",
    ],
)
def test_a_foreign_origin_is_refused_before_the_handshake(token: str, origin: str) -> None:
    with pytest.raises(Refused):
        opened_with(bearer(token), ("Origin", origin))


def test_our_own_pages_and_allowed_origins_may_open_sockets(token: str, settings: object) -> None:
    settings.WS_ALLOWED_ORIGINS = ["https://tools.example.org", "https://*.example.com"]  # type: ignore[attr-defined]
    for origin in (
        "http://testserver",
        "http://TESTSERVER:80",
        "https://tools.example.org",
        "https://a.example.com",
    ):
        assert opened_with(bearer(token), ("Origin", origin)) == "hello"
    for origin in ("http://tools.example.org", "https://example.com.evil.example"):
        with pytest.raises(Refused):
            opened_with(bearer(token), ("Origin", origin))


def test_a_host_that_is_not_ours_makes_no_origin_our_own(token: str, settings: object) -> None:
    settings.ALLOWED_HOSTS = ["waymark.example.org"]  # type: ignore[attr-defined]
    with pytest.raises(Refused):
        opened_with(bearer(token), ("Origin", "http://testserver"))


def test_an_address_without_a_socket_is_refused(token: str) -> None:
    with pytest.raises(Refused):
        opened_with(bearer(token), path="/ws/nothing/")


def ended_by(person: User, access: str, act: object) -> tuple[int, float]:
    """The code and the seconds after which an open socket ends because of an act."""

    async def scene() -> tuple[int, float]:
        peer = await Peer(FEED, bearer(access)).open()
        await peer.hears()
        await aside(act)  # type: ignore[arg-type]
        started = asyncio.get_running_loop().time()
        return await peer.ends(), asyncio.get_running_loop().time() - started

    return played(scene)


def test_signing_out_closes_the_socket_within_two_seconds(audrey: User) -> None:
    pair = open_sign_in(audrey)
    code, seconds = ended_by(
        audrey, pair.access, lambda: services.sign_out(pair.sign_in, by=Caller(user=audrey))
    )
    assert code == 4401
    assert seconds < 2


def test_revoking_one_token_closes_its_socket_and_leaves_the_others(audrey: User) -> None:
    one, other = open_sign_in(audrey), open_sign_in(audrey)
    jti = AccessToken(one.access)["jti"]  # type: ignore[arg-type]
    soon = timezone.now() + timedelta(hours=1)

    async def scene() -> tuple[int, bool]:
        first, second = [await Peer(FEED, bearer(pair.access)).open() for pair in (one, other)]
        await first.hears()
        await second.hears()
        await aside(services.revoke, jti, soon, by=Caller.of_system())
        code = await first.ends(2)
        await second.send({"type": "ping"})
        frames = [(await second.hears())["type"] for _ in range(2)]
        await second.leave()
        return code, "pong" in frames

    assert played(scene) == (4401, True)


@pytest.mark.parametrize("act", ["deactivate", "retire_user", "set_password"])
def test_whatever_ends_the_sign_ins_of_a_person_closes_their_sockets(
    audrey: User, alice: User, act: str
) -> None:
    access = open_sign_in(audrey).access
    more = ("another battery horse",) if act == "set_password" else ()
    code, seconds = ended_by(
        audrey, access, lambda: getattr(services, act)(audrey, *more, by=Caller(user=alice))
    )
    assert code == 4401
    assert seconds < 2


def test_losing_the_role_closes_the_socket_as_forbidden(audrey: User) -> None:
    access = open_sign_in(audrey).access
    code, seconds = ended_by(
        audrey, access, lambda: services.set_roles(audrey, ["user"], by=Caller.of_system())
    )
    assert code == 4403
    assert seconds < 2


def test_a_token_that_expires_closes_its_socket(audrey: User, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = open_sign_in(audrey)
    token = AccessToken.issue(pair.sign_in, audrey, timezone.now())
    token.payload["exp"] = int(timezone.now().timestamp()) + 2
    code, _ = ended_by(audrey, str(token), lambda: None)
    assert code == 4401


def test_one_look_serves_all_sockets(audrey: User, django_assert_num_queries: object) -> None:
    from identity.sockets.watch import look

    pairs = [open_sign_in(audrey) for _ in range(20)]
    with django_assert_num_queries(2):  # type: ignore[operator]
        standing = look({pair.sign_in.pk for pair in pairs}, {"a", "b"}, timezone.now())
    assert len(standing.roles) == 20
    assert standing.roles[pairs[0].sign_in.pk] == {"auditor"}


def test_a_sixth_socket_of_one_person_is_one_too_many_until_one_closes(audrey: User) -> None:
    access = open_sign_in(audrey).access

    async def scene() -> list[str]:
        peers = [await Peer(FEED, bearer(access)).open() for _ in range(5)]
        for peer in peers:
            await peer.hears()
        sixth = await Peer(FEED, bearer(access)).open()
        found = [str(await sixth.ends())]
        await peers[0].leave()
        again = await Peer(FEED, bearer(access)).open()
        found.append((await again.hears())["type"])
        for peer in [*peers[1:], again]:
            await peer.leave()
        return found

    assert played(scene) == ["4429", "hello"]
    assert not OpenSocket.objects.exists()


def test_sockets_in_other_processes_count_until_their_process_is_dead(audrey: User, token: str) -> None:
    now = timezone.now()
    for _ in range(5):
        OpenSocket.objects.create(user=audrey, room="activity", process="another", seen_at=now)
    assert opened_with(bearer(token)) == 4429
    OpenSocket.objects.update(seen_at=now - leases.LIFE)
    assert opened_with(bearer(token)) == "hello"
    leases.renew(now + 5 * leases.LIFE)
    assert not OpenSocket.objects.exists()


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("no json", 4400),
        ("[]", 4400),
        ("{}", 4400),
        ('{"type":"dance"}', 4400),
        ('{"type":"ping","more":1}', 4400),
        ('{"type":"subscribe","after":-1}', 4400),
        ('{"type":"subscribe","after":true}', 4400),
        ('{"type":"subscribe","after":9223372036854775808}', 4400),
        ('{"type":"subscribe","filter":{"action":"access"}}', 4400),
        ('{"type":"subscribe","filter":{"time_range":{}}}', 4400),
        ('{"type":"subscribe","filter":[]}', 4400),
        ('{"type":"subscribe","filter":{"source_ip":["nowhere"]}}', 4400),
        ("[" * 4000, 4400),
        (" " * 4097, 4400),
        ("é" * 2049, 4400),
    ],
)
def test_a_bad_frame_closes_the_socket(token: str, frame: str, code: int) -> None:
    async def scene() -> int:
        peer = await Peer(FEED, bearer(token)).open()
        await peer.hears()
        await peer.send(frame)
        return await peer.ends()

    assert played(scene) == code


def test_bytes_are_a_bad_frame(token: str) -> None:
    async def scene() -> int:
        peer = await Peer(FEED, bearer(token)).open()
        await peer.hears()
        await peer.wire.send_to(bytes_data=b"{}")
        return await peer.ends()

    assert played(scene) == 4400


def test_ten_frames_a_second_are_answered_and_the_eleventh_is_one_too_many(token: str) -> None:
    async def scene() -> list[str]:
        peer = await Peer(FEED, bearer(token)).open()
        await peer.hears()
        for _ in range(10):
            await peer.send({"type": "ping"})
        found = [(await peer.hears())["type"] for _ in range(10)]
        await asyncio.sleep(1)
        for _ in range(11):
            await peer.send({"type": "ping"})
        return [*found, str(await peer.ends())]

    assert played(scene) == ["pong"] * 10 + ["4429"]


def test_a_ticket_is_used_once_and_within_thirty_seconds(audrey: User) -> None:
    from config.sockets import SocketClosed
    from identity.sockets.credentials import of_text

    pair = open_sign_in(audrey)
    credentials = by_token(pair.access, timezone.now())
    ticket = issue_ticket(credentials)
    found = of_text(ticket)
    assert found.sign_in == pair.sign_in
    assert found.expires_at is not None
    with pytest.raises(SocketClosed) as again:
        of_text(ticket)
    assert again.value.code == 4401
    late = issue_ticket(credentials, timezone.now() - timedelta(seconds=31))
    with pytest.raises(SocketClosed):
        of_text(late)
    ended = issue_ticket(credentials)
    services.end_sign_ins(audrey, by=Caller.of_system())
    with pytest.raises(SocketClosed):
        of_text(ended)


def test_tickets_are_stored_as_digests_and_purged(audrey: User) -> None:
    pair = open_sign_in(audrey)
    ticket = issue_ticket(by_token(pair.access, timezone.now()), timezone.now() - timedelta(minutes=1))
    assert not SocketTicket.objects.filter(digest__contains=ticket[:10]).exists()
    services.purge_expired(timezone.now())
    assert not SocketTicket.objects.exists()
    assert RefreshToken.objects.exists()
