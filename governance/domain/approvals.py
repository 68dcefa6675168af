"""Who may decide on what, and what follows: the same checks refuse a decision and explain why it would be refused."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import assert_never

from governance.domain.actors import Actor
from governance.domain.commands import Approve, Reject, Withdraw
from governance.domain.errors import (
    AlreadyDecidedError,
    ApprovalExpiredError,
    ConfigurationError,
    GovernanceError,
    InvalidTransitionError,
    NotAuthorizedError,
    NotFoundError,
    OutOfStepError,
    SelfApprovalError,
    StaleError,
)
from governance.domain.events import (
    ApprovalGranted,
    ApprovalRejected,
    ApprovalWithdrawn,
    Approved,
    QuorumReached,
    Rejected,
    RequestEvent,
)
from governance.domain.request import MutationRequest, OpenedRequirement, satisfied
from governance.domain.requirements import Approver, Requirement


def check_fillable(requirement: Requirement, requester: Actor, now: datetime) -> None:
    """Refuse a requirement that nobody could ever meet: ConfigurationError, before anything is stored."""
    named = requirement.named
    if named is not None and len(named - requester.people) < requirement.quorum:
        msg = (
            f"the quorum of {requirement.quorum} cannot be met: of {len(named)} named people "
            f"{len(named & requester.people)} stand behind the request and may not approve it"
        )
        raise ConfigurationError(msg, requirement=requirement.name, requester=requester.id)
    deadline = requirement.deadline(now)
    if deadline is not None and deadline <= now:
        msg = f"the approval's deadline {deadline.isoformat()} has passed already"
        raise ConfigurationError(msg, requirement=requirement.name)


def active_step(request: MutationRequest) -> int | None:
    """Return the lowest step that still has an open requirement, None when there is none."""
    return min((each.asked.step for each in request.open_requirements), default=None)


def entitlement(actor: Actor, opened: OpenedRequirement) -> Approver | None:
    """Return by what the actor is entitled to decide on the requirement, None when by nothing."""
    return next((each for each in opened.asked.approvers if each.matches(actor)), None)


def refusal(
    request: MutationRequest,
    opened: OpenedRequirement,
    actor: Actor,
    now: datetime,
) -> GovernanceError | None:
    """Return why the actor may not decide on the requirement now, None when they may."""
    checks = (_separate_duties, _entitled, _first_decision, _still_open, _in_time, _in_step)
    return next((error for check in checks if (error := check(request, opened, actor, now))), None)


def decide(command: Approve | Reject | Withdraw, request: MutationRequest, now: datetime) -> Sequence[RequestEvent]:
    """Return what a decision, or taking one back, causes; raises the refusal that tells most when it is not allowed."""
    match command:
        case Approve():
            return _approve(command, request, now)
        case Reject():
            return _reject(command, request, now)
        case Withdraw():
            return _withdraw(command, request)
    assert_never(command)


def _approve(command: Approve, request: MutationRequest, now: datetime) -> Sequence[RequestEvent]:
    targets = _targets(request, command, now)
    events: list[RequestEvent] = []
    reached: set[str] = set()
    for opened in targets:
        events.append(
            ApprovalGranted(
                requirement_id=opened.id,
                approver=command.actor.person,
                matched=_matched(command.actor, opened),
                digest=opened.digest,
                comment=command.comment,
            ),
        )
        approvers = (*opened.granted_by, command.actor.person)
        if len(approvers) >= opened.asked.quorum:
            reached.add(opened.id)
            events.append(QuorumReached(requirement_id=opened.id, approvers=approvers))
    if satisfied(each for each in request.current_requirements if each.id not in reached):
        events.append(Approved(round=request.round))
    return events


def _reject(command: Reject, request: MutationRequest, now: datetime) -> Sequence[RequestEvent]:
    targets = _targets(request, command, now)
    events: list[RequestEvent] = [
        ApprovalRejected(
            requirement_id=opened.id,
            approver=command.actor.person,
            matched=_matched(command.actor, opened),
            digest=opened.digest,
            rejection=command.rejection,
        )
        for opened in targets
    ]
    if any(each.asked.veto or _hopeless(request, each, command.actor.person) for each in targets):
        reason = command.rejection.message or command.rejection.code
        events.append(Rejected(code="approval-rejected", reason=f"{command.actor.person}: {reason}"[:10_000]))
    return events


def _withdraw(command: Withdraw, request: MutationRequest) -> Sequence[RequestEvent]:
    person = command.actor.person
    among = (
        request.current_requirements if command.requirement is None else (_requirement(request, command.requirement),)
    )
    decided = [each for each in among if each.vote_of(person)]
    if not decided:
        msg = f"{person} has no decision to withdraw on request {request.id}"
        raise NotFoundError(msg, request=request.id, actor=person)
    return [ApprovalWithdrawn(requirement_id=each.id, approver=person, reason=command.reason) for each in decided]


def _targets(
    request: MutationRequest,
    command: Approve | Reject,
    now: datetime,
) -> tuple[OpenedRequirement, ...]:
    if command.requirement is not None:
        chosen: Iterable[OpenedRequirement] = (_requirement(request, command.requirement),)
    else:
        chosen = request.current_requirements
    refusals = {each.id: refusal(request, each, command.actor, now) for each in chosen}
    targets = tuple(each for each in chosen if refusals[each.id] is None)
    if not targets:
        raise _most_telling(error for error in refusals.values() if error is not None)
    _check_seen(request, targets, command.seen)
    return targets


def _requirement(request: MutationRequest, key: str) -> OpenedRequirement:
    found = request.requirement(key)
    if found is None:
        known = ", ".join(each.id for each in request.current_requirements) or "none"
        msg = f"request {request.id} has no requirement {key} in round {request.round} (it has: {known})"
        raise NotFoundError(msg, request=request.id, requirement=key)
    return found


def _matched(actor: Actor, opened: OpenedRequirement) -> Approver:
    matched = entitlement(actor, opened)
    if matched is None:
        raise _not_entitled(opened, actor)
    return matched


def _check_seen(request: MutationRequest, targets: Sequence[OpenedRequirement], seen: str | None) -> None:
    if seen is None or seen == request.digest or all(seen == each.digest for each in targets):
        return
    msg = f"request {request.id} is not what was seen any more: look at round {request.round} again, then decide"
    raise StaleError(msg, request=request.id, seen=seen, current=request.digest)


def _hopeless(request: MutationRequest, opened: OpenedRequirement, rejecting: str) -> bool:
    named = opened.asked.named
    if named is None:
        return False
    against = {vote.approver for vote in opened.votes if vote.decision == "rejected"} | {rejecting}
    return len(named - against - request.requester.people) < opened.asked.quorum


_TELLING = (
    SelfApprovalError,
    AlreadyDecidedError,
    OutOfStepError,
    ApprovalExpiredError,
    NotAuthorizedError,
    InvalidTransitionError,
)


def _most_telling(errors: Iterable[GovernanceError]) -> GovernanceError:
    return min(errors, key=lambda error: next(i for i, kind in enumerate(_TELLING) if isinstance(error, kind)))


def _separate_duties(
    request: MutationRequest, opened: OpenedRequirement, actor: Actor, now: datetime
) -> GovernanceError | None:
    if not actor.people & request.requester.people:
        return None
    msg = f"{actor.id} stands behind request {request.id} and may not decide on it; to take it back, cancel it"
    return SelfApprovalError(msg, request=request.id, actor=actor.id, requirement=opened.id)


def _entitled(
    request: MutationRequest, opened: OpenedRequirement, actor: Actor, now: datetime
) -> GovernanceError | None:
    return None if entitlement(actor, opened) else _not_entitled(opened, actor, request.id)


def _not_entitled(opened: OpenedRequirement, actor: Actor, request_id: str | None = None) -> NotAuthorizedError:
    wanted = ", ".join(str(each) for each in opened.asked.approvers)
    msg = f"{actor.id} may not decide on requirement {opened.id}: it asks for {wanted}"
    return NotAuthorizedError(msg, request=request_id, actor=actor.id, requirement=opened.id)


def _first_decision(
    request: MutationRequest, opened: OpenedRequirement, actor: Actor, now: datetime
) -> GovernanceError | None:
    vote = opened.vote_behind_which(actor.people)
    if vote is None:
        return None
    who = actor.person if actor.person == vote.approver else f"{actor.id}, who stands behind {vote.approver},"
    msg = f"{who} has {vote.decision} requirement {opened.id} already; withdraw that first to change it"
    return AlreadyDecidedError(msg, request=request.id, actor=actor.person, requirement=opened.id)


def _still_open(
    request: MutationRequest, opened: OpenedRequirement, actor: Actor, now: datetime
) -> GovernanceError | None:
    if opened.status == "open":
        return None
    msg = f"requirement {opened.id} of request {request.id} is {opened.status} already"
    kind = ApprovalExpiredError if opened.status == "expired" else AlreadyDecidedError
    return kind(msg, request=request.id, actor=actor.id, requirement=opened.id)


def _in_time(
    request: MutationRequest, opened: OpenedRequirement, actor: Actor, now: datetime
) -> GovernanceError | None:
    ends = min((each for each in (opened.expires_at, request.expires_at) if each), default=None)
    if ends is None or now < ends:
        return None
    msg = f"the time to decide on requirement {opened.id} of request {request.id} ended at {ends.isoformat()}"
    return ApprovalExpiredError(msg, request=request.id, actor=actor.id, requirement=opened.id, expires_at=ends)


def _in_step(
    request: MutationRequest, opened: OpenedRequirement, actor: Actor, now: datetime
) -> GovernanceError | None:
    step = active_step(request)
    if step is None or opened.asked.step <= step:
        return None
    msg = f"requirement {opened.id} is step {opened.asked.step} of request {request.id}; step {step} is still open"
    return OutOfStepError(msg, request=request.id, actor=actor.id, requirement=opened.id, step=step)
