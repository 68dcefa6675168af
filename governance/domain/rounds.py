"""Approval rounds: opening the requirements of a round, each bound to the digest of what its approvers are shown."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, assert_never

from governance.domain.commands import Evaluation
from governance.domain.condition_events import (
    PendingDependency,
    PendingExternalCheck,
    PendingQuota,
    PendingSchedule,
)
from governance.domain.conditions import (
    DependencyRequirement,
    ExternalCheckRequirement,
    QuotaRequirement,
    ScheduleRequirement,
)
from governance.domain.entitlement import check_fillable
from governance.domain.errors import ConfigurationError
from governance.domain.events import Approved, PendingApproval, PoliciesEvaluated, RequestEvent
from governance.domain.request import MutationRequest, content_digest, requirement_digest
from governance.domain.requirements import ApprovalRequirement, Requirement
from governance.domain.terms import Verdict


def evaluated(evaluation: Evaluation, round_number: int, verdicts: tuple[Verdict, ...]) -> list[RequestEvent]:
    """Return the events that record what user code answered in this round, and what policies amended on the way."""
    events: list[RequestEvent] = []
    for each in evaluation.amendments:
        events += [_evaluated(each.evaluation, round_number, each.evaluation.verdicts or ()), each.amended]
    return [*events, _evaluated(evaluation, round_number, verdicts)]


def _evaluated(evaluation: Evaluation, round_number: int, verdicts: tuple[Verdict, ...]) -> PoliciesEvaluated:
    return PoliciesEvaluated(
        round=round_number,
        state_version=evaluation.state_version,
        state_digest=evaluation.state_digest,
        policy_set=evaluation.policy_set,
        verdicts=verdicts,
        validation_errors=evaluation.validation_errors,
        change_set=evaluation.change_set,
    )


def entering(request: MutationRequest, evaluation: Evaluation, round_number: int) -> MutationRequest:
    """Return the request in the round that an evaluation opens, as far as the round's digests depend on it."""
    update: dict[str, Any] = {
        "round": round_number,
        "evaluated_version": evaluation.state_version,
        "change_set": evaluation.change_set,
    }
    if evaluation.amendments:
        update["mutation"] = evaluation.amendments[-1].amended.mutation
    return request.model_copy(update=update)


def open_round(request: MutationRequest, requirements: Iterable[Requirement], now: datetime) -> Sequence[RequestEvent]:
    """Return the opening of each distinct requirement, approvals first and of those lower steps, or the approval.

    `request` is the one that the round's `PoliciesEvaluated` has led to. Raises ConfigurationError for what nobody can
    fill.
    """
    ordered = sorted(dict.fromkeys(requirements), key=_turn)
    if not ordered:
        return [Approved(round=request.round)]
    for requirement in ordered:
        check_possible(requirement, request, now)
    content = content_digest(request)
    return [
        _opening(request, requirement, f"{request.round}.{number}", content, now)
        for number, requirement in enumerate(ordered, start=1)
    ]


def _opening(
    request: MutationRequest, requirement: Requirement, requirement_id: str, content: str, now: datetime
) -> RequestEvent:
    given: dict[str, Any] = {
        "requirement_id": requirement_id,
        "round": request.round,
        "requirement": requirement,
        "expires_at": requirement.deadline(now),
        "digest": requirement_digest(content, requirement),
    }
    match requirement:
        case ApprovalRequirement():
            return PendingApproval(**given)
        case ScheduleRequirement():
            return PendingSchedule(**given)
        case DependencyRequirement():
            return PendingDependency(**given)
        case QuotaRequirement():
            return PendingQuota(**given)
        case ExternalCheckRequirement():
            return PendingExternalCheck(**given)
    assert_never(requirement)


def check_possible(requirement: Requirement, request: MutationRequest, now: datetime) -> None:
    """Refuse a requirement that can never be met, as far as the request alone tells: ConfigurationError."""
    if isinstance(requirement, ApprovalRequirement):
        check_fillable(requirement, request.requester, now)
        return
    if isinstance(requirement, ScheduleRequirement) and requirement.not_after and requirement.not_after <= now:
        msg = f"not_after {requirement.not_after.isoformat()} has passed already"
        raise ConfigurationError(msg, requirement=requirement.name)
    if isinstance(requirement, DependencyRequirement) and {request.id, *_replaced(request)} & {*requirement.requests}:
        msg = f"request {request.id} cannot depend on itself, nor on the request whose place it takes"
        raise ConfigurationError(msg, requirement=requirement.name, request=request.id)


def _replaced(request: MutationRequest) -> tuple[str, ...]:
    return (request.links.supersedes,) if request.links.supersedes else ()


def _turn(requirement: Requirement) -> tuple[int, int]:
    return (0, requirement.step) if isinstance(requirement, ApprovalRequirement) else (1, 0)
