"""What a view is: a fold of the events of each stream into rows. A new view is one module with one such class."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Literal, TypeVar

from projections.events import REQUEST, AnyEvent
from projections.filters import Fields
from projections.tables import ViewTable, shape

S = TypeVar("S")
Row = tuple[Any, ...]


class Rows:
    """Collects rows for the tables of one view; values are in stored form, in the order of the table's columns."""

    def __init__(self, tables: tuple[ViewTable, ...]) -> None:
        self._tables = tables
        self.of: dict[str, list[Row]] = {table.name: [] for table in tables}

    def add(self, table: str, row: Row) -> None:
        """Add a row to a table of the view."""
        self.of[table].append(row)

    def mark(self) -> dict[str, int]:
        """Return how many rows there are, for `undo`."""
        return {name: len(rows) for name, rows in self.of.items()}

    def undo(self, mark: dict[str, int]) -> None:
        """Forget the rows that were added since the mark."""
        for name, count in mark.items():
            del self.of[name][count:]


class View(ABC, Generic[S]):
    """A fold of streams into rows.

    Raise `version` whenever the rows that the same events lead to would change: then old rows are never mixed with new
    ones. `remembers` says what of a stream's past the fold needs when it meets the stream again: nothing, only its
    first event, or all of it. Folding must be pure: no clock, no random, nothing from outside the events.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    category: ClassVar[str] = REQUEST
    topics: ClassVar[frozenset[str] | None] = None
    remembers: Literal["nothing", "first", "all"] = "all"
    tables: ClassVar[tuple[ViewTable, ...]]
    fields: ClassVar[Fields]
    """What queries may ask for; of the first of the tables, which has a row for each thing that is listed."""
    sorts: ClassVar[Mapping[str, tuple[str, ...]]]
    """The orders of lists: columns of the first table, of which the last makes the order unique.

    The first is the order of a list that is not asked for another; `newest_first` turns it round.
    """
    newest_first: ClassVar[bool] = True
    weight: ClassVar[float] = 1.0
    """How much of a rebuild's work the view is, beside others, when several processes share it."""

    @abstractmethod
    def begin(self, stream: str) -> S:
        """Return the state of a stream before its first event; `stream` is its id without the category."""

    @abstractmethod
    def apply(self, state: S, event: AnyEvent, rows: Rows) -> None:
        """Take an event into the state; rows of `appended` and `added` tables are added here."""

    def settle(self, state: S, rows: Rows) -> None:
        """Add all rows that the stream has now in `replaced` tables."""
        del state, rows

    def takes(self, topic: str) -> bool:
        """Return whether the view looks at events of the topic."""
        return self.topics is None or topic in self.topics

    @classmethod
    def shape(cls) -> str:
        """Return a digest of the definition of the view's tables."""
        return shape(cls.tables)
