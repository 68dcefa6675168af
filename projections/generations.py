"""Generations of views: each has tables and a checkpoint of its own; one is live, and switching is one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection, Index, bindparam, delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateIndex, CreateSchema, CreateTable, DropTable

from projections.database import Database
from projections.errors import LostRaceError, NewerViewError, ViewOutdatedError
from projections.tables import CONTROL, GENERATIONS, LEASES, PARKED, ViewTable
from projections.view import View

Standing = Literal["building", "live", "kept"]
PREPARING: Final = 0x70726F6A
"""The advisory lock under which the control tables are made."""


@dataclass(frozen=True)
class Generation:
    """Where one generation of a view stands."""

    view: str
    generation: int
    status: Standing
    version: int
    shape: str
    position: int
    anchor: str
    at: datetime | None
    paused: bool
    error: str | None
    error_at: datetime | None
    rate: float | None
    created_at: datetime
    updated_at: datetime

    @property
    def key(self) -> tuple[str, int]:
        """Return name and number."""
        return self.view, self.generation


def prepare(database: Database) -> None:
    """Make the control tables where they are missing; safe when many processes do it at once."""
    with database.write() as connection:
        if database.on_postgres:
            connection.execute(select(func.pg_advisory_xact_lock(PREPARING)))
            if not connection.scalar(select(func.to_regnamespace(database.schema).is_not(None))):
                connection.execute(CreateSchema(database.schema))
        CONTROL.create_all(connection, tables=[GENERATIONS, PARKED, LEASES])


_GENERATIONS: Final = select(GENERATIONS).order_by(GENERATIONS.c.view, GENERATIONS.c.generation)
_OF_VIEWS: Final = _GENERATIONS.where(GENERATIONS.c.view.in_(bindparam("views", expanding=True)))


def generations(connection: Connection, *views: str) -> list[Generation]:
    """Return the generations of the views, or of all views, oldest first; none where views were never run."""
    query = _OF_VIEWS if views else _GENERATIONS
    try:
        return [Generation(**row) for row in connection.execute(query, {"views": views}).mappings()]
    except DBAPIError as error:
        if GENERATIONS.name in str(error.orig):
            return []
        raise


def live(connection: Connection, view: str) -> Generation | None:
    """Return the generation that readers see, None before the first one is built."""
    return next((each for each in generations(connection, view) if each.status == "live"), None)


def check_definition(generation: Generation, view: type[View[Any]]) -> None:
    """Refuse rows of another definition of the view: ViewOutdatedError or NewerViewError."""
    ids = {"view": view.name, "stored": generation.version, "code": view.version}
    if generation.version > view.version:
        msg = f"view {view.name} was written by newer code (version {generation.version}, here {view.version})"
        raise NewerViewError(msg, **ids)
    if generation.version < view.version or generation.shape != view.shape():
        msg = f"view {view.name} was written by an older definition: rebuild it (gov projections rebuild {view.name})"
        raise ViewOutdatedError(msg, **ids)


def create(connection: Connection, view: type[View[Any]]) -> Generation:
    """Make the tables of a new generation, without indexes but their keys, and return it, at position 0."""
    newest = connection.scalar(select(func.max(GENERATIONS.c.generation)).where(GENERATIONS.c.view == view.name))
    number = (newest or 0) + 1
    for table in view.tables:
        connection.execute(CreateTable(table.generation(number)))
    moment = datetime.now(UTC)
    made = Generation(
        view=view.name,
        generation=number,
        status="building",
        version=view.version,
        shape=view.shape(),
        position=0,
        anchor="",
        at=None,
        paused=False,
        error=None,
        error_at=None,
        rate=None,
        created_at=moment,
        updated_at=moment,
    )
    connection.execute(insert(GENERATIONS).values(**vars(made)))
    return made


def indexes(view: type[View[Any]], number: int) -> list[Index]:
    """Return the indexes of a generation, without those of the keys."""
    return [
        index
        for table in view.tables
        for index in sorted(table.generation(number).indexes, key=lambda each: str(each.name))
    ]


def create_index(connection: Connection, index: Index, *, on_postgres: bool) -> None:
    """Make an index of a generation that is built; one that is there already stays.

    On PostgreSQL by this session alone: several indexes are made at once, and starting others to help takes longer.
    """
    if on_postgres:
        connection.execute(text("SET LOCAL max_parallel_maintenance_workers = 0"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL maintenance_work_mem = '128MB'"))
    connection.execute(CreateIndex(index, if_not_exists=True))


def gather_statistics(connection: Connection, view: type[View[Any]], number: int) -> None:
    """Let the planner of PostgreSQL know a new generation, at once."""
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    for table in view.tables:
        _gather_statistics(connection, table, number)


def _gather_statistics(connection: Connection, table: ViewTable, number: int) -> None:
    """Let the planner know a new table, with what its labels have to do with their kinds."""
    name = table.generation(number).name
    if {"kind", "value"} <= set(table.key):
        connection.exec_driver_sql(f'CREATE STATISTICS IF NOT EXISTS "st_{name}" (mcv) ON kind, value FROM "{name}"')
    connection.exec_driver_sql(f'ANALYZE "{name}"')


def advance(connection: Connection, generation: Generation, **to: Any) -> None:
    """Move a checkpoint; LostRaceError when somebody else has moved it, or dropped the generation, meanwhile."""
    moved = connection.execute(
        update(GENERATIONS)
        .where(
            GENERATIONS.c.view == generation.view,
            GENERATIONS.c.generation == generation.generation,
            GENERATIONS.c.position == generation.position,
        )
        .values(updated_at=datetime.now(UTC), error=None, error_at=None, **to),
    )
    if moved.rowcount != 1:
        msg = f"the checkpoint of view {generation.view} was moved by somebody else"
        raise LostRaceError(msg, view=generation.view)


def change(connection: Connection, key: tuple[str, int], **values: Any) -> None:
    """Set something else about a generation than its checkpoint."""
    here = (GENERATIONS.c.view == key[0]) & (GENERATIONS.c.generation == key[1])
    connection.execute(update(GENERATIONS).where(here).values(**values))


def switch(connection: Connection, to: Generation) -> None:
    """Make a generation the live one; the one before is kept."""
    same_view = GENERATIONS.c.view == to.view
    connection.execute(update(GENERATIONS).where(same_view, GENERATIONS.c.status == "live").values(status="kept"))
    change(connection, to.key, status="live")


def drop(connection: Connection, view: type[View[Any]], number: int) -> None:
    """Remove a generation with its tables."""
    for table in view.tables:
        connection.execute(DropTable(table.generation(number), if_exists=True))
    here = (GENERATIONS.c.view == view.name) & (GENERATIONS.c.generation == number)
    connection.execute(delete(GENERATIONS).where(here))
    connection.execute(delete(PARKED).where(PARKED.c.view == view.name, PARKED.c.generation == number))


def parked_positions(connection: Connection, key: tuple[str, int]) -> set[int]:
    """Return the positions that the generation leaves out."""
    query = select(PARKED.c.position).where(PARKED.c.view == key[0], PARKED.c.generation == key[1])
    return set(connection.scalars(query))


def of(found: Sequence[Generation], status: Standing) -> Generation | None:
    """Return the newest generation of that status."""
    return next((each for each in reversed(found) if each.status == status), None)
