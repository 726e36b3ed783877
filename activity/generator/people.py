"""Who plays: the base providers, the base users and, beyond them, people with invented names."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from activity.generator import draws
from activity.generator.clock import DAY, HOUR, MINUTE, SECOND

DATA = Path(__file__).resolve().parent.parent / "data"
MAX_PEOPLE = 10_000
OPENING, CLOSING = (
    1_740_787_200_000,
    1_746_057_600_000,
)  # 2025-03-01 and 2025-05-01, between which people join
FIRST_SESSION_AFTER = MINUTE
STRIDE = 7_919  # shares no factor with the number of invented names, so each of them comes up once


def _read(name: str) -> Any:
    return json.loads((DATA / name).read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class BaseProvider:
    """One of the eight providers; `id` is its nominal number 1..8."""

    id: int
    type: str
    protocol: str
    name: str

    def columns(self) -> dict[str, Any]:
        return {"id": self.id, "type": self.type, "protocol": self.protocol, "name": self.name}


@dataclass(frozen=True, slots=True)
class Person:
    """A person of the generator; `created` in milliseconds, `root` is where their draws start."""

    index: int
    login: str
    firstname: str
    lastname: str | None
    email: str | None
    uuid: str
    created: int
    root: bytes


PROVIDERS = [BaseProvider(id=number, **entry) for number, entry in enumerate(_read("base_providers.json"), 1)]
BASE_USERS: list[dict[str, Any]] = _read("base_users.json")
INVENTED: dict[str, list[str]] = _read("invented_names.json")


def _invented(seed: int, index: int) -> dict[str, Any]:
    """The index-th invented name of this seed: no two indexes share one."""
    firstnames, stems, endings = INVENTED["firstnames"], INVENTED["stems"], INVENTED["endings"]
    total = len(firstnames) * len(stems) * len(endings)
    place = (draws.number(draws.key(seed, "names"), total) + index * STRIDE) % total
    place, first = divmod(place, len(firstnames))
    stem, ending = divmod(place, len(endings))
    firstname, lastname = firstnames[first], stems[stem] + endings[ending]
    login = f"{firstname}.{lastname}".lower()
    return {"login": login, "firstname": firstname, "lastname": lastname, "email": f"{login}@example.com"}


def person_of(seed: int, index: int) -> Person:
    """The index-th person of a seed."""
    names = BASE_USERS[index] if index < len(BASE_USERS) else _invented(seed, index)
    seconds = (CLOSING - OPENING) // SECOND
    return Person(
        index=index,
        uuid=draws.uuid_text(draws.key(seed, "uuid", index)),
        created=OPENING + draws.number(draws.key(seed, "created", index), seconds) * SECOND,
        root=draws.key(seed, "person", index),
        **names,
    )


@dataclass(frozen=True, slots=True)
class Cast:
    """Everyone and everything of one seed and number of users."""

    seed: int
    people: tuple[Person, ...]
    oldest: int  # when the first person joined; the monitoring starts then

    def provider_created(self, number: int) -> int:
        """When the number-th provider was entered: on the day before the first person's day (rule 2)."""
        return self.oldest - self.oldest % DAY - DAY + number * HOUR // 2

    @property
    def beginning(self) -> int:
        """Nothing generated is earlier."""
        return self.provider_created(1)


@lru_cache(maxsize=4)
def cast_of(seed: int, users: int) -> Cast:
    """The cast of a seed: 1 to 10,000 people; the first ones are the same whatever the number."""
    people = tuple(person_of(seed, index) for index in range(users))
    return Cast(seed, people, min(person.created for person in people))
