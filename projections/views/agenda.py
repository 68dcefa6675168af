"""The view `agenda`: what is due when, of requests that can still run."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from sqlalchemy import Column

from projections.about import FIELDS, UNKNOWN, about, amended, columns
from projections.events import AnyEvent
from projections.filters import Fields, Plain
from projections.progress import Progress
from projections.tables import KEY, POSITION, Key, Moment, ViewTable, stored_moment
from projections.view import Row, Rows, View

AGENDA: Final[tuple[Column[Any], ...]] = (
    Column("request_id", KEY, nullable=False),
    Column("due", KEY, nullable=False),
    Column("item", KEY, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("created_position", POSITION, nullable=False),
    *columns(),
)


class Expected:
    """What one request waits for."""

    __slots__ = ("about", "approved_at", "created_position", "expires_at", "progress", "request_id", "review_until")

    def __init__(self, stream: str) -> None:
        self.request_id = stream
        self.progress = Progress()
        self.about: Row = UNKNOWN
        self.created_position = 0
        self.expires_at: str | None = None
        self.approved_at: str | None = None
        self.review_until: str | None = None


class Agenda(View[Expected]):
    """One row per thing that time brings about: deadlines and reviews, and what is ready to run since when."""

    name: ClassVar[str] = "agenda"
    newest_first: ClassVar[bool] = False
    tables: ClassVar[tuple[ViewTable, ...]] = (
        ViewTable(
            "agenda",
            AGENDA,
            key=("request_id", "due", "item"),
            owner="request_id",
            indexes=(
                Key(("due_at", "request_id", "due", "item")),
                Key(("due", "due_at", "request_id", "item")),
                Key(("state_id", "due_at")),
            ),
        ),
    )
    fields: ClassVar[Fields] = {
        **FIELDS,
        **{name: Plain(name) for name in ("due", "item")},
        "due_at": Plain("due_at", "moment"),
    }
    sorts: ClassVar[Mapping[str, tuple[str, ...]]] = {"due": ("due_at", "request_id", "due", "item")}

    def begin(self, stream: str) -> Expected:
        """Return a request that waits for nothing."""
        return Expected(stream)

    def apply(self, state: Expected, event: AnyEvent, rows: Rows) -> None:
        """Take one event of the request in."""
        state.progress.apply(event)
        if event.topic == "Created":
            state.about = about(event.data, event.at)
            state.created_position = event.position
            state.expires_at = event.data.expires_at
        elif event.topic == "Amended":
            state.about = amended(state.about, event.data)
        elif event.topic == "Approved":
            state.approved_at = event.at
        elif event.topic == "GlassBroken":
            state.review_until = event.data.review_until
        elif event.topic == "Reviewed":
            state.review_until = None

    def settle(self, state: Expected, rows: Rows) -> None:
        """Add what is due now or later; for a request that has ended, at most the review of broken glass."""
        for due, item, at in _due(state):
            rows.add("agenda", (state.request_id, due, item, at, state.created_position, *state.about))


def _due(state: Expected) -> Iterator[tuple[str, str, str | None]]:
    status = state.progress.status
    if state.review_until is not None:
        yield "review", "", stored_moment(state.review_until)
    if status not in {"pending", "approved"}:
        return
    if state.expires_at is not None:
        yield "request-deadline", "", stored_moment(state.expires_at)
    if status == "approved" and state.approved_at is not None:
        yield "execution", "", stored_moment(state.approved_at)
    for opened in state.progress.open():
        if opened.earliest is not None:
            yield opened.kind, opened.id, stored_moment(opened.earliest)
        if opened.expires_at is not None:
            yield f"{opened.kind}-deadline", opened.id, stored_moment(opened.expires_at)
