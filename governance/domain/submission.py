"""Submission: which events a new request begins with."""

from collections.abc import Sequence
from datetime import datetime

from governance.domain.commands import Evaluation, Submit
from governance.domain.errors import InputError
from governance.domain.events import Created, Rejected, RequestEvent
from governance.domain.request import MutationRequest
from governance.domain.resolution import denial_text, denials
from governance.domain.rounds import entering, evaluated, open_round
from governance.domain.values import clean


def created(command: Submit, now: datetime) -> Created:
    """Return the event that says what was asked for; InputError for a deadline that has passed already."""
    if command.expires_at is not None and command.expires_at <= now:
        msg = f"expires_at: {command.expires_at.isoformat()} has passed already"
        raise InputError(msg, field="expires_at")
    return Created(
        mutation=command.mutation,
        mutation_digest=command.mutation.digest,
        state_id=command.state_id,
        state_type=command.state_type,
        intent=command.intent,
        requester=command.actor,
        reason=command.reason,
        requires=command.requires,
        stale=command.stale,
        expires_at=command.expires_at,
        idempotency_key=command.idempotency_key,
        batch_id=command.batch_id,
        supersedes=command.supersedes,
        compensates=command.compensates,
        metadata=command.metadata,
    )


def judge(request: MutationRequest, evaluation: Evaluation, now: datetime) -> Sequence[RequestEvent]:
    """Return what follows `Created`: what user code said, and then that the request is rejected, pending or approved.

    A mutation that does not fit the state, or that a policy denies, becomes a rejected request: a fact worth auditing.
    Raises ConfigurationError for requirements that nobody can fill.
    """
    opening = evaluated(evaluation, 1, evaluation.verdicts or ())
    refused = _refused(evaluation)
    if refused is not None:
        return [*opening, refused]
    requirements = (*request.requires, *evaluation.requirements)
    return [*opening, *open_round(entering(request, evaluation, 1), requirements, now)]


def _refused(evaluation: Evaluation) -> Rejected | None:
    problems = evaluation.validation_errors or ((evaluation.failure,) if evaluation.failure else ())
    if problems:
        return Rejected(code="validation-failed", reason=clean("; ".join(problems)))
    denied = denials(evaluation.verdicts or ())
    return Rejected(code="policy-denied", reason=clean(denial_text(denied))) if denied else None
