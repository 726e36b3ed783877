"""Which tokens open a door, and which forgeries do not."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.db import OperationalError
from django.utils import timezone
from rest_framework.test import APIClient

from identity import authentication, keys, services, tokens
from identity.models import RevokedToken, SignIn
from identity.services import open_sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair(uma):
    return open_sign_in(uma)


@pytest.fixture
def claims(pair):
    return jwt.decode(pair.access, options={"verify_signature": False})


def signed(claims, key=None, headers=None, algorithm="RS256", **changes):
    """A token like ours, with these changes."""
    ring = keys.ring()
    merged = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    return jwt.encode(merged, key or ring.current, algorithm, {"kid": ring.current_id, **(headers or {})})


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def answer(token):
    return APIClient().get("/auth/me", HTTP_AUTHORIZATION=f"Bearer {token}")


def test_an_access_token_carries_the_claims_of_the_contract(pair, claims, uma):
    header = jwt.get_unverified_header(pair.access)
    assert (header["alg"], header["kid"]) == ("RS256", keys.ring().current_id)
    assert claims["exp"] - claims["iat"] == 3600
    assert uuid.UUID(claims["client_id"]) == pair.sign_in.pk
    assert {k: claims[k] for k in ("sub", "user_id", "username", "roles", "typ", "iss")} == {
        "sub": str(uma.uuid),
        "user_id": str(uma.uuid),
        "username": "uma",
        "roles": ["user"],
        "typ": "access",
        "iss": "waymark",
    }
    assert answer(pair.access).status_code == 200
    assert answer(signed(claims)).status_code == 200, "the helper of the attacks below makes good tokens"


def hs256_over_the_public_key(claims):
    """What a verifier accepts that lets the token choose the algorithm."""
    head = part({"alg": "HS256", "typ": "JWT", "kid": keys.ring().current_id})
    text = f"{head}.{part(claims)}"
    secret = keys.public_pem(keys.ring().current.public_key())
    mac = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def foreign_key():
    return rsa.generate_private_key(65537, 2048)


ATTACKS = {
    "no algorithm": lambda c: f"{part({'alg': 'none', 'kid': keys.ring().current_id})}.{part(c)}.",
    "no algorithm, capitals": lambda c: f"{part({'alg': 'NONE', 'kid': keys.ring().current_id})}.{part(c)}.",
    "HS256 over the public key": hs256_over_the_public_key,
    "PS256 with the right key": lambda c: signed(c, algorithm="PS256"),
    "a foreign key under our kid": lambda c: signed(c, foreign_key()),
    "a foreign key under its own kid": lambda c: signed(c, foreign_key(), {"kid": "elsewhere"}),
    "a foreign jku": lambda c: signed(c, foreign_key(), {"jku": "https://evil.example/jwks.json"}),
    "a foreign x5u": lambda c: signed(c, foreign_key(), {"x5u": "https://evil.example/x.pem"}),
    "a key inside the token": lambda c: signed(c, k := foreign_key(), {"jwk": keys.as_jwk(k.public_key())}),
    "a kid that is a path": lambda c: signed(c, foreign_key(), {"kid": "../../../dev/null"}),
    "another type": lambda c: signed(c, typ="refresh"),
    "a QR token's type": lambda c: signed(c, typ="ephemeral_qr", type="ephemeral_qr"),
    "no type": lambda c: signed(c, typ=None),
    "another issuer": lambda c: signed(c, iss="elsewhere"),
    "no issuer": lambda c: signed(c, iss=None),
    "expired": lambda c: signed(c, exp=int(time.time()) - 1),
    "no expiry": lambda c: signed(c, exp=None),
    "expiry that is text": lambda c: signed(c, exp="tomorrow"),
    "an id that is no text": lambda c: signed(c, jti=None),
    "no subject": lambda c: signed(c, sub=None),
    "no sign-in": lambda c: signed(c, client_id=None),
    "a sign-in that is no uuid": lambda c: signed(c, client_id="1' OR '1'='1"),
    "an unknown sign-in": lambda c: signed(c, client_id=str(uuid.uuid4())),
    "another person's subject": lambda c: signed(c, sub=str(uuid.uuid4())),
    "a changed claim": lambda c: ".".join([(t := signed(c).split("."))[0], part({**c, "roles": ["admin"]}), t[2]]),
    "no kid": lambda c: jwt.encode(c, keys.ring().current, "RS256"),
    "a kid that is a number": lambda c: f"{part({'alg': 'RS256', 'kid': 5})}.{part(c)}.AAAA",
    "a header that is a list": lambda c: f"{part([])}.{part(c)}.AAAA",
    "claims that are a list": lambda c: f"{part({'alg': 'RS256', 'kid': keys.ring().current_id})}.{part([])}.AA",
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_forged_token_opens_nothing(claims, attack):
    refused = answer(ATTACKS[attack](claims))
    assert (refused.status_code, refused.json()) == (401, {"detail": "invalid_token"})
    assert refused["WWW-Authenticate"] == "Bearer"


def test_a_refresh_token_is_no_access_token(pair):
    assert answer(pair.refresh).json() == {"detail": "invalid_token"}


def test_a_token_expires_although_its_signature_was_verified_before(pair, claims):
    assert tokens.access_claims(pair.access, claims["exp"] - 1) == claims
    assert tokens.access_claims(pair.access, claims["exp"]) is None


def test_a_revoked_token_is_refused_while_others_of_the_sign_in_live(uma, pair, claims):
    other = tokens.AccessToken.issue(pair.sign_in, uma, timezone.now())
    SignIn.objects.update(ended_at=None)
    with_life = timezone.now() + timedelta(hours=1)
    RevokedToken.objects.create(jti=claims["jti"], revoked_at=timezone.now(), expires_at=with_life)
    assert answer(pair.access).json() == {"detail": "invalid_token"}
    assert answer(str(other)).status_code == 200


@pytest.mark.parametrize("change", [{"is_active": False}, {"deleted_at": timezone.now()}])
def test_a_token_of_a_stopped_or_retired_account_finds_no_user(uma, pair, change):
    type(uma).objects.filter(pk=uma.pk).update(**change)
    SignIn.objects.update(ended_at=timezone.now())
    assert answer(pair.access).json() == {"detail": "user_not_found"}


def test_rights_come_from_the_database_and_not_from_the_token(uma, signed_in):
    client = signed_in(uma)
    assert client.get("/api/v1/users/").status_code == 403
    uma.groups.set(services.people._groups(["auditor"]))
    assert client.get("/api/v1/users/").status_code == 200


def test_an_unreadable_database_closes_the_door(pair, monkeypatch):
    def broken(*args):
        raise OperationalError("gone")

    monkeypatch.setattr(authentication, "by_token", broken)
    refused = answer(pair.access)
    assert (refused.status_code, refused["Retry-After"]) == (503, "2")


def test_presence_is_written_at_most_once_a_minute(uma, pair, django_assert_num_queries):
    SignIn.objects.update(last_seen_at=timezone.now() - timedelta(minutes=5))
    with django_assert_num_queries(4):
        assert answer(pair.access).status_code == 200
    with django_assert_num_queries(2):
        assert answer(pair.access).status_code == 200
    pair.sign_in.refresh_from_db()
    uma.refresh_from_db()
    assert pair.sign_in.last_seen_at == uma.last_seen_at > timezone.now() - timedelta(minutes=1)


def test_the_memory_of_verified_tokens_is_bounded(uma, pair, monkeypatch):
    memory = tokens._Verified()
    monkeypatch.setattr(memory, "size", 3)
    for number in range(9):
        memory.keep(bytes([number]), {"exp": 0})
    assert list(memory.claims) == [bytes([6]), bytes([7]), bytes([8])]


def test_the_public_keys_are_published(api, db):
    found = api.get("/.well-known/jwks.json").json()["keys"]
    assert len(found) >= 2, "the next key is published before it signs"
    for key in found:
        assert set(key) == {"kty", "use", "alg", "kid", "n", "e"}
    assert found[0]["kid"] == keys.ring().current_id


def test_a_token_verifies_with_the_published_key(api, pair, claims):
    published = jwt.PyJWKSet.from_dict(api.get("/.well-known/jwks.json").json())
    key = published[jwt.get_unverified_header(pair.access)["kid"]]
    assert jwt.decode(pair.access, key, ["RS256"], issuer="waymark") == claims
