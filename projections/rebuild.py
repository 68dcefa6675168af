"""Building a new generation of views beside the live one, and switching to it in one transaction."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Index

from projections.advancing import Advancer
from projections.database import Database
from projections.differences import Comparison, compare
from projections.errors import ViewBusyError, ViewNotBuiltError
from projections.feed import Feed
from projections.generations import (
    Generation,
    Standing,
    check_definition,
    create,
    create_index,
    drop,
    gather_statistics,
    generations,
    indexes,
    of,
    switch,
)
from projections.interpreter import quick_turns, without_collector
from projections.locks import WorkLock
from projections.view import View

DIFF_TRIES: Final = 20
BUILD_EVENTS: Final = 16_000
INDEXES_AT_ONCE: Final = 2
STEPS_WITHOUT_COLLECTOR: Final = 10
BUSY_EVENTS_A_SECOND: Final = 1_000.0
"""At so many appended events a second, or more, a rebuild rests for as long as it works."""
LONGEST_REST_SECONDS: Final = 1.0
SQLITE_BUILD_EVENTS: Final = 5_000


@dataclass(frozen=True)
class Building:
    """How far a build is: the lowest position, the head, and events per second so far."""

    views: tuple[str, ...]
    position: int
    head: int
    rate: float
    seconds: float

    @property
    def eta_seconds(self) -> float | None:
        """Return how long the rest takes at this rate, None before there is one."""
        return (self.head - self.position) / self.rate if self.rate else None


Report = Callable[[Building], None]


@dataclass(frozen=True)
class Rebuilt:
    """A generation that was built."""

    view: str
    generation: int
    position: int
    seconds: float
    switched: bool


class Builder:
    """Builds generations; only one builder works on a view at a time."""

    def __init__(self, database: Database, feed: Feed, views: Mapping[str, View[Any]], advancer: Advancer) -> None:
        self._database = database
        self._feed = feed
        self._views = views
        self._advancer = advancer
        self._limit = BUILD_EVENTS if database.on_postgres else SQLITE_BUILD_EVENTS

    def rebuild(self, names: Sequence[str], *, switch: bool, report: Report | None) -> tuple[Rebuilt, ...]:
        """Build a generation of each view in one pass and return them; ViewBusyError if somebody else builds one."""
        locks = [WorkLock(self._database, f"build {name}") for name in names]
        started = time.monotonic()
        try:
            for name, lock in zip(names, locks, strict=True):
                if not lock.take():
                    msg = f"somebody else is building view {name}"
                    raise ViewBusyError(msg, view=name)
            built = self._build([self._begin(name) for name in names], locks, report, started)
            if switch:
                self._switch_all(built)
        finally:
            for lock in locks:
                lock.give_back()
        seconds = time.monotonic() - started
        return tuple(Rebuilt(each.view, each.generation, each.position, seconds, switch) for each in built)

    def switch(self, *names: str) -> list[Generation]:
        """Make the generations that were built the live ones, all at once."""
        return self._make_live(names, "building")

    def rollback(self, name: str) -> Generation:
        """Make the generation that was live before the live one again, brought up to date first."""
        return self._make_live([name], "kept")[0]

    def diff(self, name: str) -> Comparison:
        """Return how the newest generation beside the live one differs from it, both at one place if possible."""
        view = type(self._views[name])
        for tries_left in reversed(range(DIFF_TRIES)):
            with self._database.snapshot() as connection:
                found = generations(connection, name)
                current, other = of(found, "live"), of(found, "building") or of(found, "kept")
                if current is None or other is None:
                    raise _nothing_beside(name)
                if current.position == other.position or not tries_left:
                    return compare(connection, view, other, current)
            if other.position < current.position:
                self._advancer.step([other], current.position, self._limit)
            else:
                time.sleep(0.1)
        raise _nothing_beside(name)

    def drop(self, name: str) -> int:
        """Remove the generations that are not live."""
        with self._database.write() as connection:
            found = [each for each in generations(connection, name) if each.status != "live"]
            for each in found:
                drop(connection, type(self._views[name]), each.generation)
        self._advancer.forget(*(each.key for each in found))
        return len(found)

    def _make_live(self, names: Sequence[str], status: Standing) -> list[Generation]:
        found = []
        for name in names:
            with self._database.read() as connection:
                one = of(generations(connection, name), status)
            if one is None:
                raise _nothing_beside(name)
            check_definition(one, type(self._views[name]))
            found.append(one)
        reached = self._reach(found, [], None, time.monotonic())
        self._switch_all(reached)
        return reached

    def _begin(self, name: str) -> Generation:
        """Return the build to take up again, or a new one in place of one that does not fit any more."""
        view = type(self._views[name])
        with self._database.write() as connection:
            begun = of(generations(connection, name), "building")
            if begun is not None:
                if (begun.version, begun.shape) == (view.version, view.shape()):
                    return begun
                drop(connection, view, begun.generation)
            return create(connection, view)

    def _build(
        self, begun: list[Generation], locks: Sequence[WorkLock], report: Report | None, started: float
    ) -> list[Generation]:
        for each in begun:
            self._feed.check(each.position, each.anchor)
        reached = self._reach(begun, locks, report, started)
        self._index(reached)
        return self._reach(reached, locks, report, started)

    def _index(self, built: Sequence[Generation]) -> None:
        """Make all indexes; on PostgreSQL two at a time, for one session leaves cores idle."""
        shapes = [(type(self._views[each.view]), each.generation) for each in built]
        at_once = INDEXES_AT_ONCE if self._database.on_postgres else 1
        with ThreadPoolExecutor(at_once, thread_name_prefix="projections-index") as pool:
            list(pool.map(self._index_one, [index for shape in shapes for index in indexes(*shape)]))
            if self._database.on_postgres:
                list(pool.map(self._gather_statistics, shapes))

    def _index_one(self, index: Index) -> None:
        with self._database.write() as connection:
            create_index(connection, index, on_postgres=self._database.on_postgres)

    def _gather_statistics(self, shape: tuple[type[View[Any]], int]) -> None:
        with self._database.write() as connection:
            gather_statistics(connection, *shape)

    def _reach(
        self, standing: list[Generation], locks: Sequence[WorkLock], report: Report | None, started: float
    ) -> list[Generation]:
        """Advance all to the head, those furthest behind first."""
        first = min(each.position for each in standing)
        head = self._feed.head()
        try:
            while min(each.position for each in standing) < head:
                with without_collector(), quick_turns():
                    for _ in range(STEPS_WITHOUT_COLLECTOR):
                        standing = self._advance(standing, head, locks)
                        self._tell(report, standing, head, min(each.position for each in standing) - first, started)
                        if min(each.position for each in standing) >= head:
                            break
            self._advancer.settle()
        finally:
            self._advancer.abandon()
        return standing

    def _advance(self, standing: list[Generation], head: int, locks: Sequence[WorkLock]) -> list[Generation]:
        """Advance those furthest behind by one step, make room for writers, and prolong the locks."""
        place = min(each.position for each in standing)
        group = [each for each in standing if each.position == place]
        others = [each for each in standing if each.position > place]
        upto = min((each.position for each in others), default=head)
        began, before = time.monotonic(), self._feed.head()
        moved = self._advancer.stream(group, upto, self._limit)
        worked = time.monotonic() - began
        time.sleep(breath(worked, self._feed.head() - before, on_postgres=self._database.on_postgres))
        for lock in locks:
            lock.take()
        return [*moved, *others]

    @staticmethod
    def _tell(report: Report | None, standing: list[Generation], head: int, done: int, started: float) -> None:
        if report is None:
            return
        seconds = time.monotonic() - started
        position = min(each.position for each in standing)
        names = tuple(each.view for each in standing)
        report(Building(names, position, head, done / seconds if seconds else 0.0, seconds))

    def _switch_all(self, built: Sequence[Generation]) -> None:
        with self._database.write() as connection:
            for each in built:
                switch(connection, each)


def breath(worked: float, appended: int, *, on_postgres: bool) -> float:
    """Return how many seconds to rest after a batch that took so many, while others appended so many events.

    The more they write, the longer, up to as long as the batch took: writers are not to notice a rebuild. On SQLite
    they wait for each batch, and so are always left some room between two.
    """
    busy = min(1.0, appended / worked / BUSY_EVENTS_A_SECOND) if worked > 0 else 0.0
    rest = min(LONGEST_REST_SECONDS, worked * busy)
    return rest if on_postgres else max(rest, min(0.05, worked / 10))


def _nothing_beside(name: str) -> ViewNotBuiltError:
    return ViewNotBuiltError(f"view {name} has no generation beside the live one", view=name)
