"""Keeping views up to date: catching up once, or following the log live through every kind of trouble."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from threading import Event as Flag
from types import TracebackType
from typing import Any, Final, Self

from governance.domain.errors import ConfigurationError, GovernanceError, StoreUnavailableError
from governance.event_store.connect import open_recorder
from governance.event_store.log import EventLog, translated_errors
from governance.event_store.settings import RecorderSettings
from projections.advancing import Advancer
from projections.database import Database
from projections.differences import Comparison
from projections.errors import LostRaceError, ProjectionError, UnknownViewError, ViewBusyError
from projections.feed import Feed
from projections.generations import Generation, change, check_definition, generations, prepare
from projections.loading import by_name
from projections.locks import WorkLock
from projections.parking import ParkedEvent, Retry, parked_events, skip
from projections.rebuild import Builder, Rebuilt, Report
from projections.shares import Watch, rebuild_shared, shared
from projections.status import Status, note_error, statuses
from projections.view import View
from projections.views import VIEWS

BATCH_EVENTS: Final = 5_000
OTHERS_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 1.0


class Projections:
    """Runs the views of one store. Use one object per thread."""

    def __init__(
        self, url: str, views: Iterable[type[View[Any]]] = VIEWS, settings: RecorderSettings | None = None
    ) -> None:
        settings = settings or RecorderSettings(create_schema=False)
        found = by_name(views)
        self._opener = partial(type(self).open, url, views=tuple(found.values()), settings=settings)
        self._views: Mapping[str, View[Any]] = {name: view() for name, view in found.items()}
        self._database = Database(url, settings.database_schema)
        with translated_errors():
            self._log = EventLog(open_recorder(url, settings=settings))
        self._feed = Feed(self._log, self._database)
        self._advancer = Advancer(self._database, self._feed, self._views)
        self._locks = {name: WorkLock(self._database, name) for name in self._views}
        self._builder = Builder(self._database, self._feed, self._views, self._advancer)
        self._verified: dict[tuple[str, int], tuple[int, str]] = {}
        prepare(self._database)

    @classmethod
    def open(
        cls, url: str, *, views: Iterable[type[View[Any]]] = VIEWS, settings: RecorderSettings | None = None
    ) -> Self:
        """Return the projections of the store at the URL; ConfigurationError when there is none.

        `views` are all views to run; add your own to `VIEWS`.
        """
        return cls(url, views, settings)

    def catch_up(self, name: str | None = None, *, batch: int = BATCH_EVENTS) -> int:
        """Bring a view, or all of them, to the head that the log has now, and return the position they stand at.

        A view that was never built is built first. Raises LogMismatchError, ViewOutdatedError or NewerViewError for a
        view that cannot go on, after the others have been brought up to date.
        """
        target = self._feed.head()
        problems = self._advance_fit(name, target, batch)
        if problems:
            raise next(iter(problems.values()))
        return target

    def run(self, stop: Flag | None = None, *, name: str | None = None, poll_seconds: float = 1.0) -> None:
        """Follow the log until `stop` is set: woken by appends, looking by itself every `poll_seconds`.

        Goes on by itself after a database was away; a view that cannot go on says so in its status, others go on.
        """
        stop = stop or Flag()
        pause = 0.05
        while not stop.is_set():
            try:
                position = self._follow(name)
                self._feed.wait(position, poll_seconds)
                pause = 0.05
            except StoreUnavailableError:
                self._advancer.forget()
                stop.wait(pause)
                pause = min(LONGEST_PAUSE_SECONDS, pause * 2)
        self.release()

    def rebuild(
        self, *names: str, switch: bool = True, report: Report | None = None, jobs: int = 1
    ) -> tuple[Rebuilt, ...]:
        """Build new generations of views (all, if none is named) beside the live ones and make them the live ones.

        All views asked for are built in one pass over the log. A build that was broken off is taken up again. With
        `switch=False` the new generations stay beside the live ones. `report` is told how far it is. Up to `jobs`
        processes share the views, each with a pass of its own; on SQLite, where only one can write, one does it all.
        """
        chosen = self._known(names)
        if jobs < 1:
            msg = f"a rebuild takes at least one process, not {jobs}"
            raise ConfigurationError(msg)
        if jobs == 1 or len(chosen) == 1 or not self._database.on_postgres:
            return self._builder.rebuild(chosen, switch=switch, report=report)
        watch = Watch(self._database, chosen, self._feed.head(), report)
        built = {
            each.view: each for each in rebuild_shared(self._opener, shared(self._views, chosen, jobs), watch.look)
        }
        if switch:
            for each in self._builder.switch(*chosen):
                built[each.view] = replace(built[each.view], position=each.position, switched=True)
        return tuple(built[name] for name in chosen)

    def switch(self, name: str) -> Generation:
        """Make the generation that was built beside the live one the live one; ViewNotBuiltError if there is none."""
        return self._builder.switch(*self._names(name))[0]

    def rollback(self, name: str) -> Generation:
        """Make the generation that was live before the live one again; ViewNotBuiltError if it was dropped."""
        return self._builder.rollback(self._names(name)[0])

    def status(self) -> tuple[Status, ...]:
        """Return where every view stands, how far behind it is, who works on it, and what is wrong."""
        return statuses(self._database, self._feed, self._views)

    def pause(self, name: str) -> None:
        """Hold a view where it is until `resume`."""
        self._set_paused(name, paused=True)

    def resume(self, name: str) -> None:
        """Let a paused view go on."""
        self._set_paused(name, paused=False)

    def parked(self, name: str | None = None) -> tuple[ParkedEvent, ...]:
        """Return the events that a view, or any view, could not take in and leaves out."""
        return parked_events(self._database, None if name is None else self._names(name)[0])

    def retry(self, name: str, position: int) -> None:
        """Take a parked event into the view after all; raises what it fails with, and then it stays parked."""
        Retry(self._database, self._feed, self._views).retry(self._names(name)[0], position)
        self._advancer.forget()

    def skip(self, name: str, position: int) -> None:
        """Leave a parked event out of the view for good, so that its status is not `stuck` any more."""
        skip(self._database, self._names(name)[0], position)

    def diff(self, name: str) -> Comparison:
        """Return how the generation beside the live one differs from it; ViewNotBuiltError when there is none."""
        return self._builder.diff(self._names(name)[0])

    def drop(self, name: str) -> int:
        """Remove the generations of the view that are not live, and return how many there were."""
        return self._builder.drop(self._names(name)[0])

    def release(self) -> None:
        """Give the right to work on views to others who wait for it."""
        for lock in self._locks.values():
            lock.give_back()

    def close(self) -> None:
        """Let go of every lock and connection."""
        try:
            self.release()
        finally:
            self._advancer.close()
            self._database.close()
            self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _follow(self, name: str | None) -> int:
        target = self._feed.head()
        for view, problem in self._advance_fit(name, target, BATCH_EVENTS).items():
            note_error(self._database, view, problem)
        return target

    def _advance_fit(self, name: str | None, target: int, batch: int) -> dict[str, GovernanceError]:
        """Advance all views that fit the code and the log, and return what is wrong with the others."""
        names = self._names(name)
        self._build_missing(names)
        with self._database.read() as connection:
            found = [each for each in generations(connection, *names) if each.status == "live"]
        problems: dict[str, GovernanceError] = {}
        for each in found:
            try:
                check_definition(each, type(self._views[each.view]))
                self._check_log(each)
            except ProjectionError as error:
                problems[each.view] = error
        self._advance_all({each.view for each in found} - problems.keys(), target, batch)
        return problems

    def _build_missing(self, names: Iterable[str]) -> None:
        """Build the views that have never been built, all in one pass, or wait until somebody else has."""
        while True:
            with self._database.read() as connection:
                built = {each.view for each in generations(connection) if each.status == "live"}
            missing = [name for name in names if name not in built]
            if not missing:
                return
            try:
                self._builder.rebuild(missing, switch=True, report=None)
            except (ViewBusyError, LostRaceError):
                time.sleep(OTHERS_PAUSE_SECONDS)

    def _check_log(self, generation: Generation) -> None:
        """Refuse a log that does not hold the event at which the view stands, unless that was seen before."""
        seen = (generation.position, generation.anchor)
        if self._verified.get(generation.key) != seen:
            self._feed.check(*seen)
            self._verified[generation.key] = seen

    def _advance_all(self, names: set[str], target: int, batch: int) -> None:
        """Advance until every view has reached the target, by our work or by that of others."""
        while names:
            with self._database.read() as connection:
                behind = [
                    each
                    for each in generations(connection, *names)
                    if each.status == "live" and each.position < target and not each.paused
                ]
            ours = [each for each in behind if self._locks[each.view].take()]
            if ours:
                self._advance(ours, target, batch)
            elif behind:
                time.sleep(OTHERS_PAUSE_SECONDS)
            else:
                return

    def _advance(self, standing: list[Generation], target: int, batch: int) -> None:
        """Advance those furthest behind to where the next ones stand, all of the same place in one pass."""
        try:
            while standing:
                place = min(each.position for each in standing)
                group = [each for each in standing if each.position == place]
                others = [each for each in standing if each.position > place]
                upto = min((each.position for each in others), default=target)
                moved = self._advancer.step(group, upto, batch)
                self._verified.update({each.key: (each.position, each.anchor) for each in moved})
                standing = [each for each in (*moved, *others) if each.position < target]
                if self._lost_a_lock(standing):
                    return
        except LostRaceError:
            return

    def _lost_a_lock(self, standing: list[Generation]) -> bool:
        return not all(self._locks[each.view].take() for each in standing)

    def _set_paused(self, name: str, *, paused: bool) -> None:
        self._names(name)
        with self._database.write() as connection:
            for each in generations(connection, name):
                change(connection, each.key, paused=paused)

    def _names(self, name: str | None) -> tuple[str, ...]:
        return self._known(() if name is None else (name,))

    def _known(self, names: Iterable[str]) -> tuple[str, ...]:
        chosen = tuple(dict.fromkeys(names)) or tuple(self._views)
        for name in chosen:
            if name not in self._views:
                msg = f"there is no view {name!r} (there are: {', '.join(self._views)})"
                raise UnknownViewError(msg, view=name)
        return chosen
