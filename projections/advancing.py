"""One step: a page of the log folded into every view that stands at the same place, stored in one transaction."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from projections.database import Database
from projections.errors import RowsRefusedError
from projections.events import Decodings, Stored
from projections.feed import Feed, anchor
from projections.fold import Batch, Folder
from projections.generations import Generation, advance, parked_positions
from projections.interpreter import without_collector
from projections.read_ahead import ReadAhead
from projections.view import View
from projections.writing import write_batch

Key = tuple[str, int]


class Folded(NamedTuple):
    """What a page leads to in a group of generations, and where they stand when that is stored."""

    group: Sequence[Generation]
    page: Sequence[Stored]
    batches: Sequence[Batch]
    to: dict[str, Any]

    @property
    def standing(self) -> list[Generation]:
        """Return the generations as they are then."""
        return [replace(each, **self.to) for each in self.group]


class Advancer:
    """Moves generations forward; keeps what it knows of streams between steps."""

    def __init__(self, database: Database, feed: Feed, views: Mapping[str, View[Any]]) -> None:
        self._database = database
        self._feed = feed
        self._views = views
        self._ahead = ReadAhead(feed)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="projections-behind")
        self._storing: tuple[Future[None], Folded] | None = None
        self._folders: dict[Key, Folder] = {}

    def close(self) -> None:
        """End what reads ahead and what stores behind."""
        self._ahead.close()
        self._writer.shutdown(wait=True)

    def forget(self, *keys: Key) -> None:
        """Drop what is kept of the generations, or of all: after an error, or when parked events changed."""
        for key in keys or tuple(self._folders):
            self._folders.pop(key, None)

    def step(self, group: Sequence[Generation], upto: int, limit: int) -> list[Generation]:
        """Take up to `limit` events after the position at which all of the group stand; return where they stand then.

        Raises LostRaceError and StoreUnavailableError with nothing stored.
        """
        with without_collector():
            page = self._feed.page(group[0].position, upto, limit)
            return self._stored(self._fold(group, page)) if page else list(group)

    def stream(self, group: Sequence[Generation], upto: int, limit: int) -> list[Generation]:
        """Do as `step` does, but read the page after this one meanwhile, and store this one while the next is folded.

        What is returned holds when `settle` has returned. Raises what went wrong with the page before, too; after an
        error `abandon` has to follow. On SQLite, where threads would meet at every row, it is stored at once.
        """
        page = self._ahead.page(group[0].position, upto, limit)
        if not page:
            return list(group)
        if len(page) == limit:
            self._ahead.read(page[-1][0], upto, limit)
        folded = self._fold(group, page)
        if not self._database.on_postgres:
            return self._stored(folded)
        if not self.settle():
            folded = self._fold(group, page)
        self._storing = (self._writer.submit(self._store, folded), folded)
        return folded.standing

    def settle(self) -> bool:
        """Wait until all is stored; return whether that was what was folded, and not less because events were parked.

        In the second case nothing is kept of streams, for what was folded behind it counts on what was not stored.
        Raises what went wrong.
        """
        if self._storing is None:
            return True
        stored, folded = self._storing
        wait([stored])
        self._storing = None
        try:
            stored.result()
        except RowsRefusedError as error:
            self.forget()
            end, standing = folded.page[-1][0], self._narrow_down(folded, error)
            while standing[0].position < end:
                standing = self.step(standing, end, len(folded.page))
            return False
        except BaseException:
            self.forget()
            raise
        return True

    def abandon(self) -> None:
        """Wait for what is being stored, whatever comes of it; nothing is kept of streams then."""
        if self._storing is not None:
            wait([self._storing[0]])
            self._storing = None
            self.forget()

    def _fold(self, group: Sequence[Generation], page: Sequence[Stored]) -> Folded:
        began = time.monotonic()
        try:
            events = Decodings(page, {self._views[each.view].category for each in group})
            batches = [self._folder(each).fold(events, each.position) for each in group]
        except BaseException:
            self._forget(group)
            raise
        at = datetime.fromisoformat(events.last.at) if events.last else None
        rate = len(page) / max(time.monotonic() - began, 1e-6)
        last = page[-1]
        return Folded(group, page, batches, {"position": last[0], "anchor": anchor(last), "at": at, "rate": rate})

    def _stored(self, folded: Folded) -> list[Generation]:
        try:
            self._store(folded)
        except RowsRefusedError as error:
            return self._narrow_down(folded, error)
        except BaseException:
            self._forget(folded.group)
            raise
        return folded.standing

    def _narrow_down(self, folded: Folded, error: RowsRefusedError) -> list[Generation]:
        """Find the one event and the one view that the database refused, and park it there."""
        group, page = folded.group, folded.page
        self._forget(group)
        if len(page) > 1:
            half = page[: len(page) // 2]
            return self.step(group, half[-1][0], len(half))
        if len(group) > 1:
            return [moved for each in group for moved in self.step([each], page[0][0], 1)]
        without = folded._replace(batches=[self._folder(group[0]).fold_without(page[0], error)])
        self._store(without)
        return without.standing

    def _store(self, folded: Folded) -> None:
        with self._database.write() as connection:
            for generation, batch in zip(folded.group, folded.batches, strict=True):
                view = self._views[generation.view]
                write_batch(self._database, connection, view, generation.generation, batch)
                advance(connection, generation, **folded.to)

    def _folder(self, generation: Generation) -> Folder:
        folder = self._folders.get(generation.key)
        if folder is None:
            with self._database.read() as connection:
                parked = parked_positions(connection, generation.key)
            folder = self._folders[generation.key] = Folder(self._views[generation.view], self._feed, parked)
        return folder

    def _forget(self, group: Sequence[Generation]) -> None:
        self.forget(*(each.key for each in group))
