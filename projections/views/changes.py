"""The view `changes`: one row per changed path of a state; the timeline of what it was and what it became."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from sqlalchemy import BigInteger, Column, Integer

from projections.events import STATE, AnyEvent
from projections.filters import Fields, Plain
from projections.labels import label
from projections.tables import KEY, POSITION, Json, Key, Moment, ViewTable, stored_moment
from projections.view import Rows, View

CHANGES: Final[tuple[Column[Any], ...]] = (
    Column("position", POSITION, nullable=False),
    Column("number", Integer, nullable=False),
    Column("state_id", KEY, nullable=False),
    Column("state_type", KEY, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("path", KEY, nullable=False),
    Column("path_label", KEY, nullable=False),
    Column("kind", KEY, nullable=False),
    Column("old", Json),
    Column("new", Json),
    Column("request_id", KEY, nullable=False),
    Column("changed_by", KEY, nullable=False),
    Column("at", Moment, nullable=False),
)


class Changes(View[str]):
    """One row per changed path and version."""

    name: ClassVar[str] = "changes"
    category: ClassVar[str] = STATE
    topics: ClassVar[frozenset[str] | None] = frozenset({"StateChanged", "ExternalStateChanged"})
    remembers = "nothing"
    tables: ClassVar[tuple[ViewTable, ...]] = (
        ViewTable(
            "changes",
            CHANGES,
            key=("position", "number"),
            written="appended",
            owner="state_id",
            indexes=(
                Key(("state_id", "position", "number")),
                Key(("state_id", "path_label", "position", "number")),
                Key(("request_id",)),
                Key(("changed_by", "position", "number")),
                Key(("at",)),
            ),
        ),
    )
    fields: ClassVar[Fields] = {
        **{
            name: Plain(name)
            for name in ("state_id", "state_type", "path", "path_label", "kind", "request_id", "changed_by")
        },
        **{name: Plain(name, "number") for name in ("position", "number", "version")},
        "at": Plain("at", "moment"),
    }
    sorts: ClassVar[Mapping[str, tuple[str, ...]]] = {"changed": ("position", "number")}

    def begin(self, stream: str) -> str:
        """Return the id of the state, which is all that is needed."""
        return stream

    def apply(self, state: str, event: AnyEvent, rows: Rows) -> None:
        """Add a row for each changed path."""
        data = event.data
        for number, change in enumerate(data.change_set, start=1):
            row = (
                event.position,
                number,
                state,
                data.state_type,
                event.version,
                change.path,
                label(change.path),
                change.kind,
                bytes(change.old).decode(),
                bytes(change.new).decode(),
                data.request_id,
                event.by.id,
                stored_moment(event.at),
            )
            rows.add("changes", row)
