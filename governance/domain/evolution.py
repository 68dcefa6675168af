"""From one event to the next: the request after it. Never refuses, never looks at a clock, never asks a rule."""

from collections.abc import Iterable
from typing import Any, assert_never

from governance.domain.batch_events import BatchFact
from governance.domain.calendar_events import CalendarFact
from governance.domain.condition_events import AboutConditions, ConditionEvent
from governance.domain.condition_evolution import condition_changes, opened
from governance.domain.deliveries import delivery_changes
from governance.domain.effect_events import EffectEvent, EffectFact
from governance.domain.ending_evolution import ending_changes
from governance.domain.errors import MisplacedEventError
from governance.domain.events import (
    Amended,
    ApprovalDelegated,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalReassigned,
    ApprovalRejected,
    ApprovalWithdrawn,
    Approved,
    Commented,
    Created,
    EndingFact,
    Executed,
    ExecutionFailed,
    ExecutionStarted,
    GlassBroken,
    InterceptorFailed,
    KeyClaimed,
    PendingApproval,
    PlaceTaken,
    PoliciesEvaluated,
    QuorumReached,
    RequestEvent,
    Reviewed,
    StateChanged,
    VersionResolved,
)
from governance.domain.lifecycle import Status
from governance.domain.personal_events import SubjectForgotten
from governance.domain.quota_events import QuotaFact
from governance.domain.recorded import Recorded
from governance.domain.request import (
    Delegation,
    GlassBreak,
    Links,
    MutationRequest,
    Vote,
)
from governance.domain.story import Decision, Lines
from governance.domain.telling import decision_of

Changes = dict[str, Any]


def evolve(request: MutationRequest | None, recorded: Recorded) -> MutationRequest:
    """Return the request after the event; the first event of a stream needs no request before it."""
    told: Lines = request.decisions if request is not None else ()
    line = (decision_of(recorded),)
    return _after(request, recorded, decisions=told + line)


def replay(history: Iterable[Recorded], start: MutationRequest | None = None) -> MutationRequest | None:
    """Fold a stream, or the rest of one after `start`, into the request that it describes."""
    request, told = start, list[Decision]()
    for each in history:  # what is told is put in at the end, for copying it at every event makes long streams slow
        request = _after(request, each)
        told.append(decision_of(each))
    if request is None or not told:
        return request
    return request.model_copy(update={"decisions": request.decisions + tuple(told)})


def _after(request: MutationRequest | None, recorded: Recorded, **update: Any) -> MutationRequest:
    event = recorded.event
    if isinstance(event, (StateChanged, KeyClaimed, PlaceTaken, BatchFact, CalendarFact, QuotaFact, SubjectForgotten)):
        msg = f"{recorded.stream} holds {type(event).__name__}, which is not an event of a mutation request"
        raise MisplacedEventError(msg, stream=recorded.stream, version=recorded.version)
    request = request or _begun(recorded)
    return request.model_copy(
        update={
            **_changes(request, event, recorded),
            "version": recorded.version,
            "position": recorded.position,
            "updated_at": recorded.at,
            **update,
        },
    )


def _begun(recorded: Recorded) -> MutationRequest:
    event = recorded.event
    if not isinstance(event, Created):
        msg = f"stream {recorded.stream} begins with {type(event).__name__}, not with Created"
        raise MisplacedEventError(msg, stream=recorded.stream, version=recorded.version)
    return MutationRequest(
        id=recorded.stream.partition("-")[2],
        state_id=event.state_id,
        state_type=event.state_type,
        mutation=event.mutation,
        mutation_digest=event.mutation_digest,
        intent=event.intent,
        requester=event.requester,
        reason=event.reason,
        requires=event.requires,
        stale=event.stale,
        compensation=event.compensates,
        links=Links(
            compensates=event.compensates.request_id if event.compensates else None,
            batch_id=event.batch_id,
            supersedes=event.supersedes,
            predecessors=(event.supersedes,) if event.supersedes else (),
        ),
        metadata=event.metadata,
        idempotency_key=event.idempotency_key,
        correlation_id=recorded.correlation_id,
        created_at=recorded.at,
        updated_at=recorded.at,
        expires_at=event.expires_at,
    )


ApprovalEvent = (
    PendingApproval
    | ApprovalGranted
    | ApprovalRejected
    | ApprovalWithdrawn
    | ApprovalDelegated
    | ApprovalReassigned
    | ApprovalExpired
    | QuorumReached
)


def _changes(request: MutationRequest, event: RequestEvent, recorded: Recorded) -> Changes:
    match event:
        case Created() | Commented() | InterceptorFailed():
            return {}
        case PoliciesEvaluated() | Amended() | Approved():
            return _judged(event)
        case GlassBroken() | Reviewed():
            return _glass(request, event, recorded)
        case VersionResolved() | ExecutionStarted() | Executed() | ExecutionFailed():
            return _met_the_state(request, event)
        case EndingFact():
            return ending_changes(request, event, recorded)
        case EffectFact() | AboutConditions():
            return _beside(request, event, recorded)
        case _:
            return _approval(request, event, recorded)


