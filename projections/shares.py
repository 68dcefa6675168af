"""A rebuild shared among processes: each reads the log once and builds some of the views."""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, Final

from governance.domain.errors import GovernanceError
from projections.database import Database
from projections.errors import ProjectionError
from projections.generations import generations
from projections.rebuild import Building, Rebuilt, Report
from projections.view import View

if TYPE_CHECKING:
    from projections.runner import Projections

LOOK_SECONDS: Final = 0.25
_PROCESSES: Final = get_context("spawn")
"""Not forked: a child must not inherit connections."""


Opener = Callable[[], "Projections"]
"""Opens the same views in another process, where their classes have to be importable."""


class Share:
    """A process that builds some of the views and ends."""

    def __init__(self, opener: Opener, names: Sequence[str]) -> None:
        self.answer, there = _PROCESSES.Pipe(duplex=False)
        self._names = tuple(names)
        self._process = _PROCESSES.Process(
            target=build, args=(opener, self._names, there, os.getpid()), name="projections-rebuild", daemon=True
        )
        self._process.start()
        there.close()

    def result(self) -> tuple[Rebuilt, ...]:
        """Return what it has built; raises what went wrong there, ProjectionError for one that was ended."""
        try:
            told = self.answer.recv()
        except EOFError:
            msg = f"the process that built {', '.join(self._names)} was ended; what it has done is taken up again"
            raise ProjectionError(msg) from None
        if isinstance(told, GovernanceError):
            raise told
        built: tuple[Rebuilt, ...] = told
        return built

    def end(self) -> None:
        """End the process, whatever it is doing: a build can be broken off anywhere."""
        self._process.terminate()
        self._process.join()
        self.answer.close()


class Watch:
    """Tells how far the builds are that other processes work on."""

    def __init__(self, database: Database, names: Sequence[str], head: int, report: Report | None) -> None:
        self._database = database
        self._names = tuple(names)
        self._head = head
        self._report = report
        self._began = time.monotonic()
        self._first: int | None = None
        self._told: int | None = None

    def look(self) -> None:
        """Report the position of the build that is furthest behind, once all have begun and whenever it has moved."""
        if self._report is None:
            return
        with self._database.read() as connection:
            places = [each.position for each in generations(connection, *self._names) if each.status == "building"]
        if len(places) < len(self._names) or min(places) == self._told:
            return
        place, seconds = min(places), time.monotonic() - self._began
        self._told = place
        self._first = place if self._first is None else min(self._first, place)
        self._report(Building(self._names, place, self._head, (place - self._first) / seconds, seconds))


def shared(views: Mapping[str, View[Any]], names: Sequence[str], jobs: int) -> list[list[str]]:
    """Return the names in as many lots as there are jobs, or fewer, with about the same work in each."""
    lots: list[list[str]] = [[] for _ in range(min(jobs, len(names)))]
    work = dict.fromkeys(range(len(lots)), 0.0)
    for name in sorted(names, key=lambda each: -views[each].weight):
        least = min(work, key=lambda each: work[each])
        lots[least].append(name)
        work[least] += views[name].weight
    return lots


def rebuild_shared(opener: Opener, lots: Sequence[Sequence[str]], look: Callable[[], None]) -> tuple[Rebuilt, ...]:
    """Build each lot in a process of its own and return all that was built, which is not live yet.

    `look` is called four times a second. After an error of one, or of `look`, all are ended.
    """
    shares: list[Share] = []
    built: list[Rebuilt] = []
    try:
        shares += (Share(opener, names) for names in lots)
        waiting: dict[Any, Share] = {share.answer: share for share in shares}
        while waiting:
            for answer in wait(list(waiting), LOOK_SECONDS):
                built += waiting.pop(answer).result()
            look()
    finally:
        for share in shares:
            share.end()
    return tuple(built)


def build(opener: Opener, names: Sequence[str], answer: "Connection[Any, Any]", parent: int) -> None:
    """Build the views and tell what came of it; ends by itself when the process that asked for it is gone."""

    def check(building: Building) -> None:
        if os.getppid() != parent:
            raise SystemExit

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    told: Any
    try:
        with opener() as projections:
            told = projections.rebuild(*names, switch=False, report=check)
    except GovernanceError as error:
        told = error
    except Exception as error:
        told = ProjectionError(f"building {', '.join(names)} failed: {type(error).__name__}: {error}")
    answer.send(told)
