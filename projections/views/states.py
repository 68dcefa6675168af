"""The view `states`: one row per governed state, as its latest version has left it."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from sqlalchemy import BigInteger, Column, Integer

from projections.events import STATE, AnyEvent
from projections.filters import Fields, Plain
from projections.tables import KEY, POSITION, Key, Moment, ViewTable, stored_moment
from projections.view import Row, Rows, View

STATES: Final[tuple[Column[Any], ...]] = (
    Column("state_id", KEY, nullable=False),
    Column("position", POSITION, nullable=False),
    Column("state_type", KEY, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("digest", KEY, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("changed_by", KEY, nullable=False),
    Column("changed_paths", Integer, nullable=False),
    Column("request_id", KEY, nullable=False),
)


class Latest:
    """The row of the latest version."""

    __slots__ = ("row", "state_id")

    def __init__(self, stream: str) -> None:
        self.state_id = stream
        self.row: Row | None = None


class States(View[Latest]):
    """One row per state."""

    name: ClassVar[str] = "states"
    weight: ClassVar[float] = 0.5
    category: ClassVar[str] = STATE
    topics: ClassVar[frozenset[str] | None] = frozenset({"StateChanged", "ExternalStateChanged"})
    remembers = "nothing"
    tables: ClassVar[tuple[ViewTable, ...]] = (
        ViewTable(
            "states",
            STATES,
            key=("state_id",),
            owner="state_id",
            indexes=(
                Key(("position",), unique=True),
                Key(("state_type", "state_id")),
                Key(("changed_at",)),
                Key(("changed_by", "position")),
            ),
        ),
    )
    fields: ClassVar[Fields] = {
        **{name: Plain(name) for name in ("state_id", "state_type", "digest", "changed_by", "request_id")},
        **{name: Plain(name, "number") for name in ("version", "position", "changed_paths")},
        "changed_at": Plain("changed_at", "moment"),
    }
    sorts: ClassVar[Mapping[str, tuple[str, ...]]] = {"changed": ("position",), "id": ("state_id",)}

    def begin(self, stream: str) -> Latest:
        """Return a state of which no version was seen."""
        return Latest(stream)

    def apply(self, state: Latest, event: AnyEvent, rows: Rows) -> None:
        """Take a new version in."""
        data = event.data
        state.row = (
            state.state_id,
            event.position,
            data.state_type,
            event.version,
            data.digest,
            stored_moment(event.at),
            event.by.id,
            len(data.change_set),
            data.request_id,
        )

    def settle(self, state: Latest, rows: Rows) -> None:
        """Add the row of the latest version."""
        if state.row is not None:
            rows.add("states", state.row)
