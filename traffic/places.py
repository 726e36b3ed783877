"""Which site and path an address names, and where a visit came from. Pure text, no network."""

import ipaddress
import re
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

LONGEST_HOST, LONGEST_PATH = 253, 512
NO_SITE = "(none)"
DIRECT, INTERNAL, UNREADABLE = "(direct)", "(internal)", "(unreadable)"
ABSOLUTE = re.compile(r"https?://", re.IGNORECASE)
HOST = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
)
NUMERIC_END = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 - raises where it is no port
    except ValueError:
        return None
    return parts


def _normal_host(host: str) -> str | None:
    """Lower case, ASCII, without the final dot; None for what cannot be a host."""
    host = host.removesuffix(".")
    try:
        if ":" in host:
            return str(ipaddress.IPv6Address(host))
        if not host.isascii():
            host = host.encode("idna").decode("ascii").lower()
        if NUMERIC_END.fullmatch(host):
            return str(ipaddress.IPv4Address(host))
    except ValueError:  # UnicodeError too
        return None
    return host if HOST.fullmatch(host) else None


def _host_in(address: str) -> str | None:
    parts = _split(address)
    return _normal_host(parts.hostname) if parts and parts.hostname else None


@lru_cache(maxsize=4096)
def place(page_url: str) -> tuple[str, str]:
    """Site and path of a page; what is no absolute http(s) address is a page of the site `(none)`."""
    host = _host_in(page_url) if ABSOLUTE.match(page_url) else None
    parts = _split(page_url)
    if host is None or parts is None:
        return NO_SITE, page_url[:LONGEST_PATH]
    return host, parts.path[:LONGEST_PATH] or "/"


@lru_cache(maxsize=4096)
def origin(referrer: str | None, host: str) -> str:
    """Where a visit of a page on `host` came from: nowhere, the same host, another host, or who knows."""
    if referrer is None:
        return DIRECT
    came_from = _host_in(referrer)
    if came_from is None:
        return UNREADABLE
    return INTERNAL if came_from == host else came_from


def is_link(page_url: str) -> bool:
    """Whether an address may be shown as a link: nothing but http and https."""
    return ABSOLUTE.match(page_url) is not None
