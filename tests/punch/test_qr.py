"""QR tokens as text: what is genuine, and what each forgery is called."""

import base64
import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import given
from hypothesis import strategies as st

from punch import qr

KEY, FOREIGN = generate_private_key(65537, 2048), generate_private_key(65537, 2048)
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
KID = "k" * 43


def find(kid: str):
    return KEY.public_key() if kid == KID else None


def claims() -> qr.Claims:
    return qr.Claims.fresh(2**31 - 1, 2**31 - 1, NOW, 30)


def payload(**changes) -> dict:
    whole = {
        "sub": "7",
        "device_id": 3,
        "nonce": "n",
        "jti": "j",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 30,
        "typ": "ephemeral_qr",
        "type": "ephemeral_qr",
    }
    whole |= changes
    return {name: value for name, value in whole.items() if value is not None}


def forged(key=KEY, alg="RS256", headers=None, **changes) -> str:
    return jwt.encode(payload(**changes), key, algorithm=alg, headers={"kid": KID} | (headers or {}))


def raw(header: dict, body: dict, signature: bytes = b"x") -> str:
    parts = [json.dumps(header).encode(), json.dumps(body).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def test_what_was_signed_is_read_again_and_fits_into_800_characters() -> None:
    told = claims()
    text = qr.signed(told, KEY, KID)
    assert qr.read(text, find, NOW) == told
    assert len(text) <= 800


def test_a_token_is_over_at_its_last_second_without_leeway() -> None:
    told = claims()
    text = qr.signed(told, KEY, KID)
    qr.read(text, find, told.expires_at - timedelta(microseconds=1))
    with pytest.raises(qr.Expired) as over:
        qr.read(text, find, told.expires_at)
    assert over.value.claims == told


public_pem = KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


def over_public_key() -> str:
    """HS256 with the public key as its secret, which PyJWT itself refuses to make."""
    import hashlib
    import hmac

    body = raw({"alg": "HS256", "kid": KID}, payload()).rpartition(".")[0]
    mac = hmac.new(public_pem, body.encode(), hashlib.sha256).digest()
    return f"{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


@pytest.mark.parametrize(
    "text",
    [
        forged(FOREIGN),
        forged(headers={"kid": "other"}),
        raw({"alg": "RS256"}, payload()),
        raw({"alg": "RS256", "kid": 7}, payload()),
        forged(FOREIGN, headers={"jku": "https://example.org/jwks.json"}),
        forged("s" * 64, "HS256"),
        raw({"alg": "none", "kid": KID}, payload(), b""),
        over_public_key(),
        forged(alg="RS512"),
        forged() + "x",
        forged()[:-5],
        "a.b.c",
        "",
        "....",
        "\x00",
        "é" * 50,
        "\ud800.x.y",
    ],
)
def test_what_was_not_signed_here_with_rs256_is_not_genuine(text: str) -> None:
    with pytest.raises(qr.NotGenuine):
        qr.read(text, find, NOW)


@pytest.mark.parametrize("changes", [{"typ": "access"}, {"type": None}, {"typ": None}, {"type": 1}])
def test_a_token_of_another_kind_is_called_so(changes: dict) -> None:
    with pytest.raises(qr.WrongKind):
        qr.read(forged(**changes), find, NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": None},
        {"sub": "x"},
        {"sub": "٣"},
        {"sub": ""},
        {"device_id": None},
        {"device_id": "3"},
        {"device_id": True},
        {"device_id": 10**30},
        {"nonce": None},
        {"nonce": 5},
        {"jti": None},
        {"jti": "j" * 37},
        {"exp": None},
        {"exp": "soon"},
    ],
)
def test_a_claim_that_is_absent_or_of_the_wrong_type_is_missing(changes: dict) -> None:
    with pytest.raises(qr.Incomplete):
        qr.read(forged(**changes), find, NOW)


@given(st.text(max_size=200))
def test_no_text_makes_reading_fail_in_another_way(text: str) -> None:
    with pytest.raises(qr.NotGenuine):
        qr.read(text, find, NOW)


def test_the_drawing_is_black_on_white_with_a_quiet_zone_and_scales() -> None:
    drawing = qr.as_svg(qr.signed(claims(), KEY, KID))
    assert drawing.startswith("<svg")
    assert 'viewBox="0 0' in drawing
    assert "width=" not in drawing.split(">")[0]
    assert "#fff" in drawing
