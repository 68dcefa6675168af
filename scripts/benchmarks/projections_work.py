"""Work on views in a process of its own: `python -m scripts.benchmarks.projections_work WHAT URL [VIEW]…`.

`rebuild` and `catch_up` print what they did as JSON; `run` and `busy` go on until they are ended.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter

from sqlalchemy import delete, update

from projections import Projections
from projections.database import Database
from projections.generations import generations
from projections.tables import GENERATIONS
from projections.views import VIEWS
from scripts.benchmarks.measure import Rate


def measured(what: str, url: str, *views: str) -> Rate:
    """Return the events a second, and the memory that the process had at its peak."""
    done = subprocess.run(_words(what, url, views), stdout=subprocess.PIPE, check=True)
    return Rate(**json.loads(done.stdout))


@contextmanager
def running(what: str, url: str, *views: str) -> Iterator[None]:
    """Have it done in another process for as long as the context lasts."""
    with subprocess.Popen(_words(what, url, views), stdout=subprocess.PIPE) as process:
        try:
            if process.stdout is not None:
                process.stdout.readline()
            yield
        finally:
            process.kill()


def _words(what: str, url: str, views: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "scripts.benchmarks.projections_work", what, url, *views]


def rebuild(projections: Projections, url: str, views: tuple[str, ...]) -> int:
    """Build the views, make them live, and return how many events that took."""
    head = projections.rebuild(*views)[0].position
    for each in projections.status():
        projections.drop(each.view)
    return head


def rebuild_by_two(projections: Projections, url: str, views: tuple[str, ...]) -> int:
    """Do what `rebuild` does, with two processes that share the views."""
    head = projections.rebuild(*views, jobs=2)[0].position
    for each in projections.status():
        projections.drop(each.view)
    return head


def catch_up(projections: Projections, url: str, views: tuple[str, ...]) -> int:
    """Take in the whole log as if all of it were new, with all indexes in place, in batches."""
    return projections.catch_up(views[0])


def run(projections: Projections, url: str, views: tuple[str, ...]) -> int:
    """Bring all views up to date, say so, and follow the log."""
    projections.catch_up()
    print("ready", flush=True)
    projections.run()
    return 0


def busy(projections: Projections, url: str, views: tuple[str, ...]) -> int:
    """Rebuild all views, over and over."""
    print("ready", flush=True)
    while True:
        rebuild(projections, url, views)


def forget(url: str, name: str) -> None:
    """Put the live generation of a view back to the beginning of the log."""
    database = Database(url)
    view = next(each for each in VIEWS if each.name == name)
    with database.write() as connection:
        live = next(each for each in generations(connection, name) if each.status == "live")
        for table in view.tables:
            connection.execute(delete(table.generation(live.generation)))
        mine = (GENERATIONS.c.view == name) & (GENERATIONS.c.status == "live")
        connection.execute(update(GENERATIONS).where(mine).values(position=0, anchor=""))
    database.close()


WORK: Mapping[str, Callable[[Projections, str, tuple[str, ...]], int]] = {
    "rebuild": rebuild,
    "rebuild_by_two": rebuild_by_two,
    "catch_up": catch_up,
    "run": run,
    "busy": busy,
}


def main() -> None:
    """Do the work and print how fast it was."""
    what, url, *views = sys.argv[1:]
    if what == "catch_up":
        forget(url, views[0])
    with Projections.open(url) as projections:
        began = perf_counter()
        events = WORK[what](projections, url, tuple(views))
        seconds = perf_counter() - began
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    print(json.dumps({"per_second": events / seconds, "peak_mb": peak}))


if __name__ == "__main__":
    main()
