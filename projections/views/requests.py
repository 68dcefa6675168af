"""The view `requests`: one row per mutation request, as it stands now."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from sqlalchemy import BigInteger, Boolean, Column, Integer, Text

from projections.events import AnyEvent
from projections.filters import Bits, Fields, Labels, Plain, Words
from projections.request_state import Request, labels, row
from projections.tables import KEY, POSITION, Json, Key, Moment, Ranked, ViewTable
from projections.view import Rows, View
from projections.vocabulary import DECISION_BITS, RISKS, SCOPES

COLUMNS: Final[tuple[Column[Any], ...]] = (
    Column("request_id", KEY, nullable=False),
    Column("created_position", POSITION, nullable=False),
    Column("position", POSITION, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("state_id", KEY, nullable=False),
    Column("state_type", KEY, nullable=False),
    Column("mutation_type", KEY, nullable=False),
    Column("mutation_version", BigInteger, nullable=False),
    Column("status", KEY, nullable=False),
    Column("pending_reasons", Json, nullable=False),
    Column("requester", KEY, nullable=False),
    Column("requester_kind", KEY, nullable=False),
    Column("requester_name", KEY),
    Column("on_behalf_of", KEY),
    Column("category", KEY),
    Column("description", Text),
    Column("risk", Ranked(RISKS)),
    Column("scope", Ranked(SCOPES)),
    Column("blast_count", BigInteger),
    Column("tags", Json, nullable=False),
    Column("reason", Text, nullable=False),
    Column("reason_folded", Text),
    Column("stale", KEY, nullable=False),
    Column("round", Integer, nullable=False),
    Column("evaluated_version", BigInteger, nullable=False),
    Column("resulting_version", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("effects", Integer, nullable=False),
    Column("end_code", KEY),
    Column("ended_because", Text),
    Column("correlation_id", KEY),
    Column("idempotency_key", KEY),
    Column("supersedes", KEY),
    Column("superseded_by", KEY),
    Column("compensates", KEY),
    Column("compensation_kind", KEY),
    Column("compensation_trigger", KEY),
    Column("compensated_by", KEY),
    Column("glass_broken_by", KEY),
    Column("review_until", Moment),
    Column("reviewed_by", KEY),
    Column("justified", Boolean),
    Column("decisions", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("decided_at", Moment),
    Column("approved_at", Moment),
    Column("executed_at", Moment),
    Column("ended_at", Moment),
    Column("expires_at", Moment),
)
LABELS: Final[tuple[Column[Any], ...]] = (
    Column("request_id", KEY, nullable=False),
    Column("kind", KEY, nullable=False),
    Column("value", KEY, nullable=False),
    Column("created_position", POSITION, nullable=False),
)


class Requests(View[Request]):
    """One row per request; its labels (tags, open requirements, metadata, effects) in a table beside it."""

    name: ClassVar[str] = "requests"
    weight: ClassVar[float] = 3.0
    tables: ClassVar[tuple[ViewTable, ...]] = (
        ViewTable(
            "requests",
            COLUMNS,
            key=("request_id",),
            owner="request_id",
            indexes=(
                Key(("created_position",), unique=True),
                Key(("position",), unique=True),
                Key(("status", "created_position")),
                Key(("status", "position")),
                Key(("state_id", "created_position")),
                Key(("mutation_type", "created_position")),
                Key(("requester", "created_position")),
                Key(("category", "created_position")),
                Key(("risk", "created_position")),
                Key(("created_at",)),
                Key(("updated_at",)),
                Key(("correlation_id",)),
                Key(("executed_at",)),
                Key(("expires_at", "created_position")),
            ),
        ),
        ViewTable(
            "requests_labels",
            LABELS,
            key=("request_id", "kind", "value"),
            owner="request_id",
            indexes=(Key(("kind", "value", "created_position")),),
        ),
    )
    fields: ClassVar[Fields] = {
        **{
            name: Plain(name)
            for name in (
                "request_id", "state_id", "state_type", "mutation_type", "status", "requester", "requester_kind",
                "requester_name", "on_behalf_of", "category", "stale", "end_code", "correlation_id",
                "idempotency_key", "supersedes", "superseded_by", "compensates", "compensation_kind",
                "compensation_trigger", "compensated_by", "glass_broken_by", "reviewed_by",
            )
        },
        **{
            name: Plain(name, "number")
            for name in (
                "version", "position", "created_position", "mutation_version", "blast_count", "round",
                "evaluated_version", "resulting_version", "attempts", "effects",
            )
        },
        **{
            name: Plain(name, "moment")
            for name in (
                "created_at", "updated_at", "decided_at", "approved_at", "executed_at", "ended_at", "expires_at",
                "review_until",
            )
        },
        "risk": Plain("risk", ranked=RISKS),
        "scope": Plain("scope", ranked=SCOPES),
        "justified": Plain("justified", "flag"),
        "reason": Words("reason", "reason_folded"),
        "tag": Labels("requests_labels", "tag"),
        "pending_reason": Labels("requests_labels", "pending"),
        "awaits": Labels("requests_labels", "awaits"),
        "metadata": Labels("requests_labels", "metadata"),
        "intent": Labels("requests_labels", "intent"),
        "effect": Labels("requests_labels", "effect"),
        "decision": Bits("decisions", DECISION_BITS),
    }  # fmt: skip

    sorts: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "created": ("created_position",),
        "updated": ("position",),
        "risk": ("risk", "created_position"),
        "expires": ("expires_at", "created_position"),
    }

    def begin(self, stream: str) -> Request:
        """Return a request before its first event."""
        return Request(stream)

    def apply(self, state: Request, event: AnyEvent, rows: Rows) -> None:
        """Take one event of the request in."""
        state.apply(event)

    def settle(self, state: Request, rows: Rows) -> None:
        """Add the row of the request and its labels."""
        if state.created is None:
            return
        rows.add("requests", row(state))
        for kind, value in dict.fromkeys(labels(state)):
            rows.add("requests_labels", (state.id, kind, value, state.created_position))
