"""What a row of the trail amounts to, byte by byte: the ground on which seals and digests stand."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

ROW = b"\x00"  # keeps the digest of a row apart from that of a link of the chain


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
