"""Secrets that a development machine makes for itself, once, under git-ignored `var/`."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def write_once(path: Path, content: bytes) -> bool:
    """Write a file readable by its owner only, unless it exists; several processes end up with one content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        os.fchmod(handle, 0o600)
        os.write(handle, content)
        os.fsync(handle)
        os.link(temporary, path)  # atomic, and fails if somebody was first
    except FileExistsError:
        return False
    finally:
        os.close(handle)
        os.unlink(temporary)
    return True


def kept(path: Path, make: Callable[[], str]) -> str:
    """The text in this file, made at the first call."""
    if not path.exists():
        write_once(path, make().encode())
    return path.read_text()
