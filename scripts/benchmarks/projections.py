"""`projections`: rebuilds beside the library's runner, catching up, pages of lists, and what writers notice of it."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from scripts.benchmarks import projections_fill, projections_lists, projections_live, projections_peer
from scripts.benchmarks.contenders import environment
from scripts.benchmarks.measure import Rate, Table
from scripts.benchmarks.projections_work import measured

EVENTS = (100_000, 300_000)
LIBRARY_EVENTS = 30_000
LIBRARY = "library's ProjectionRunner, a transaction per event"
ONE = "ours, rebuild of requests"
ALL = "ours, rebuild of all views in one pass"
TWO = "ours, rebuild of all views, two processes"
CATCH_UP = "ours, requests caught up in batches of 5,000"
ONE_SQLITE = "ours, rebuild of requests, SQLite"
ALL_SQLITE = "ours, rebuild of all views in one pass, SQLite"
REBUILDS, LISTS = "views, events a second", "views, pages of 50"
LIVE, WRITERS, GROWTH = "views, live", "views, writers", "views, rebuild of requests by size of the log"


def tables(url: str, folder: Path, seconds: float, sizes: Sequence[int], say: Callable[[str], None]) -> Iterator[Table]:
    """Yield the tables: rebuilds and writers on the smallest store, lists on the largest, and rebuilds by size."""
    stores = {size: f"{url}?schema=views_{size}" for size in sizes}
    for size, store in stores.items():
        say(f"filling in {size:,} events …")
        projections_fill.fill(store, size)
    smallest, largest = stores[min(sizes)], stores[max(sizes)]
    file = f"sqlite:///{folder / 'views.db'}"
    say(f"filling in {min(sizes):,} events on SQLite, and {LIBRARY_EVENTS:,} with the library …")
    projections_fill.fill(file, min(sizes))
    projections_peer.fill(environment(url), LIBRARY_EVENTS)
    yield rebuilds(url, smallest, file, seconds)
    yield projections_live.visible(smallest, LIVE, seconds)
    yield projections_live.slowdown(smallest, WRITERS, seconds)
    yield growth(stores)
    say(f"building all views of {max(sizes):,} events …")
    measured("rebuild", largest)
    yield projections_lists.table(largest, LISTS)


def rebuilds(url: str, store: str, file: str, seconds: float) -> Table:
    """Return the table of everything that reads the log from its beginning."""
    contenders: dict[str, Callable[[], Rate]] = {
        LIBRARY: partial(projections_peer.projected, environment(url), seconds),
        ONE: partial(measured, "rebuild", store, "requests"),
        ALL: partial(measured, "rebuild", store),
        TWO: partial(measured, "rebuild_by_two", store),
        CATCH_UP: partial(measured, "catch_up", store, "requests"),
        ONE_SQLITE: partial(measured, "rebuild", file, "requests"),
        ALL_SQLITE: partial(measured, "rebuild", file),
    }
    return Table(REBUILDS, contenders, LIBRARY)


def growth(stores: dict[int, str]) -> Table:
    """Return the table of rebuilds by size; the first contender is the smallest store."""
    contenders: dict[str, Callable[[], Rate]] = {
        f"{size:,} events": partial(measured, "rebuild", store, "requests") for size, store in sorted(stores.items())
    }
    return Table(GROWTH, contenders, next(iter(contenders)))
