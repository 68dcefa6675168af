"""Parked events: those that a view could not take in. They can be tried again, or left out for good."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from projections.database import Database
from projections.errors import LostRaceError, ProjectionError
from projections.feed import Feed
from projections.fold import Folder
from projections.generations import Generation, change, live, parked_positions
from projections.tables import PARKED
from projections.view import Row, Rows, View
from projections.writing import add_up, remove_streams


@dataclass(frozen=True)
class ParkedEvent:
    """An event that is left out of a view, and why; `skipped` when somebody decided that it stays so."""

    view: str
    position: int
    stream: str
    stream_version: int
    topic: str
    error: str
    tries: int
    skipped: bool
    parked_at: datetime


def parked_events(database: Database, view: str | None = None) -> tuple[ParkedEvent, ...]:
    """Return the events that live views leave out, in order."""
    columns = [PARKED.c[name] for name in ParkedEvent.__dataclass_fields__]
    query = select(*columns, PARKED.c.generation).order_by(PARKED.c.view, PARKED.c.position)
    if view is not None:
        query = query.where(PARKED.c.view == view)
    with database.read() as connection:
        found = connection.execute(query).mappings().all()
        current = {name: live(connection, name) for name in {row["view"] for row in found}}
    told = []
    for row in found:
        generation = current[row["view"]]
        if generation is not None and generation.generation == row["generation"]:
            told.append(ParkedEvent(**{name: row[name] for name in ParkedEvent.__dataclass_fields__}))
    return tuple(told)


def skip(database: Database, view: str, position: int) -> None:
    """Leave a parked event out for good; ProjectionError when it is not parked."""
    with database.write() as connection:
        generation = _live(connection, view)
        here = _at(generation, position)
        if connection.execute(update(PARKED).where(*here).values(skipped=True)).rowcount != 1:
            raise _not_parked(view, position)


class Retry:
    """Takes a parked event into its view after all: all rows of its stream are made anew, from the log."""

    def __init__(self, database: Database, feed: Feed, views: Mapping[str, View[Any]]) -> None:
        self._database = database
        self._feed = feed
        self._views = views

    def retry(self, name: str, position: int) -> None:
        """Take the event in; raises what it fails with, and then it stays parked. ProjectionError if it is not."""
        view = self._views[name]
        with self._database.read() as connection:
            generation = _live(connection, name)
            parked = parked_positions(connection, generation.key)
            found = connection.execute(select(PARKED.c.stream).where(*_at(generation, position))).first()
        if found is None:
            raise _not_parked(name, position)
        stream = str(found[0]).partition("-")[2]
        folder = Folder(view, self._feed)
        fresh = folder.refold(stream, generation.position, parked - {position})
        before = folder.refold(stream, generation.position, parked)
        with self._database.write() as connection:
            self._unmoved(connection, generation)
            self._write(connection, generation, stream, fresh, before)
            connection.execute(delete(PARKED).where(*_at(generation, position)))

    def _write(self, connection: Connection, generation: Generation, stream: str, fresh: Rows, before: Rows) -> None:
        view = self._views[generation.view]
        for table in view.tables:
            physical = table.generation(generation.generation)
            rows = fresh.of[table.name]
            if table.written == "added":
                rows = difference(rows, before.of[table.name], len(table.key))
                add_up(self._database, connection, table, physical, rows)
                continue
            remove_streams(self._database, connection, table, physical, [stream])
            self._database.insert(connection, physical, rows)

    @staticmethod
    def _unmoved(connection: Connection, generation: Generation) -> None:
        """Refuse when the view has gone on meanwhile; touching its row keeps others from going on until we are done."""
        change(connection, generation.key, error=None)
        if _live(connection, generation.view).position != generation.position:
            msg = f"view {generation.view} has gone on meanwhile; try again"
            raise LostRaceError(msg, view=generation.view)


def difference(fresh: Sequence[Row], before: Sequence[Row], width: int) -> list[Row]:
    """Return what has to be added so that the sums of the earlier rows become those of the fresh ones."""
    for_good, against = Counter(fresh), Counter(before)
    added = [row for row, count in (for_good - against).items() for _ in range(count)]
    taken = [row for row, count in (against - for_good).items() for _ in range(count)]
    return [*added, *((*row[:width], *(-value for value in row[width:])) for row in taken)]


def _live(connection: Connection, view: str) -> Generation:
    generation = live(connection, view)
    if generation is None:
        raise _not_parked(view, 0)
    return generation


def _at(generation: Generation, position: int) -> tuple[Any, ...]:
    return (
        PARKED.c.view == generation.view,
        PARKED.c.generation == generation.generation,
        PARKED.c.position == position,
    )


def _not_parked(view: str, position: int) -> ProjectionError:
    return ProjectionError(f"view {view} has no parked event at position {position}", view=view, position=position)
