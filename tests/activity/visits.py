"""What the tests of the pages share: rows about somebody, and what a page says."""

import re
from html import unescape
from typing import Any

from activity.models import Entry, Provider
from identity.models import User
from tests.factories import EntryFactory


def about(person: User, **values: Any) -> Entry:
    return EntryFactory(user_id=str(person.uuid), user_login=person.username, **values)


def at(provider: Provider) -> dict[str, Any]:
    return {
        "provider_id": provider.pk,
        "provider_name": provider.name,
        "provider_type": provider.type,
        "provider_protocol": provider.protocol,
    }


def text_of(response: Any) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode())))


def rows_found(response: Any) -> int:
    return response.context["pager"].total
