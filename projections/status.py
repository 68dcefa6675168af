"""Where views stand: position and head, lag in events and seconds, errors, parked events, and who works on them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, func, select

from projections.database import Database
from projections.errors import ProjectionError
from projections.feed import Feed
from projections.generations import Generation, change, check_definition, generations, live
from projections.locks import holder
from projections.tables import PARKED
from projections.view import View

Health = Literal["up to date", "behind", "paused", "stuck", "outdated", "not built"]


class Standing(BaseModel):
    """One generation of a view and where it stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    generation: int
    status: str
    version: int
    position: int
    created_at: datetime
    updated_at: datetime


class Status(BaseModel):
    """Where a view stands; `lag_seconds` is the age of the oldest event that it has not taken in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    view: str
    health: Health
    position: int
    head: int
    lag_events: int
    lag_seconds: float
    events_per_second: float | None
    eta_seconds: float | None
    parked: int
    error: str | None
    error_at: datetime | None
    holder: str | None
    version: int
    generations: tuple[Standing, ...]


def statuses(database: Database, feed: Feed, views: Mapping[str, View[Any]]) -> tuple[Status, ...]:
    """Return the status of every view."""
    head = feed.head()
    with database.read() as connection:
        return tuple(_status(database, connection, feed, view, head) for view in views.values())


def note_error(database: Database, view: str, error: Exception) -> None:
    """Keep an error, verbatim, where the status finds it; a view without rows keeps none."""
    with database.write() as connection:
        generation = live(connection, view)
        if generation is not None:
            said = f"{type(error).__name__}: {error}".replace("\x00", "\N{REPLACEMENT CHARACTER}")
            change(connection, generation.key, error=said[:10_000], error_at=datetime.now(UTC))


def _status(database: Database, connection: Connection, feed: Feed, view: View[Any], head: int) -> Status:
    found = generations(connection, view.name)
    current = next((each for each in found if each.status == "live"), None)
    position = current.position if current else 0
    parked = _parked(connection, view.name, current)
    rate = current.rate if current else None
    lag = max(0, head - position)
    return Status(
        view=view.name,
        health=_health(current, type(view), head, parked),
        position=position,
        head=head,
        lag_events=lag,
        lag_seconds=_lag_seconds(feed, position, head),
        events_per_second=rate,
        eta_seconds=lag / rate if rate else None,
        parked=parked,
        error=current.error if current else None,
        error_at=current.error_at if current else None,
        holder=holder(database, connection, view.name),
        version=type(view).version,
        generations=tuple(_standing(each) for each in found),
    )


def _health(current: Generation | None, view: type[View[Any]], head: int, parked: int) -> Health:
    if current is None:
        return "not built"
    try:
        check_definition(current, view)
    except ProjectionError:
        return "outdated"
    if current.error or parked or current.position > head:
        return "stuck"
    if current.paused:
        return "paused"
    return "behind" if current.position < head else "up to date"


def _parked(connection: Connection, view: str, current: Generation | None) -> int:
    if current is None:
        return 0
    query = select(func.count()).where(
        PARKED.c.view == view, PARKED.c.generation == current.generation, PARKED.c.skipped.is_(False)
    )
    return connection.scalar(query) or 0


def _lag_seconds(feed: Feed, position: int, head: int) -> float:
    if position >= head:
        return 0.0
    since = feed.time_after(position)
    return max(0.0, (datetime.now(UTC) - since).total_seconds()) if since else 0.0


def _standing(generation: Generation) -> Standing:
    kept = {name: getattr(generation, name) for name in Standing.model_fields}
    return Standing(**kept)
