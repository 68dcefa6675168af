"""Reading any view of a store: rows by filter, page by page, how many there are, and where the views stand."""

import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Self

from projections.database import Database
from projections.errors import UnknownViewError, ViewNotBuiltError, WaitTimeoutError
from projections.filters import Filter
from projections.generations import generations
from projections.loading import by_name
from projections.paging import Page
from projections.reading import EVERYTHING, Ask, Count, Found, Reader
from projections.view import View
from projections.views import VIEWS
from projections.views.requests import Requests

LOOK_AGAIN_SECONDS: Final = 0.01


class Lists:
    """Reads the views of one store; never waits for writers, never changes anything. Safe for threads."""

    def __init__(self, url: str, views: Iterable[type[View[Any]]] = VIEWS, database_schema: str = "governance") -> None:
        self._database = Database(url, database_schema)
        about = Reader(self._database, Requests)
        self._readers: Mapping[str, Reader] = {
            name: Reader(self._database, view, about) for name, view in by_name(views).items()
        }

    @classmethod
    def open(cls, url: str, *, views: Iterable[type[View[Any]]] = VIEWS, database_schema: str = "governance") -> Self:
        """Return the views of the store at the URL; ConfigurationError when there is none."""
        return cls(url, views, database_schema)

    def close(self) -> None:
        """Let go of every connection."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def rows(
        self,
        view: str,
        *,
        where: Filter = EVERYTHING,
        sort: str | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[Found]:
        """Return rows of any view, your own included, as mappings of column names.

        `sort` is one of the view's orders, `-` in front turns it round; `after` is the `next` of the page before.
        Raises InputError for what cannot be asked, ViewNotBuiltError before the view was built.
        """
        return self._reader(view).page(Ask(where, sort, limit, after))

    def count(self, view: str = "requests", *, where: Filter = EVERYTHING, exact: bool = True) -> Count:
        """Return how many rows of a view match: counted, or estimated in next to no time."""
        return self._reader(view).count(where, exact=exact)

    def position(self, view: str | None = None) -> int:
        """Return where a view stands, or the one that is furthest behind: all events up to there are in its rows."""
        names = [view] if view is not None else list(self._readers)
        for name in names:
            self._reader(name)
        with self._database.read() as connection:
            found = {each.view: each.position for each in generations(connection, *names) if each.status == "live"}
        missing = [name for name in names if name not in found]
        if missing:
            msg = f"view {missing[0]} has not been built yet: run the projections (gov projections run)"
            raise ViewNotBuiltError(msg, view=missing[0])
        return min(found.values())

    def wait_for(self, position: int, timeout: float = 5.0, *, view: str | None = None) -> int:
        """Wait until a view, or all of them, stand at the position or after it, and return where they stand.

        With the `position` of what a command returned, the next query sees what the command did. Raises
        WaitTimeoutError after `timeout` seconds.
        """
        ends = time.monotonic() + timeout
        while True:
            reached = self._position_or_none(view)
            if reached is not None and reached >= position:
                return reached
            if time.monotonic() >= ends:
                msg = f"after {timeout} s the views stand at {reached or 0}, not at {position}: do the projections run?"
                raise WaitTimeoutError(msg, position=position)
            time.sleep(LOOK_AGAIN_SECONDS)

    def _position_or_none(self, view: str | None) -> int | None:
        try:
            return self.position(view)
        except ViewNotBuiltError:
            return None

    def _reader(self, view: str) -> Reader:
        reader = self._readers.get(view)
        if reader is None:
            msg = f"there is no view {view!r} (there are: {', '.join(self._readers)})"
            raise UnknownViewError(msg, view=view)
        return reader
