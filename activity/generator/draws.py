"""Randomness that is counted, not consumed: every draw is a hash of where it stands.

BLAKE2b is the same in every Python, and a draw depends on nothing drawn before it, so the past need not be
generated again to go on. `random` promises neither.
"""

import struct
from hashlib import blake2b

SIXTEEN_WORDS = struct.Struct("<16I")


def key(seed: int, *path: str | int) -> bytes:
    """The root of one stream of draws: the same seed and path give the same stream for ever."""
    return blake2b(repr((seed, *path)).encode(), digest_size=32).digest()


def number(root: bytes, below: int) -> int:
    """One draw, uniform over 0..below-1."""
    return int.from_bytes(blake2b(root, digest_size=16).digest(), "little") * below >> 128


def words(root: bytes, index: int) -> tuple[int, ...]:
    """Sixteen uniform 32-bit numbers for the index-th event of a stream."""
    return SIXTEEN_WORDS.unpack(blake2b(root + index.to_bytes(8, "little")).digest())


def identifiers(root: bytes, index: int, count: int) -> list[str]:
    """`count` identifiers of 128 bits in lower hex for the index-th event of a stream."""
    text = ""
    for block in range(0, count, 4):
        text += blake2b(root + index.to_bytes(8, "little") + b"id%d" % block).hexdigest()
    return [text[at : at + 32] for at in range(0, count * 32, 32)]


def uuid_text(root: bytes) -> str:
    """A version 4 UUID in its usual spelling."""
    raw = bytearray(blake2b(root, digest_size=16).digest())
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
