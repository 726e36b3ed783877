"""The trail of domain activity, and the first rows of people (domain identity), in bulk and in order of time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from django.db import connection, transaction

from activity.generator import PROVIDERS, Cast, Story, Thinning, cast_of, finished
from activity.generator.clock import DAY, milliseconds, moment
from activity.generator.story import births
from activity.models import Domain, Provider, SeedState
from activity.seed import indexes
from activity.seed.states import Settled, advance, state_of
from activity.seed.writers import made_ahead, writer

Progress = Callable[[int], object]
A_DAY_OF_A_PERSON, A_DAY_OF_MONITORING = 97, 408  # rows, on average (rules 3 and 7)


def _identity_on_postgresql_goes_on() -> None:
    """Ids given by hand do not move PostgreSQL's own counter."""
    if connection.vendor == "postgresql":
        table = Provider._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"  # noqa: S608
            )


def plant_providers(cast: Cast) -> tuple[dict[int, int], list[int]]:
    """Nominal number → stored id of the base providers, and the ids of those made now.

    A provider of that type and name entered by hand is taken as it is; a taken id is left to its owner.
    """
    numbers: dict[int, int] = {}
    made: list[int] = []
    for base in PROVIDERS:
        provider = Provider.objects.filter(type=base.type, name__iexact=base.name).first()
        if provider is None:
            free = not Provider.objects.filter(id=base.id).exists()
            provider = Provider(
                id=base.id if free else None, type=base.type, protocol=base.protocol, name=base.name
            )
            provider.created_at = moment(cast.provider_created(base.id))
            provider.save(force_insert=True)
            made.append(provider.pk)
            _identity_on_postgresql_goes_on()
        numbers[base.id] = provider.pk
    return numbers, made


def expected_rows(settled: Settled) -> int:
    """About how many rows a run adds; for progress and for the choice to drop indexes."""
    state = SeedState.objects.filter(domain=Domain.ACTIVITY).first()
    mark, written = (milliseconds(state.until), int(state.state["written"])) if state else (0, 0)
    if settled.rows is not None and mark < settled.thinned_until:
        return settled.rows - written
    cast = cast_of(settled.seed, settled.cast)
    of_people = sum(max(0, settled.until - max(person.created, mark)) for person in cast.people)
    of_monitoring = max(0, settled.until - max(cast.oldest, mark))
    return (of_people * A_DAY_OF_A_PERSON + of_monitoring * A_DAY_OF_MONITORING) // DAY


class Load(NamedTuple):
    """One transaction's worth: prepared rows, and what the states become with them."""

    prepared: Any
    written: dict[str, int]
    heads: dict[str, bytes]
    mark: int
    cursors: Sequence[Sequence[int]]


class Planting:
    """One run over the trail: each batch is one transaction with the states it leads to.

    So a run killed anywhere is finished by the next, and its digest is that of an undisturbed run.
    """

    def __init__(self, settled: Settled, *, activity: SeedState, identity: SeedState | None = None) -> None:
        self.settled, self.activity, self.identity = settled, activity, identity
        self.cast = cast_of(settled.seed, settled.cast)
        self.mark = milliseconds(activity.until)
        self.cursors: Sequence[Sequence[int]] = activity.state.get("cursors", ())
        self.heads = {Domain.ACTIVITY.value: bytes.fromhex(activity.digest)}
        if identity is not None:
            self.heads[Domain.IDENTITY.value] = bytes.fromhex(identity.digest)
        numbers = activity.state["providers"]
        self.writer = writer({int(number): stored for number, stored in numbers.items()})

    def _legs(self) -> Iterator[tuple[Thinning | None, int]]:
        """Thinned up to where --rows was meant, at the natural pace from there on."""
        until, settled = self.settled.until, self.settled
        if settled.rate is not None and self.mark < settled.thinned_until:
            yield Thinning(settled.rate, settled.thinned_until), min(until, settled.thinned_until)
        yield None, until

    def _loads(self) -> Iterator[Load]:
        """Everything between the mark and `until`, ready to be stored."""
        born = milliseconds(self.identity.until) if self.identity else None
        for thinning, until in self._legs():
            story = Story(
                self.cast, mark=self.mark, cursors=self.cursors, births_after=born, thinning=thinning
            )
            for batch in story.batches(until):
                self.mark, self.cursors = batch.mark, batch.cursors
                rows = finished(batch.rows, self.heads)
                people = sum(row[4].domain == Domain.IDENTITY for row in rows)
                written = {Domain.IDENTITY.value: people, Domain.ACTIVITY.value: len(rows) - people}
                yield Load(self.writer.prepare(rows), written, dict(self.heads), batch.mark, batch.cursors)

    def run(self, progress: Progress) -> int:
        """Write everything between the mark and `until`; returns the number of rows."""
        added = 0
        for load in made_ahead(self._loads()):
            self._commit(load)
            rows = sum(load.written.values())
            added += rows
            progress(rows)
        return added

    def _commit(self, load: Load) -> None:
        with transaction.atomic():
            self.writer.store(load.prepared)
            self.activity.state["cursors"] = load.cursors
            for state in filter(None, (self.activity, self.identity)):
                if load.mark > milliseconds(state.until):
                    advance(state, load.mark, load.heads[state.domain], load.written[state.domain])


def activity_state(settled: Settled) -> SeedState:
    """The state of domain activity, its providers planted."""
    found = SeedState.objects.filter(domain=Domain.ACTIVITY).first()
    if found is not None:
        return found
    with transaction.atomic():
        numbers, made = plant_providers(cast_of(settled.seed, settled.cast))
        return state_of(Domain.ACTIVITY, settled, providers=numbers, providers_made=made)


def plant_births(settled: Settled, identity: SeedState, progress: Progress) -> None:
    """The first rows of people alone, when only domain identity is asked for."""
    mark = milliseconds(identity.until)
    if settled.until <= mark:
        return
    heads: dict[str, Any] = {Domain.IDENTITY.value: bytes.fromhex(identity.digest)}
    rows = finished(births(cast_of(settled.seed, settled.cast), mark, settled.until), heads)
    with transaction.atomic():
        births_writer = writer({})
        births_writer.store(births_writer.prepare(rows))
        advance(identity, settled.until, heads[Domain.IDENTITY.value], len(rows))
    progress(len(rows))


def plant(settled: Settled, identity: SeedState, progress: Progress) -> None:
    """Bring domain activity, and the first rows of people with it, up to `settled.until`."""
    activity = activity_state(settled)
    if identity.until < activity.until:  # people were flushed alone: their first rows lie behind the mark
        plant_births(replace(settled, until=milliseconds(activity.until)), identity, progress)
    indexes.drop_if_worth_it(expected_rows(settled))
    Planting(settled, activity=activity, identity=identity).run(progress)
    indexes.restore()
