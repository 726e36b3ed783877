"""What a row of the trail amounts to, byte by byte, how rows are chained, and what a signed checkpoint says.

Digest of a row = SHA-256(0x00 + canonical JSON without the sequence); head = SHA-256(0x01 + previous head +
sequence as 8 bytes big-endian + digest). Leaving the sequence out of the digest tells swapped from altered.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from struct import Struct
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ROW, LINK = b"\x00", b"\x01"  # keep the digest of a row apart from that of a link of the chain
NO_HEAD = bytes(32)
PAIR = Struct(">q32s")
VERSION = 1


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
    raise TypeError(f"a row of the trail holds no {type(value).__name__}")


def canonical(row: Mapping[str, Any]) -> bytes:
    """The canonical JSON of a row: all columns except the sequence, keys sorted, no blanks, UTF-8, times in UTC."""
    columns = {name: value for name, value in row.items() if name != "sequence"}
    text = json.dumps(columns, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)
    return text.encode()


def row_digest(row: Mapping[str, Any]) -> bytes:
    """SHA-256 over a zero byte and the canonical row."""
    return sha256(ROW + canonical(row)).digest()


# --- the chain --------------------------------------------------------------------------------------------------
Pair = tuple[int, bytes]  # a sequence number and the digest of its row


def chain(head: bytes, pairs: Iterable[Pair]) -> bytes:
    """The head after these rows."""
    for sequence, digest in pairs:
        head = sha256(LINK + head + PAIR.pack(sequence, digest)).digest()
    return head


def pack(pairs: Iterable[Pair]) -> bytes:
    """Sequence numbers and digests as a segment stores them: 8 and 32 bytes a row."""
    return b"".join(PAIR.pack(*pair) for pair in pairs)


def unpack(packed: bytes) -> list[Pair]:
    """What `pack` packed; a torn last pair is left out, and the chain will tell."""
    whole = len(packed) // PAIR.size * PAIR.size
    return [(sequence, digest) for sequence, digest in PAIR.iter_unpack(packed[:whole])]


# --- signed checkpoints -----------------------------------------------------------------------------------------
class Checkpoint(NamedTuple):
    """The claims of one segment, in the order of the contract; `payload()` is what is signed."""

    segment: int
    first_sequence: int
    last_sequence: int
    rows: int
    previous_head: str
    head: str
    sealed_at: str
    key_id: str
    v: int = VERSION

    def payload(self) -> str:
        """The canonical JSON: keys sorted, no blanks."""
        return json.dumps(self._asdict(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def of(cls, payload: str) -> "Checkpoint":
        """The claims in a payload; ValueError when it is none."""
        try:
            claims = json.loads(payload)
            return cls(**claims)
        except TypeError as error:
            raise ValueError("not a checkpoint") from error


def raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the raw public key."""
    return sha256(raw(key)).hexdigest()[:16]


def public_key(text: str) -> Ed25519PublicKey:
    """A public key from PEM or from the base64 of its 32 bytes; ValueError when it is neither."""
    text = text.strip()
    if text.startswith("-----"):
        key = serialization.load_pem_public_key(text.encode())
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("not an Ed25519 key")
        return key
    return Ed25519PublicKey.from_public_bytes(b64decode(text, validate=True))


def sign(payload: str, key: Ed25519PrivateKey) -> str:
    return b64encode(key.sign(payload.encode())).decode()


def signed_by(payload: str, signature: str, key: Ed25519PublicKey) -> bool:
    """Whether this key signed this payload."""
    try:
        key.verify(b64decode(signature, validate=True), payload.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


# --- what verifying finds ---------------------------------------------------------------------------------------
class Problem(NamedTuple):
    """One thing that is not as it was sealed; `other` is where a swapped row belongs."""

    kind: str
    sequence: int | None = None
    segment: int | None = None
    other: int | None = None
    detail: str = ""

    def __str__(self) -> str:
        place = f"segment {self.segment}" if self.sequence is None else f"sequence {self.sequence}"
        where = f" (segment {self.segment})" if self.sequence is not None and self.segment is not None else ""
        return f"{place}: {self.kind}{f' with {self.other}' if self.other is not None else ''}{where}"


class Altered(NamedTuple):
    """A sealed row whose digest is another now; it may turn out to be swapped."""

    sequence: int
    segment: int
    sealed: bytes
    found: bytes


def differences(
    segment: int, sealed: Mapping[int, bytes], found: Mapping[int, bytes]
) -> Iterator[Problem | Altered]:
    """What tells the rows found in a segment's range from those that were sealed, by sequence number."""
    for sequence in sorted(sealed.keys() | found.keys()):
        before, now = sealed.get(sequence), found.get(sequence)
        if before is None:
            yield Problem(
                "inserted", sequence, segment, detail="This row was not there when its range was sealed."
            )
        elif now is None:
            yield Problem("deleted", sequence, segment, detail="This row was sealed and is gone.")
        elif before != now:
            yield Altered(sequence, segment, before, now)


def judged(altered: Iterable[Altered]) -> list[Problem]:
    """Altered rows, of which those that hold what was sealed under another altered number are swapped."""
    rows = list(altered)
    home = {row.sealed: row.sequence for row in rows}
    return [
        Problem("altered", row.sequence, row.segment, detail="This row is not as it was sealed.")
        if row.found not in home
        else Problem(
            "swapped", row.sequence, row.segment, home[row.found], "This row was sealed under another number."
        )
        for row in rows
    ]
