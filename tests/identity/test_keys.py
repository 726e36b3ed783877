"""The signing keys: made once, rotated under load, kept private."""

import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from multiprocessing import get_context
from threading import Event

import jwt
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from identity import keys
from identity.services import open_sign_in
from tests.identity.together import together


@pytest.fixture
def files(tmp_path, settings, monkeypatch):
    """An installation of its own, read by a reader of its own."""
    found = keys.KeyFiles.inside(tmp_path)
    settings.JWT_PRIVATE_KEY_PATH, settings.JWT_PUBLIC_KEY_PATH = found.private, found.public
    settings.TRAIL_SIGNING_KEY_PATH = tmp_path / "trail_signing_key.pem"
    monkeypatch.setattr(keys, "_reader", keys._Reader())
    return found


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_generating_twice_is_refused_and_leaves_the_files_alone(files, tmp_path, capsys):
    call_command("generate_keys")
    before = contents(tmp_path)
    assert {
        "jwt_private_key.pem",
        "jwt_public_key.pem",
        "jwt_next_private_key.pem",
        "trail_signing_key.pem",
    } == set(before)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(CommandError) as refused:
        call_command("generate_keys")
    assert refused.value.returncode == 1
    assert contents(tmp_path) == before


def test_a_lone_public_key_is_not_overwritten(files, tmp_path):
    files.public.write_text("a key")
    with pytest.raises(CommandError):
        call_command("generate_keys")
    assert contents(tmp_path) == {"jwt_public_key.pem": b"a key"}


def test_keys_go_where_and_are_as_long_as_one_says(tmp_path):
    call_command("generate_keys", output_dir=tmp_path / "keys", key_size=4096, stdout=StringIO())
    assert keys.read_private(tmp_path / "keys" / "jwt_private_key.pem").key_size == 4096


def test_a_rotation_makes_the_published_next_key_current_and_keeps_the_former(files, tmp_path):
    call_command("generate_keys", stdout=StringIO())
    before = keys.load(files)
    published = keys.key_id(keys.read_private(files.next_private).public_key())
    trail_key = (tmp_path / "trail_signing_key.pem").read_bytes()
    call_command("generate_keys", rotate=True, stdout=StringIO())
    after = keys.load(files)
    assert after.current_id == published
    assert before.current_id in after.public
    assert len(after.public) == 3
    assert keys.key_id(keys._read_public(files.public)) == after.current_id
    assert (tmp_path / "trail_signing_key.pem").read_bytes() == trail_key


def test_force_replaces_both_pairs_and_old_tokens_stay_valid(files):
    keys.make(files)
    before = keys.load(files)
    call_command("generate_keys", force=True, stdout=StringIO())
    after = keys.load(files)
    assert before.current_id in after.public
    assert after.current_id not in before.public


def test_former_keys_are_forgotten_when_no_token_of_theirs_can_live(files):
    keys.make(files)
    first = keys.load(files).current_id
    keys.rotate(files)
    long_ago = time.time() - (settings.REFRESH_TOKEN_EXPIRE_DAYS * 86400 + 7200)
    for path in files.former():
        os.utime(path, (long_ago, long_ago))
    keys.rotate(files)
    ring = keys.load(files)
    assert first not in ring.public
    assert len(ring.public) == 3


def test_several_processes_at_first_start_end_up_with_one_pair(files):
    made = together(*[lambda: (keys.make(files), keys.load(files).current_id)[1]] * 6)
    assert len(set(made)) == 1, made


def test_a_rotation_is_noticed_without_a_restart(files, monkeypatch):
    keys.make(files)
    first = keys.ring()
    assert keys.ring() is first
    keys.rotate(files)
    monkeypatch.setattr(keys._reader, "looked_at", 0)
    assert keys.ring().current_id != first.current_id


def test_damaged_keys_are_said_to_be_so(files):
    keys.make(files)
    files.private.write_text("no key")
    with pytest.raises(keys.KeysUnreadable, match=r"jwt_private_key\.pem cannot be read"):
        keys.load(files)


def _another_process(folder, tokens, answers):
    """Verify what arrives, with a reader that was warmed before the rotations began."""
    from identity import keys
    from identity import tokens as ours

    settings.JWT_PRIVATE_KEY_PATH = folder / "jwt_private_key.pem"
    settings.JWT_PUBLIC_KEY_PATH = folder / "jwt_public_key.pem"
    keys._reader = keys._Reader()
    keys.ring()
    answers.put("ready")
    while text := tokens.get():
        answers.put(ours.access_claims(text, time.time()) is not None)


@pytest.mark.django_db
def test_no_token_is_refused_while_keys_rotate_under_two_processes(files, tmp_path, uma):
    """One process signs, this one and another verify, a third rotates all the time."""
    keys.make(files)
    context = get_context("fork")
    tokens, answers = context.Queue(), context.Queue()
    verifier = context.Process(target=_another_process, args=(tmp_path, tokens, answers), daemon=True)
    verifier.start()
    assert answers.get(timeout=20) == "ready"
    done = Event()

    def rotate():
        rotations = 0
        while not done.is_set():
            keys.rotate(files)
            rotations += 1
        return rotations

    from identity import tokens as ours

    pair = open_sign_in(uma)
    sent, refused_here, signers = 0, 0, set()
    with ThreadPoolExecutor(1) as pool:
        rotating = pool.submit(rotate)
        ends = time.monotonic() + 3
        while time.monotonic() < ends:
            text = str(ours.AccessToken.issue(pair.sign_in, uma, pair.sign_in.created_at))
            signers.add(jwt.get_unverified_header(text)["kid"])
            refused_here += ours.access_claims(text, time.time()) is None
            tokens.put(text)
            sent += 1
        done.set()
        rotations = rotating.result()
    tokens.put(None)
    refused_there = sum(not answers.get(timeout=20) for _ in range(sent))
    verifier.join(20)
    assert (refused_here, refused_there) == (0, 0)
    assert rotations >= 3
    assert len(signers) >= 2, "the rotations reached the signer"
    assert ours.access_claims(pair.access, time.time()), "nobody was signed out"
