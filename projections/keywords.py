"""The common filters of lists as keyword arguments; everything else is said with `where=`."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TypedDict

from governance.domain.errors import InputError
from projections.filters import AllOf, Between, Contains, Filter, Has, IsIn

Some = str | Iterable[str] | None


class AboutRequest(TypedDict, total=False):
    """Filters by the request that a row is about; several values mean any of them."""

    request_id: Some
    state_id: Some
    state_type: Some
    mutation_type: Some
    requester: Some
    category: Some
    risk: Some
    tags_any: Some
    tags_all: Some
    created_from: datetime | None
    created_to: datetime | None


class RequestFilters(AboutRequest, total=False):
    """Filters of requests; `text` is searched in the reason, `decision` in the kinds of event that it has seen."""

    status: Some
    pending_reason: Some
    awaits: Some
    decision: Some
    correlation_id: Some
    idempotency_key: Some
    compensates: Some
    compensated_by: Some
    end_code: Some
    effect: Some
    text: str | None
    updated_from: datetime | None
    updated_to: datetime | None
    decided_from: datetime | None
    decided_to: datetime | None
    executed_from: datetime | None
    executed_to: datetime | None


class ApprovalFilters(AboutRequest, total=False):
    """Filters of approval requirements."""

    status: Some
    request_status: Some
    actionable: bool | None
    approver: Some
    approver_role: Some
    approver_group: Some
    granted_by: Some
    rejected_by: Some
    opened_from: datetime | None
    opened_to: datetime | None
    due_from: datetime | None
    due_to: datetime | None


class DecisionFilters(AboutRequest, total=False):
    """Filters of decisions: `decided_in` is the category, `decision` the kind of event, `code` the code of a reason."""

    decided_in: Some
    decision: Some
    code: Some
    actor: Some
    actor_name: Some
    text: str | None
    at_from: datetime | None
    at_to: datetime | None


class StateFilters(TypedDict, total=False):
    """Filters of states."""

    state_id: Some
    state_type: Some
    changed_by: Some
    request_id: Some
    changed_from: datetime | None
    changed_to: datetime | None


class ChangeFilters(TypedDict, total=False):
    """Filters of changed paths."""

    state_id: Some
    state_type: Some
    path: Some
    kind: Some
    request_id: Some
    changed_by: Some
    at_from: datetime | None
    at_to: datetime | None


class ExecutionFilters(AboutRequest, total=False):
    """Filters of attempts to run requests."""

    result: Some
    resolution: Some
    kind: Some
    effect: Some
    actor: Some
    at_from: datetime | None
    at_to: datetime | None


class AgendaFilters(AboutRequest, total=False):
    """Filters of what is due."""

    due: Some
    due_from: datetime | None
    due_to: datetime | None


_TIMES: Final[Mapping[str, Mapping[str, str]]] = {
    "requests": {
        name: f"{name}_at" for name in ("created", "updated", "decided", "executed", "approved", "ended", "expires")
    },
    "approvals": {"created": "created_at", "opened": "opened_at", "due": "decide_before"},
    "decisions": {"created": "created_at", "at": "at"},
    "states": {"changed": "changed_at"},
    "changes": {"at": "at"},
    "executions": {"created": "created_at", "at": "at"},
    "agenda": {"created": "created_at", "due": "due_at"},
}
_TEXTS: Final = {"requests": "reason", "approvals": "reason", "decisions": "why"}


def filter_of(view: str, given: Mapping[str, Any], where: Filter) -> Filter:
    """Return the filter that all given keyword arguments and `where` make together; None means no filter."""
    parts = [_part(view, name, value) for name, value in given.items() if value is not None]
    return AllOf(parts=(*parts, where)) if parts else where


def _part(view: str, name: str, value: Any) -> Filter:
    start, _, end = name.rpartition("_")
    if end in {"from", "to"} and start in _TIMES[view]:
        return _range(_TIMES[view][start], name, value)
    if name == "text":
        return Contains(field=_TEXTS[view], text=value)
    if name in {"tags_any", "tags_all"}:
        field = "tag" if view == "requests" else "request.tag"
        return Has(field=field, values=_several(value), every=name == "tags_all")
    if isinstance(value, bool):
        return IsIn(field=name, values=(value,))
    return IsIn(field=name, values=_several(value))


def _range(field: str, name: str, value: datetime) -> Filter:
    if not isinstance(value, datetime) or value.tzinfo is None:
        msg = f"{name}: must be a time with a time zone"
        raise InputError(msg, field=name)
    return Between(field=field, low=value) if name.endswith("_from") else Between(field=field, high=value)


def _several(values: str | Iterable[str]) -> tuple[str, ...]:
    return (str(values),) if isinstance(values, str) else tuple(str(value) for value in values)
