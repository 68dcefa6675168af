"""The rows that queries answer with."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar, Final, Self

from projections.vocabulary import DECISION_BITS


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a view."""

    _lists: ClassVar[tuple[str, ...]] = ()
    """Columns that hold a list, which is a tuple here."""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Return the row with the columns that it is named for."""
        values = {name: row[name] for name in _names(cls.__name__, cls)}
        for name in cls._lists:
            values[name] = tuple(values[name])
        made = object.__new__(cls)
        made.__dict__.update(values)  # at once: what `__init__` does is most of the time that a page takes
        return made


_KNOWN: Final[dict[str, tuple[str, ...]]] = {}


def _names(name: str, kind: type[Row]) -> tuple[str, ...]:
    known = _KNOWN.get(name)
    if known is None:
        known = _KNOWN[name] = tuple(field.name for field in fields(kind))
    return known


@lru_cache(maxsize=4096)
def _decisions(bits: int) -> tuple[str, ...]:
    return tuple(name for name, bit in DECISION_BITS.items() if bits & bit)


@dataclass(frozen=True, kw_only=True)
class RequestRow(Row):
    """A mutation request as it stands."""

    _lists = ("pending_reasons", "tags")

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
    glass_broken_by: str | None
    review_until: datetime | None
    reviewed_by: str | None
    justified: bool | None
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
        return super().of({**row, "decisions": _decisions(row["decisions"])})


@dataclass(frozen=True, kw_only=True)
class AboutRequest(Row):
    """What a row says of the request that it is about; None where the request's first event could not be read."""

    request_id: str
    state_id: str | None
    state_type: str | None
    mutation_type: str | None
    requester: str | None
    on_behalf_of: str | None
    category: str | None
    risk: str | None
    created_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class ApprovalRow(AboutRequest):
    """An approval requirement; `actionable` while it is open and its step's turn has come.

    `approvers` are `actor:ada`, `role:lead` or `group:ops`; `decide_before` is the earlier of the requirement's
    deadline and the request's own. `reversibility` says until when and how the mutation can be put right, if it does.
    """

    _lists = ("approvers", "granted_by", "rejected_by")

    requirement_id: str
    round: int
    name: str | None
    step: int
    quorum: int
    missing: int
    veto: bool
    status: str
    actionable: bool
    request_status: str
    approvers: tuple[str, ...]
    granted_by: tuple[str, ...]
    rejected_by: tuple[str, ...]
    opened_at: datetime
    settled_at: datetime | None
    expires_at: datetime | None
    decide_before: datetime | None
    reason: str | None
    reversibility: str | None


@dataclass(frozen=True, kw_only=True)
class DecisionRow(AboutRequest):
    """Something that was decided; `decided_in` is the category, `decision` the kind of event."""

    position: int
    version: int
    decided_in: str
    decision: str
    code: str | None
    at: datetime
    actor: str
    actor_kind: str
    actor_name: str | None
    acting_for: str | None
    requirement_id: str | None
    why: str | None


@dataclass(frozen=True, kw_only=True)
class StateRow(Row):
    """A governed state at its latest version."""

    state_id: str
    state_type: str
    version: int
    digest: str
    changed_at: datetime
    changed_by: str
    changed_paths: int
    request_id: str
    position: int


@dataclass(frozen=True, kw_only=True)
class ChangeRow(Row):
    """One changed path of one version of a state."""

    state_id: str
    state_type: str
    version: int
    path: str
    kind: str
    old: Any
    new: Any
    request_id: str
    changed_by: str
    at: datetime
    position: int
    number: int


@dataclass(frozen=True, kw_only=True)
class ExecutionRow(AboutRequest):
    """An attempt to run a request: `result` is `executed`, `failed`, `rejected` or `sent back` for another round."""

    _lists = ("changed_paths",)

    position: int
    attempt: int
    kind: str
    result: str
    resolution: str
    strategy: str
    expected_version: int
    current_version: int
    resulting_version: int | None
    drift: int
    changed_paths: tuple[str, ...]
    effects: int
    why: str | None
    actor: str
    at: datetime
    waited_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class AgendaRow(AboutRequest):
    """Something that is due; `item` names the requirement, where it is one's deadline."""

    due: str
    item: str
    due_at: datetime
