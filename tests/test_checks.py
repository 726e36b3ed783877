"""Weak configuration stops the start, and says in one sentence what to set."""

import stat

import pytest

from config.checks import configuration
from identity import keys
from identity.checks import token_configuration

GOOD = "k3Jx8vQm2Zr7Tn5Wp9Ls4Hd6Fg1Bc0Yu-aEoIiUu"


@pytest.fixture
def production(settings, tmp_path):
    """Settings with which a production machine starts."""
    files = keys.KeyFiles.inside(tmp_path)
    keys.make(files)
    from config.management.commands.generate_keys import make_trail_key

    make_trail_key(tmp_path / "trail.pem")
    settings.DEBUG = False
    settings.SECRET_KEY = GOOD
    settings.ALLOWED_HOSTS = ["waymark.example.org"]
    settings.PII_ENCRYPTION_KEYS = settings.PII_INDEX_KEYS = [GOOD]
    settings.JWT_PRIVATE_KEY_PATH, settings.JWT_PUBLIC_KEY_PATH = files.private, files.public
    settings.TRAIL_SIGNING_KEY_PATH = tmp_path / "trail.pem"
    settings.DEMO_FEED = "0"
    settings.EPHEMERAL_TOKEN_EXPIRE_SECONDS = 30
    return settings


def messages():
    return [*configuration(None), *token_configuration(None)]


def found():
    return {message.id for message in messages()}


def test_a_good_configuration_passes(production):
    assert found() == set()


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("SECRET_KEY", "unset", "E001"),
        ("SECRET_KEY", "a" * 50, "E001"),
        ("SECRET_KEY", "django-insecure-" + GOOD, "E001"),
        ("ALLOWED_HOSTS", [], "E002"),
        ("PII_ENCRYPTION_KEYS", [], "E003"),
        ("PII_ENCRYPTION_KEYS", [GOOD, "short"], "E003"),
        ("PII_INDEX_KEYS", [], "E004"),
        ("JWT_PRIVATE_KEY_PATH", "/nowhere/key.pem", "E005"),
        ("TRAIL_SIGNING_KEY_PATH", "/nowhere/key.pem", "E007"),
        ("JWT_ALGORITHM", "HS256", "E008"),
        ("EPHEMERAL_TOKEN_EXPIRE_SECONDS", 4, "E009"),
        ("EPHEMERAL_TOKEN_EXPIRE_SECONDS", 31, "E009"),
        ("DEMO_FEED", "1", "E010"),
    ],
)
def test_each_weakness_is_named_in_one_sentence(production, name, value, number):
    setattr(production, name, value)
    message = next(m for m in messages() if m.id == f"waymark.{number}")
    assert message.msg.endswith(".")
    assert "set" in message.msg


def test_a_short_signing_key_is_refused(production):
    from cryptography.hazmat.primitives.asymmetric import rsa

    short = rsa.generate_private_key(65537, 1024)  # noqa: S505 - weak on purpose
    production.JWT_PRIVATE_KEY_PATH.unlink()
    production.JWT_PRIVATE_KEY_PATH.write_bytes(keys.private_pem(short))
    assert "waymark.E006" in found()


def test_a_key_that_others_can_read_is_warned_of(production):
    production.JWT_PRIVATE_KEY_PATH.chmod(stat.S_IRUSR | stat.S_IROTH)
    assert found() == {"waymark.W001"}


def test_a_trail_key_of_another_kind_is_no_trail_key(production):
    production.TRAIL_SIGNING_KEY_PATH = production.JWT_PRIVATE_KEY_PATH
    assert found() == {"waymark.E007"}


def test_the_demo_may_be_forced(production):
    production.DEMO_FEED = "force"
    assert found() == set()


def test_development_makes_what_is_missing_and_may_show_qr_codes_longer(production):
    production.DEBUG = True
    production.SECRET_KEY, production.ALLOWED_HOSTS = "unset", []
    assert found() == set()
    production.EPHEMERAL_TOKEN_EXPIRE_SECONDS = 300
    assert found() == {"waymark.W002"}
    production.EPHEMERAL_TOKEN_EXPIRE_SECONDS = 301
    assert found() == {"waymark.E009"}
