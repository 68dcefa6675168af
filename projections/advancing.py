"""One step: a page of the log folded into every view that stands at the same place, stored in one transaction."""

import gc
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from projections.database import Database
from projections.errors import RowsRefusedError
from projections.events import AnyEvent, Decodings, Stored
from projections.feed import Feed, anchor
from projections.fold import Batch, Folder
from projections.generations import Generation, advance, parked_positions
from projections.read_ahead import ReadAhead
from projections.view import View
from projections.writing import write_batch

Key = tuple[str, int]


class Taken(NamedTuple):
    """A page that was taken in: its events, the last one that could be read, and when work on it began."""

    page: Sequence[Stored]
    last: AnyEvent | None
    began: float


class Advancer:
    """Moves generations forward; keeps what it knows of streams between steps."""

    def __init__(self, database: Database, feed: Feed, views: Mapping[str, View[Any]]) -> None:
        self._database = database
        self._feed = feed
        self._views = views
        self._ahead = ReadAhead(feed)
        self._folders: dict[Key, Folder] = {}

    def close(self) -> None:
        """End what reads ahead."""
        self._ahead.close()

    def forget(self, *keys: Key) -> None:
        """Drop what is kept of the generations, or of all: after an error, or when parked events changed."""
        for key in keys or tuple(self._folders):
            self._folders.pop(key, None)

    def step(self, group: Sequence[Generation], upto: int, limit: int, *, ahead: bool = False) -> list[Generation]:
        """Take up to `limit` events after the position at which all of the group stand; return where they stand then.

        With `ahead` the page after this one is read meanwhile. Raises LostRaceError and StoreUnavailableError with
        nothing stored.
        """
        began = time.monotonic()
        page = self._ahead.page(group[0].position, upto, limit)
        if ahead and len(page) == limit:
            self._ahead.read(page[-1][0], upto, limit)
        if not page:
            return list(group)
        try:
            with _without_collector():
                events = Decodings(page, {self._views[each.view].category for each in group})
                batches = [self._folder(each).fold(events, each.position) for each in group]
                return self._store(group, batches, Taken(page, events.last, began))
        except RowsRefusedError as error:
            self.forget(*(each.key for each in group))
            return self._narrow_down(group, page, error)
        except BaseException:
            self.forget(*(each.key for each in group))
            raise

    def _narrow_down(
        self, group: Sequence[Generation], page: Sequence[Stored], error: RowsRefusedError
    ) -> list[Generation]:
        """Find the one event and the one view that the database refused, and park it there."""
        if len(page) > 1:
            half = page[: len(page) // 2]
            return self.step(group, half[-1][0], len(half))
        if len(group) > 1:
            return [moved for each in group for moved in self.step([each], page[0][0], 1)]
        batch = self._folder(group[0]).fold_without(page[0], error)
        return self._store(group, [batch], Taken(page, None, time.monotonic()))

    def _store(self, group: Sequence[Generation], batches: Sequence[Batch], taken: "Taken") -> list[Generation]:
        last = taken.page[-1]
        at = datetime.fromisoformat(taken.last.at) if taken.last else None
        rate = len(taken.page) / max(time.monotonic() - taken.began, 1e-6)
        to: dict[str, Any] = {"position": last[0], "anchor": anchor(last), "at": at, "rate": rate}
        with self._database.write() as connection:
            for generation, batch in zip(group, batches, strict=True):
                view = self._views[generation.view]
                write_batch(self._database, connection, view, generation.generation, batch)
                advance(connection, generation, **to)
        return [replace(each, **to) for each in group]

    def _folder(self, generation: Generation) -> Folder:
        folder = self._folders.get(generation.key)
        if folder is None:
            with self._database.read() as connection:
                parked = parked_positions(connection, generation.key)
            folder = self._folders[generation.key] = Folder(self._views[generation.view], self._feed, parked)
        return folder


@contextmanager
def _without_collector() -> Iterator[None]:
    """Hold the cycle collector back: a batch makes many objects, none of them in cycles."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
