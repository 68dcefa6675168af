"""Execution: which events an approved request causes when it meets the state as it is now."""

from collections.abc import Sequence
from datetime import datetime

from governance.domain.commands import Evaluation, Execute
from governance.domain.errors import DigestMismatchError
from governance.domain.events import (
    Executed,
    ExecutionFailed,
    Rejected,
    RequestEvent,
    StateChanged,
    VersionResolved,
)
from governance.domain.releasing import FREEZE, held
from governance.domain.request import MutationRequest, content_digest, requirement_digest
from governance.domain.requirements import Requirement
from governance.domain.resolution import Resolution, resolve, unmet_demands
from governance.domain.rounds import entering, evaluated, open_round
from governance.domain.values import clean


def execute(command: Execute, request: MutationRequest, now: datetime) -> Sequence[RequestEvent]:
    """Return what becomes of an approved request: executed, failed, rejected, or sent back for another round.

    The caller has recorded before that a deadline passed (`due`), so that here the request is in time. Raises
    DigestMismatchError when what is stored is not what was approved.
    """
    check_approved_content(request)
    if command.hold is not None:
        return held(command.hold, request)
    resolution = outcome_of_resolving(command, request, now)
    resolved = _version_resolved(resolution)
    evaluation = command.evaluation
    if resolution.end_code is not None:
        return [resolved, Rejected(code=resolution.end_code, reason=clean(resolution.reason))]
    if resolution.outcome == "renewal_required":
        return [resolved, *_renewal(request, evaluation, now)]
    if evaluation.failure is not None:
        return [resolved, _failed(command, request, evaluation.failure)]
    again = [] if evaluation.verdicts is None else evaluated(evaluation, request.round, evaluation.verdicts)
    return [resolved, *again, _executed(request, evaluation)]


def outcome_of_resolving(command: Execute, request: MutationRequest, now: datetime) -> Resolution:
    """Return the one way on for an approved request; its end, when it would need a round that cannot be."""
    resolution = resolve(request, command)
    if resolution.outcome != "renewal_required":
        return resolution
    late = [each.id for each in request.current_requirements if _over(each.asked.deadline(now), now)]
    if late:
        problem = f"it has to be approved again, but the deadline of requirement {', '.join(late)} has passed"
        return _ended(resolution, "approval-expired", problem)
    if request.round >= command.max_rounds:
        problem = f"it has gone round {request.round} times, which is the limit"
        return _ended(resolution, "rounds-exhausted", problem)
    return resolution


def _ended(resolution: Resolution, code: str, problem: str) -> Resolution:
    update = {"outcome": "rejected_as_stale", "end_code": code, "reason": f"{resolution.reason}; {problem}"}
    return resolution.model_copy(update=update)


def _over(deadline: datetime | None, now: datetime) -> bool:
    return deadline is not None and deadline <= now


def check_approved_content(request: MutationRequest) -> None:
    """Refuse to run what is not, to the digest, what was submitted and approved in this round."""
    if request.mutation.digest != request.mutation_digest:
        msg = f"the mutation stored in request {request.id} is not the one that was submitted"
        raise DigestMismatchError(msg, request=request.id, expected=request.mutation_digest)
    if not request.current_requirements:
        return
    content = content_digest(request)
    for opened in request.current_requirements:
        if (opened.status != "satisfied" or opened.missing) and not request.behind_glass:
            msg = f"requirement {opened.id} of request {request.id} was not met, and nobody broke the glass"
            raise DigestMismatchError(msg, request=request.id, requirement=opened.id)
        expected = requirement_digest(content, opened.asked)
        digests = {opened.digest, *(vote.digest for vote in opened.votes if vote.decision == "granted")}
        if digests != {expected}:
            msg = f"requirement {opened.id} of request {request.id} was approved for other content than is stored"
            raise DigestMismatchError(msg, request=request.id, requirement=opened.id, expected=expected)


def state_changed(request: MutationRequest, evaluation: Evaluation) -> StateChanged:
    """Return the event of the state's own stream that goes with `Executed`, in the same transaction."""
    return StateChanged.sound(
        state_type=request.state_type,
        value=evaluation.value,
        digest=evaluation.value_digest,
        change_set=evaluation.change_set,
        request_id=request.id,
    )


def _version_resolved(resolution: Resolution) -> VersionResolved:
    return VersionResolved.sound(
        expected=resolution.expected,
        current=resolution.current,
        strategy=resolution.strategy,
        outcome=resolution.outcome,
        reason=clean(resolution.reason),
        changed_paths=resolution.changed_paths,
        drift=resolution.drift,
    )


def _renewal(request: MutationRequest, evaluation: Evaluation, now: datetime) -> Sequence[RequestEvent]:
    verdicts = request.verdicts if evaluation.verdicts is None else evaluation.verdicts
    opening = evaluated(evaluation, request.round + 1, verdicts)
    renewed = entering(request, evaluation, request.round + 1)
    return [*opening, *open_round(renewed, _demanded_again(request, evaluation), now)]


def _demanded_again(request: MutationRequest, evaluation: Evaluation) -> Sequence[Requirement]:
    same = [each.asked for each in request.current_requirements if each.asked != FREEZE]
    return [*same, *unmet_demands(request, evaluation)]


def _failed(command: Execute, request: MutationRequest, error: str) -> ExecutionFailed:
    attempt = request.attempts + 1
    return ExecutionFailed(attempt=attempt, error=clean(error), final=attempt >= command.max_attempts)


def _executed(request: MutationRequest, evaluation: Evaluation) -> Executed:
    return Executed.sound(
        state_id=request.state_id,
        version=evaluation.state_version + 1,
        digest=evaluation.value_digest,
        change_set=evaluation.change_set,
        effects=evaluation.effects,
        attempt=request.attempts + 1,
    )
