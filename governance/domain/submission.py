"""Submission: which events a new request begins with."""

from collections.abc import Sequence
from datetime import datetime

from governance.domain.commands import Evaluation, Submit
from governance.domain.errors import InputError
from governance.domain.events import Created, Rejected, RequestEvent
from governance.domain.evolution import replay
from governance.domain.recorded import Recorded
from governance.domain.request import MutationRequest
from governance.domain.resolution import denial_text, denials
from governance.domain.rounds import evaluated, open_round
from governance.domain.values import clean

APPEND_ID = "undecided"


def submit(command: Submit, evaluation: Evaluation, request_id: str, now: datetime) -> Sequence[RequestEvent]:
    """Return the first events of a request: created, evaluated, and then rejected, pending or approved.

    A mutation that does not fit the state, or that a policy denies, becomes a rejected request: a fact worth auditing.
    Raises InputError for a deadline that has passed and ConfigurationError for requirements that nobody can fill.
    """
    if command.expires_at is not None and command.expires_at <= now:
        msg = f"expires_at: {command.expires_at.isoformat()} has passed already"
        raise InputError(msg, field="expires_at")
    first: list[RequestEvent] = [created(command), evaluated(evaluation, 1, evaluation.verdicts or ())]
    refused = _refused(evaluation)
    if refused is not None:
        return [*first, refused]
    request = _begun(command, first, request_id, now)
    return [*first, *open_round(request, (*command.requires, *evaluation.requirements), now)]


def created(command: Submit) -> Created:
    """Return the event that says what was asked for."""
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
        supersedes=command.supersedes,
        compensates=command.compensates,
        metadata=command.metadata,
    )


def _refused(evaluation: Evaluation) -> Rejected | None:
    problems = evaluation.validation_errors or ((evaluation.failure,) if evaluation.failure else ())
    if problems:
        return Rejected(code="validation-failed", reason=clean("; ".join(problems)))
    denied = denials(evaluation.verdicts or ())
    return Rejected(code="policy-denied", reason=clean(denial_text(denied))) if denied else None


def _begun(command: Submit, events: Sequence[RequestEvent], request_id: str, now: datetime) -> MutationRequest:
    begun = replay(provisional(f"mutationRequest-{request_id}", 0, events, command, now))
    if begun is None:
        msg = "a request begins with an event"
        raise TypeError(msg)
    return begun


def provisional(
    stream: str, version: int, events: Sequence[RequestEvent], command: Submit, now: datetime
) -> Sequence[Recorded]:
    """Return events as if they were recorded after the version, to see the request that they would lead to."""
    return [
        Recorded(stream=stream, version=number, at=now, by=command.actor, append_id=APPEND_ID, event=event)
        for number, event in enumerate(events, start=version + 1)
    ]
