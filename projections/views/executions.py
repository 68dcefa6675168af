"""The view `executions`: one row per attempt to run a request, with what was found and what came of it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from sqlalchemy import BigInteger, Column, Float, Integer, Text

from projections.about import FIELDS, UNKNOWN, about, amended, columns
from projections.events import AnyEvent
from projections.filters import Fields, Labels, Plain
from projections.tables import KEY, POSITION, Json, Key, Moment, ViewTable, json_text, stored_moment
from projections.view import Row, Rows, View

EXECUTIONS: Final[tuple[Column[Any], ...]] = (
    Column("position", POSITION, nullable=False),
    Column("request_id", KEY, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("kind", KEY, nullable=False),
    Column("result", KEY, nullable=False),
    Column("resolution", KEY, nullable=False),
    Column("strategy", KEY, nullable=False),
    Column("expected_version", BigInteger, nullable=False),
    Column("current_version", BigInteger, nullable=False),
    Column("resulting_version", BigInteger),
    Column("drift", Integer, nullable=False),
    Column("changed_paths", Json, nullable=False),
    Column("effects", Integer, nullable=False),
    Column("why", Text),
    Column("actor", KEY, nullable=False),
    Column("at", Moment, nullable=False),
    Column("waited_seconds", Float),
    *columns(),
)
EFFECTS: Final[tuple[Column[Any], ...]] = (
    Column("position", POSITION, nullable=False),
    Column("request_id", KEY, nullable=False),
    Column("kind", KEY, nullable=False),
    Column("value", KEY, nullable=False),
)


class Attempt:
    """One attempt, from the comparison of versions on."""

    __slots__ = ("actor", "at", "effects", "number", "position", "resolved", "result", "resulting", "waited", "why")

    def __init__(self, event: AnyEvent, number: int, waited: float | None) -> None:
        self.position = event.position
        self.number = number
        self.resolved = event.data
        self.at = event.at
        self.actor = event.by.id
        self.why: str | None = event.data.reason
        self.waited = waited
        self.result = {"renewal_required": "sent back", "rejected_as_stale": "rejected"}.get(
            event.data.outcome, "resolved"
        )
        self.resulting: int | None = None
        self.effects: tuple[str, ...] = ()


class Tried:
    """All attempts to run one request."""

    __slots__ = ("about", "approved_at", "attempts", "kind", "request_id")

    def __init__(self, stream: str) -> None:
        self.request_id = stream
        self.about: Row = UNKNOWN
        self.kind = "forward"
        self.approved_at: str | None = None
        self.attempts: list[Attempt] = []


class Executions(View[Tried]):
    """One row per attempt; the contracts of its effects beside it."""

    name: ClassVar[str] = "executions"
    weight: ClassVar[float] = 1.5
    topics: ClassVar[frozenset[str] | None] = frozenset(
        {"Created", "Amended", "Approved", "VersionResolved", "Executed", "ExecutionFailed", "Rejected"},
    )
    tables: ClassVar[tuple[ViewTable, ...]] = (
        ViewTable(
            "executions",
            EXECUTIONS,
            key=("position",),
            owner="request_id",
            indexes=(
                Key(("request_id",)),
                Key(("result", "position")),
                Key(("resolution", "position")),
                Key(("state_id", "position")),
                Key(("actor", "position")),
                Key(("at",)),
            ),
        ),
        ViewTable(
            "executions_effects",
            EFFECTS,
            key=("position", "kind", "value"),
            owner="request_id",
            indexes=(Key(("request_id",)), Key(("kind", "value", "position"))),
        ),
    )
    fields: ClassVar[Fields] = {
        **FIELDS,
        **{name: Plain(name) for name in ("kind", "result", "resolution", "strategy", "actor")},
        **{
            name: Plain(name, "number")
            for name in (
                "position", "attempt", "expected_version", "current_version", "resulting_version", "drift", "effects",
                "waited_seconds",
            )
        },
        "at": Plain("at", "moment"),
        "effect": Labels("executions_effects", "effect", owner="position"),
    }  # fmt: skip
    sorts: ClassVar[Mapping[str, tuple[str, ...]]] = {"executed": ("position",)}

    def begin(self, stream: str) -> Tried:
        """Return a request that nobody has tried to run."""
        return Tried(stream)

    def apply(self, state: Tried, event: AnyEvent, rows: Rows) -> None:
        """Take one event of the request in."""
        step = _STEPS.get(event.topic)
        if step is not None:
            step(state, event)

    def settle(self, state: Tried, rows: Rows) -> None:
        """Add the rows of all attempts."""
        for attempt in state.attempts:
            rows.add("executions", _row(state, attempt))
            for contract in dict.fromkeys(attempt.effects):
                rows.add("executions_effects", (attempt.position, state.request_id, "effect", contract))


def _row(state: Tried, attempt: Attempt) -> Row:
    resolved = attempt.resolved
    return (
        attempt.position,
        state.request_id,
        attempt.number,
        state.kind,
        attempt.result,
        resolved.outcome,
        resolved.strategy,
        resolved.expected,
        resolved.current,
        attempt.resulting,
        len(resolved.drift),
        json_text(resolved.changed_paths),
        len(attempt.effects),
        attempt.why,
        attempt.actor,
        stored_moment(attempt.at),
        attempt.waited,
        *state.about,
    )


def seconds_between(earlier: str, later: str) -> float:
    """Return the seconds from one stored time to another, negative when a clock was set back."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def _created(state: Tried, event: AnyEvent) -> None:
    state.about = about(event.data, event.at)
    state.kind = event.data.compensates.kind if event.data.compensates else "forward"


def _amended(state: Tried, event: AnyEvent) -> None:
    state.about = amended(state.about, event.data)


def _approved(state: Tried, event: AnyEvent) -> None:
    state.approved_at = event.at


def _resolved(state: Tried, event: AnyEvent) -> None:
    waited = seconds_between(state.approved_at, event.at) if state.approved_at else None
    state.attempts.append(Attempt(event, len(state.attempts) + 1, waited))


def _executed(state: Tried, event: AnyEvent) -> None:
    for attempt in state.attempts[-1:]:
        attempt.result = "executed"
        attempt.resulting = event.data.version
        attempt.effects = tuple(effect.contract for effect in event.data.effects)


def _failed(state: Tried, event: AnyEvent) -> None:
    for attempt in state.attempts[-1:]:
        attempt.result = "failed"
        attempt.why = event.data.error


def _rejected(state: Tried, event: AnyEvent) -> None:
    for attempt in state.attempts[-1:]:
        if attempt.result == "resolved":
            attempt.result = "rejected"
            attempt.why = event.data.reason


_STEPS: Final[dict[str, Callable[[Tried, AnyEvent], None]]] = {
    "Created": _created,
    "Amended": _amended,
    "Approved": _approved,
    "VersionResolved": _resolved,
    "Executed": _executed,
    "ExecutionFailed": _failed,
    "Rejected": _rejected,
}
