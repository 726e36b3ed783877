"""The filter of the audit search for a row at hand: the same answer as the database gives (`search.conditions`)."""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

from activity.queries.networks import Address, Network, parse
from activity.queries.search import Filter

Matcher = Callable[[Mapping[str, Any]], bool]


def _everything(row: Mapping[str, Any]) -> bool:
    return True


def matcher(asked: Filter) -> Matcher:
    """Whether a row is meant by this filter, its time range apart."""
    restricted = asked.restrictions()
    places = restricted.pop("source_ip", ())
    tests: list[Matcher] = [_one_of(name, frozenset(values)) for name, values in restricted.items()]
    if places:
        tests.append(_within(places))
    if not tests:
        return _everything
    return lambda row: all(test(row) for test in tests)


def _one_of(name: str, values: frozenset[Any]) -> Matcher:
    return lambda row: row[name] in values


def _within(places: tuple[str, ...]) -> Matcher:
    exact: set[str] = set()
    networks: list[Network] = []
    for place in map(parse, places):
        if isinstance(place, Address):
            exact.add(str(place))
        else:
            networks.append(place)

    def test(row: Mapping[str, Any]) -> bool:
        text = row["source_ip"]
        return text in exact or (bool(networks) and text is not None and _inside(text, networks))

    return test


def _inside(text: str, networks: list[Network]) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in networks)
