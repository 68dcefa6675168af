"""Approval rounds: opening the requirements of a round, each bound to the digest of what its approvers are shown."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from governance.domain.commands import Evaluation
from governance.domain.entitlement import check_fillable
from governance.domain.events import Approved, PendingApproval, PoliciesEvaluated, RequestEvent
from governance.domain.request import MutationRequest, content_digest, requirement_digest
from governance.domain.requirements import Requirement
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
    """Return the opening of each distinct requirement, lower steps first, or the approval when there is none.

    `request` is the one that the round's `PoliciesEvaluated` has led to. Raises ConfigurationError for what nobody can
    fill.
    """
    ordered = sorted(dict.fromkeys(requirements), key=lambda each: each.step)
    if not ordered:
        return [Approved(round=request.round)]
    content = content_digest(request)
    opened: list[RequestEvent] = []
    for number, requirement in enumerate(ordered, start=1):
        check_fillable(requirement, request.requester, now)
        opened.append(
            PendingApproval(
                requirement_id=f"{request.round}.{number}",
                round=request.round,
                requirement=requirement,
                expires_at=requirement.deadline(now),
                digest=requirement_digest(content, requirement),
            ),
        )
    return opened
