"""The view `decisions`: everything that was decided about requests, by whom, when and why; one row per event."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from sqlalchemy import BigInteger, Column, Text

from governance.event_store.registry import EVENTS
from projections.about import FIELDS, UNKNOWN, about, columns
from projections.events import FACTS, AnyEvent
from projections.filters import Fields, Plain, Words
from projections.labels import folded
from projections.tables import KEY, POSITION, Key, Moment, ViewTable, stored_moment
from projections.view import Row, Rows, View

CATEGORIES: Final[dict[str, str]] = {topic: event.category for topic, event in EVENTS.items()}
DECISIONS: Final[tuple[Column[Any], ...]] = (
    Column("position", POSITION, nullable=False),
    Column("request_id", KEY, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("decided_in", KEY, nullable=False),
    Column("decision", KEY, nullable=False),
    Column("code", KEY),
    Column("at", Moment, nullable=False),
    Column("actor", KEY, nullable=False),
    Column("actor_kind", KEY, nullable=False),
    Column("actor_name", KEY),
    Column("acting_for", KEY),
    Column("requirement_id", KEY),
    Column("why", Text),
    Column("why_folded", Text),
    *columns(),
)


class Known:
    """What is known of the request that decisions are about."""

    __slots__ = ("about", "request_id")

    def __init__(self, stream: str) -> None:
        self.request_id = stream
        self.about: Row = UNKNOWN


class Decisions(View[Known]):
    """One row per event of a request."""

    name: ClassVar[str] = "decisions"
    weight: ClassVar[float] = 3.5
    remembers = "first"
    tables: ClassVar[tuple[ViewTable, ...]] = (
        ViewTable(
            "decisions",
            DECISIONS,
            key=("position",),
            written="appended",
            owner="request_id",
            indexes=(
                Key(("request_id", "position")),
                Key(("decided_in", "position")),
                Key(("decision", "position")),
                Key(("actor", "position")),
                Key(("state_id", "position")),
                Key(("at",)),
            ),
        ),
    )
    fields: ClassVar[Fields] = {
        **FIELDS,
        **{
            name: Plain(name)
            for name in (
                "decided_in", "decision", "code", "actor", "actor_kind", "actor_name", "acting_for", "requirement_id",
            )
        },
        **{name: Plain(name, "number") for name in ("position", "version")},
        "at": Plain("at", "moment"),
        "why": Words("why", "why_folded"),
    }  # fmt: skip
    sorts: ClassVar[Mapping[str, tuple[str, ...]]] = {"decided": ("position",)}

    def begin(self, stream: str) -> Known:
        """Return a request of which nothing is known."""
        return Known(stream)

    def apply(self, state: Known, event: AnyEvent, rows: Rows) -> None:
        """Add the row of the event."""
        if event.topic == "Created":
            state.about = about(event.data, event.at)
        by, why = event.by, _why(event)
        row = (
            event.position,
            state.request_id,
            event.version,
            CATEGORIES[event.topic],
            event.topic,
            _code(event),
            stored_moment(event.at),
            by.id,
            by.kind,
            by.name,
            by.on_behalf_of,
            getattr(event.data, "requirement_id", None),
            why,
            folded(why),
            *state.about,
        )
        rows.add("decisions", row)


def _why(event: AnyEvent) -> str | None:
    if event.topic == "ApprovalRejected":
        rejection = event.data.rejection
        return str(rejection.message or rejection.code)
    for name in _WORDS.get(event.topic, ()):
        found = getattr(event.data, name)
        if found:
            return str(found)
    return None


_WORDS: Final = {
    topic: tuple(name for name in ("reason", "comment", "text", "error") if hasattr(part, name))
    for topic, part in FACTS.items()
}
"""In which fields events say why."""


def _code(event: AnyEvent) -> str | None:
    code = _CODES.get(event.topic)
    return None if code is None else code(event.data)


_CODES: Final[dict[str, Callable[[Any], str]]] = {
    "VersionResolved": lambda data: data.outcome,
    "Rejected": lambda data: data.code,
    "ApprovalRejected": lambda data: data.rejection.code,
    "Compensated": lambda data: data.kind,
}
