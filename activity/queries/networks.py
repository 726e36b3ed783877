"""Addresses and networks as conditions on the trail's column `source_ip`, exact and served by its index.

Stored addresses are text in their shortest form (`activity.callers.normal_address`) and compare byte by byte on
both databases. A network whose addresses all begin with one text, and only they, is a range of texts. Of any
other network the stored addresses near it are read from the index and tested one by one.
"""

import ipaddress
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

from django.db import connection
from django.db.models import CharField, Q
from django.db.models.expressions import RawSQL

from activity.models import Entry

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
FEW = 200
MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def parse(text: str) -> Address | Network:
    """An address or a CIDR network, IPv4 out of its IPv6 coat; ValueError for anything else."""
    if "%" in text:
        raise ValueError("an address without a zone is needed")
    if "/" not in text:
        address = ipaddress.ip_address(text)
        return getattr(address, "ipv4_mapped", None) or address
    network = ipaddress.ip_network(text, strict=False)
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(MAPPED):
        low = network.network_address.ipv4_mapped
        return ipaddress.ip_network(f"{low}/{network.prefixlen - 96}")
    return network


def beginning(network: Network) -> tuple[str, bool]:
    """The text with which every address of the network begins, and whether no other address does.

    A group of an IPv6 address that may be zero can be left out in writing, so the text ends before it.
    """
    if isinstance(network, ipaddress.IPv4Network):
        whole = network.prefixlen // 8
        text = "".join(f"{part}." for part in str(network.network_address).split(".")[:whole])
        return text, bool(whole) and network.prefixlen == whole * 8
    groups = network.network_address.exploded.split(":")[: network.prefixlen // 16]
    kept: list[str] = []
    for group in groups:
        if int(group, 16) == 0:
            break
        kept.append(f"{int(group, 16):x}:")
    return "".join(kept), bool(kept) and len(kept) * 16 == network.prefixlen


def _begins_with(text: str) -> Q:
    """`:` follows the digits and `;` follows `:`, `/` follows `.`: the first text after all that begin so."""
    if not text:
        return Q(source_ip__isnull=False)
    return Q(source_ip__gte=text, source_ip__lt=text[:-1] + chr(ord(text[-1]) + 1))


def _among(values: list[str]) -> Q:
    """One of these texts; many are passed as one parameter, for databases limit their number."""
    if len(values) <= FEW:
        return Q(source_ip__in=values)
    if connection.vendor == "postgresql":
        sql, parameter = "SELECT unnest(%s::varchar[])", cast(Any, values)
    else:
        sql, parameter = "SELECT value FROM json_each(%s)", json.dumps(values)
    return Q(source_ip__in=RawSQL(sql, [parameter], output_field=CharField()))  # noqa: S611 - constant text


def _stored_within(network: Network, text: str, start: datetime | None, end: datetime | None) -> set[str]:
    """The addresses of this network that the trail holds in this time."""
    rows = Entry.objects.filter(_begins_with(text))
    if start is not None:
        rows = rows.filter(timestamp__gte=start)
    if end is not None:
        rows = rows.filter(timestamp__lte=end)
    stored = rows.order_by().values_list("source_ip", flat=True).distinct()
    return {address for address in stored.iterator() if address and _contains(network, address)}


def _contains(network: Network, address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in network
    except ValueError:
        return False


def condition(asked: Iterable[str], start: datetime | None = None, end: datetime | None = None) -> Q:
    """Rows whose address is one of these, or in one of these networks."""
    exact: set[str] = set()
    ranges = Q()
    for value in map(parse, asked):
        if isinstance(value, Address):
            exact.add(str(value))
        elif value.num_addresses == 1:
            exact.add(str(value.network_address))
        else:
            text, only = beginning(value)
            if only:
                ranges |= _begins_with(text)
            else:
                exact |= _stored_within(value, text, start, end)
    return ranges | _among(sorted(exact)) if exact or not ranges else ranges