def _beside(request: MutationRequest, event: EffectEvent | ConditionEvent, recorded: Recorded) -> Changes:
    if isinstance(event, EffectFact):
        return delivery_changes(request, event)
    return condition_changes(request, event, recorded)


def _approval(request: MutationRequest, event: ApprovalEvent, recorded: Recorded) -> Changes:
    match event:
        case PendingApproval():
            return opened(request, event, recorded)
        case ApprovalGranted() | ApprovalRejected():
            return _voted(request, event, recorded)
        case ApprovalWithdrawn():
            return _withdrawn(request, event)
        case ApprovalDelegated():
            return _delegated(request, event)
        case ApprovalReassigned():
            return _with_requirement(request, event.requirement_id, status="void")
        case ApprovalExpired():
            return _with_requirement(request, event.requirement_id, status="expired")
        case QuorumReached():
            return _with_requirement(request, event.requirement_id, status="satisfied")
    assert_never(event)


def _judged(event: PoliciesEvaluated | Amended | Approved) -> Changes:
    if isinstance(event, Approved):
        return {"status": Status.APPROVED}
    if isinstance(event, Amended):
        return {"mutation": event.mutation, "mutation_digest": event.mutation_digest}
    return {
        "round": event.round,
        "evaluated_version": event.state_version,
        "evaluated_digest": event.state_digest,
        "policy_set": event.policy_set,
        "verdicts": event.verdicts,
        "validation_errors": event.validation_errors,
        "change_set": event.change_set,
    }


def _voted(request: MutationRequest, event: ApprovalGranted | ApprovalRejected, recorded: Recorded) -> Changes:
    granted = isinstance(event, ApprovalGranted)
    vote = Vote(
        approver=event.approver,
        cast_by=recorded.by.id,
        decision="granted" if granted else "rejected",
        matched=event.matched,
        delegated_by=event.delegated_by,
        digest=event.digest,
        at=recorded.at,
        comment=event.comment,
        rejection=event.rejection if isinstance(event, ApprovalRejected) else None,
    )
    return _with_requirement(request, event.requirement_id, votes=(*_votes(request, event.requirement_id), vote))


def _delegated(request: MutationRequest, event: ApprovalDelegated) -> Changes:
    delegation = Delegation(
        delegator=event.delegator, delegate=event.delegate, matched=event.matched, until=event.until
    )
    known = next((each.delegations for each in request.requirements if each.id == event.requirement_id), ())
    return _with_requirement(request, event.requirement_id, delegations=(*known, delegation))


def _glass(request: MutationRequest, event: GlassBroken | Reviewed, recorded: Recorded) -> Changes:
    if isinstance(event, GlassBroken):
        broken = GlassBreak(
            by=recorded.by, at=recorded.at, reason=event.reason, round=request.round, review_until=event.review_until
        )
        return {"glass_break": broken}
    if request.glass_break is None:
        return {}
    update = {"reviewed_by": event.reviewer, "justified": event.justified}
    return {"glass_break": request.glass_break.model_copy(update=update)}


def _withdrawn(request: MutationRequest, event: ApprovalWithdrawn) -> Changes:
    left = tuple(vote for vote in _votes(request, event.requirement_id) if vote.approver != event.approver)
    return _with_requirement(request, event.requirement_id, votes=left, status="open")


def _met_the_state(
    request: MutationRequest, event: VersionResolved | ExecutionStarted | Executed | ExecutionFailed
) -> Changes:
    match event:
        case ExecutionStarted():
            return {"started": event}
        case VersionResolved():
            return _resolved(request, event)
        case Executed():
            return _executed(event)
        case ExecutionFailed():
            return _failed(event)
    assert_never(event)


def _resolved(request: MutationRequest, event: VersionResolved) -> Changes:
    if event.outcome != "renewal_required":
        return {}
    void = tuple(each.model_copy(update={"status": "void"}) for each in request.requirements)
    return {"status": Status.PENDING, "requirements": void}


def _executed(event: Executed) -> Changes:
    return {
        "status": Status.EXECUTED,
        "resulting_version": event.version,
        "attempts": event.attempt,
        "change_set": event.change_set,
        "effects": event.effects,
        "started": None,
    }


def _failed(event: ExecutionFailed) -> Changes:
    ended = {"status": Status.FAILED, "ended_because": event.error, "end_code": "failed"} if event.final else {}
    return {"attempts": event.attempt, "started": None, **ended}


def _votes(request: MutationRequest, requirement_id: str) -> tuple[Vote, ...]:
    return next((each.votes for each in request.requirements if each.id == requirement_id), ())


def _with_requirement(request: MutationRequest, requirement_id: str, **update: Any) -> Changes:
    return {
        "requirements": tuple(
            each.model_copy(update=update) if each.id == requirement_id else each for each in request.requirements
        ),
    }
