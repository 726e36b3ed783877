"""Addresses: uniform over public unicast IPv4 (activity.md 6.3, rule 6)."""

from bisect import bisect_right
from ipaddress import ip_address, ip_network
from itertools import accumulate

MONITORING = {"monitoring": "145.5.187.3", "vpn_user": "52.62.72.83", "test": "184.254.8.1"}

# Written out, because `is_global` differs between versions of Python and the digest must not.
NOT_PUBLIC = (
    *(
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
    ),
    *("192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
)


def _public_ranges() -> list[tuple[int, int]]:
    """First address and size of each range between the excluded networks."""
    excluded = sorted(ip_network(text) for text in [*NOT_PUBLIC, *MONITORING.values()])
    ranges, free = [], 0
    for network in excluded:
        first = int(network.network_address)
        if first > free:
            ranges.append((free, first - free))
        free = first + network.num_addresses
    return ranges


RANGES = _public_ranges()
TOTAL = sum(size for _, size in RANGES)
ENDS = list(accumulate(size for _, size in RANGES))
SHIFTS = [first - end + size for (first, size), end in zip(RANGES, ENDS, strict=True)]


def address(word: int) -> str:
    """The public address that a uniform 32-bit draw stands for."""
    place = word * TOTAL >> 32
    value = place + SHIFTS[bisect_right(ENDS, place)]
    return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"


def is_public(text: str) -> bool:
    """Whether an address is one that people of the generator may have."""
    value = ip_address(text)
    return not any(value in ip_network(network) for network in NOT_PUBLIC)
