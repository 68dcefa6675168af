"""From an event about a requirement that opens, or about a condition, to what it changes in the request."""

from typing import Any

from governance.domain.condition_events import (
    ConditionEvent,
    DependencySatisfied,
    ExternalCheckFailed,
    ExternalCheckPassed,
    PendingCondition,
    QuotaReserved,
    ScheduleReached,
    WindowOverridden,
)
from governance.domain.events import PendingApproval
from governance.domain.lifecycle import Status
from governance.domain.recorded import Recorded
from governance.domain.request import MutationRequest, OpenedRequirement, WindowOverride

Opening = PendingApproval | PendingCondition


def opened(request: MutationRequest, event: Any, recorded: Recorded) -> dict[str, Any]:
    """Return what the opening of a requirement changes; one that opens again takes its own place."""
    new = OpenedRequirement(
        id=event.requirement_id,
        round=event.round,
        asked=event.requirement,
        digest=event.digest,
        opened_at=recorded.at,
        expires_at=event.expires_at,
    )
    known = any(each.id == new.id for each in request.requirements)
    kept = tuple(new if each.id == new.id else each for each in request.requirements)
    return {"status": Status.PENDING, "requirements": kept if known else (*kept, new)}


def condition_changes(request: MutationRequest, event: ConditionEvent, recorded: Recorded) -> dict[str, Any]:
    """Return what an event about a condition changes."""
    match event:
        case PendingCondition():
            return opened(request, event, recorded)
        case ScheduleReached() | DependencySatisfied() | QuotaReserved() | ExternalCheckPassed():
            return _settled(request, event.requirement_id, "satisfied")
        case ExternalCheckFailed():
            return _settled(request, event.requirement_id, "expired" if event.why == "timeout" else "rejected")
        case WindowOverridden():
            override = WindowOverride(
                by=recorded.by, approver=event.approver, at=recorded.at, reason=event.reason, round=request.round
            )
            return {"window_override": override}
    return {}


def _settled(request: MutationRequest, requirement_id: str, status: str) -> dict[str, Any]:
    kept = tuple(
        each.model_copy(update={"status": status}) if each.id == requirement_id else each
        for each in request.requirements
    )
    return {"requirements": kept}
