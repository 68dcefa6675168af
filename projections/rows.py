"""The rows that queries answer with."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self

from projections.vocabulary import DECISION_BITS


@dataclass(frozen=True, kw_only=True)
class Found:
    """A row of a view."""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Return the row with the columns that it is named for."""
        return cls(**{field.name: row[field.name] for field in fields(cls)})


@dataclass(frozen=True, kw_only=True)
class RequestRow(Found):
    """A mutation request as it stands."""

    request_id: str
    state_id: str
    state_type: str
    mutation_type: str
    mutation_version: int
    status: str
    pending_reasons: tuple[str, ...]
    requester: str
    requester_kind: str
    requester_name: str | None
    on_behalf_of: str | None
    category: str | None
    description: str | None
    risk: str | None
    scope: str | None
    blast_count: int | None
    tags: tuple[str, ...]
    reason: str
    stale: str
    round: int
    evaluated_version: int
    resulting_version: int | None
    attempts: int
    effects: int
    end_code: str | None
    ended_because: str | None
    correlation_id: str | None
    idempotency_key: str | None
    supersedes: str | None
    superseded_by: str | None
    compensates: str | None
    compensation_kind: str | None
    compensation_trigger: str | None
    compensated_by: str | None
    decisions: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    decided_at: datetime | None
    approved_at: datetime | None
    executed_at: datetime | None
    ended_at: datetime | None
    expires_at: datetime | None
    version: int
    position: int

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Return the row; `decisions` names what kinds of event it has seen."""
        seen = tuple(name for name, bit in DECISION_BITS.items() if row["decisions"] & bit)
        lists = {name: tuple(row[name]) for name in ("pending_reasons", "tags")}
        return super().of({**row, **lists, "decisions": seen})
