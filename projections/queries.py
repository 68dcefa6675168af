"""What is asked of views: lists by filter, page by page, and where the views stand."""

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

from governance.domain.errors import InputError
from projections.database import Database
from projections.errors import UnknownViewError, ViewNotBuiltError, WaitTimeoutError
from projections.filters import AllOf, Between, Contains, Filter, Has, IsIn
from projections.generations import generations
from projections.paging import Page
from projections.reading import EVERYTHING, Ask, Count, Found, Reader
from projections.rows import RequestRow
from projections.view import View
from projections.views import VIEWS

LOOK_AGAIN_SECONDS: Final = 0.01
Some = str | Iterable[str] | None


class Views:
    """Reads the views of one store; never waits for writers, never changes anything."""

    def __init__(self, url: str, views: Iterable[type[View[Any]]] = VIEWS, database_schema: str = "governance") -> None:
        self._database = Database(url, database_schema)
        self._readers: Mapping[str, Reader] = {view.name: Reader(self._database, view) for view in views}

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

    def requests(
        self,
        *,
        status: Some = None,
        pending_reason: Some = None,
        request_id: Some = None,
        state_id: Some = None,
        mutation_type: Some = None,
        requester: Some = None,
        category: Some = None,
        risk: Some = None,
        tags_any: Some = None,
        tags_all: Some = None,
        correlation_id: Some = None,
        text: str | None = None,
        created_from: datetime | None = None,
        created_to: datetime | None = None,
        updated_from: datetime | None = None,
        updated_to: datetime | None = None,
        where: Filter = EVERYTHING,
        sort: str = "-created",
        limit: int = 50,
        after: str | None = None,
    ) -> Page[RequestRow]:
        """Return requests, newest first unless sorted otherwise; all filters given must hold.

        Raises InputError for what cannot be asked, ViewNotBuiltError before the view was built.
        """
        filters = (
            *_equal(
                status=status,
                pending_reason=pending_reason,
                request_id=request_id,
                state_id=state_id,
                mutation_type=mutation_type,
                requester=requester,
                category=category,
                risk=risk,
                tag=tags_any,
                correlation_id=correlation_id,
            ),
            *_all_tags(tags_all),
            *_between("created_at", created_from, created_to),
            *_between("updated_at", updated_from, updated_to),
            *_containing("reason", text),
            where,
        )
        page = self.rows("requests", where=AllOf(parts=filters), sort=sort, limit=limit, after=after)
        return Page(tuple(RequestRow.of(row) for row in page.items), page.next, page.position)

    def rows(
        self,
        view: str,
        *,
        where: Filter = EVERYTHING,
        sort: str = "-created",
        limit: int = 50,
        after: str | None = None,
    ) -> Page[Found]:
        """Return rows of any view, your own included, as mappings of column names."""
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


def _equal(**fields: Some) -> list[Filter]:
    """Return a filter for each field that is asked for one value or several."""
    return [IsIn(field=name, values=_several(values)) for name, values in fields.items() if values is not None]


def _all_tags(values: Some) -> list[Filter]:
    return [] if values is None else [Has(field="tag", values=_several(values), every=True)]


def _between(name: str, low: datetime | None, high: datetime | None) -> list[Filter]:
    for end in (low, high):
        if end is not None and end.tzinfo is None:
            msg = f"{name}: a time needs a time zone"
            raise InputError(msg, field=name)
    return [] if low is None and high is None else [Between(field=name, low=low, high=high)]


def _containing(name: str, text: str | None) -> list[Filter]:
    return [] if text is None else [Contains(field=name, text=text)]


def _several(values: str | Iterable[str]) -> tuple[str, ...]:
    return (str(values),) if isinstance(values, str) else tuple(str(value) for value in values)
