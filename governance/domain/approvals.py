"""Decisions on approvals: what saying yes, saying no and taking it back lead to."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import assert_never

from governance.domain.actors import Actor
from governance.domain.commands import Approve, Reject, Withdraw
from governance.domain.drift import check_confirmable
from governance.domain.entitlement import Entitlement, entitlement, most_telling, refusal
from governance.domain.errors import InvalidTransitionError, NotAuthorizedError, NotFoundError, StaleError
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
from governance.domain.values import clean


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


def requirement_of(request: MutationRequest, key: str) -> OpenedRequirement:
    """Return the approval of the current round with this id or name; NotFoundError when there is none."""
    found = request.requirement(key)
    if found is None or not found.is_approval:
        known = ", ".join(each.id for each in request.current_approvals) or "none"
        msg = f"request {request.id} has no approval requirement {key} in round {request.round} (it has: {known})"
        raise NotFoundError(msg, request=request.id, requirement=key)
    return found


def _approve(command: Approve, request: MutationRequest, now: datetime) -> Sequence[RequestEvent]:
    events: list[RequestEvent] = []
    reached: set[str] = set()
    for opened in _targets(request, command, now):
        by = _entitled(command.actor, opened, now)
        granted = ApprovalGranted(
            requirement_id=opened.id,
            approver=command.actor.person,
            matched=by.matched,
            delegated_by=by.delegated_by,
            digest=opened.digest,
            comment=command.comment,
        )
        approvers = (*opened.granted_by, command.actor.person)
        events.append(granted)
        if len(approvers) >= opened.approval.quorum:
            reached.add(opened.id)
            events.append(QuorumReached(requirement_id=opened.id, approvers=approvers))
    if satisfied(each for each in request.current_requirements if each.id not in reached):
        events.append(Approved(round=request.round))
    return events


def _reject(command: Reject, request: MutationRequest, now: datetime) -> Sequence[RequestEvent]:
    targets = _targets(request, command, now)
    events: list[RequestEvent] = []
    for opened in targets:
        by = _entitled(command.actor, opened, now)
        rejected = ApprovalRejected(
            requirement_id=opened.id,
            approver=command.actor.person,
            matched=by.matched,
            delegated_by=by.delegated_by,
            digest=opened.digest,
            rejection=command.rejection,
            comment=command.comment,
        )
        events.append(rejected)
    if any(_ends(request, each, events) for each in targets):
        told = command.rejection.message or command.comment or command.rejection.code
        events.append(Rejected(code="approval-rejected", reason=clean(f"{command.actor.person}: {told}")))
    return events


def _withdraw(command: Withdraw, request: MutationRequest) -> Sequence[RequestEvent]:
    person = command.actor.person
    among = request.current_approvals
    if command.requirement is not None:
        among = (requirement_of(request, command.requirement),)
    votes = [(each.id, vote.approver) for each in among if (vote := each.vote_of(person))]
    if not votes:
        msg = f"{person} has no decision to withdraw on request {request.id}"
        raise NotFoundError(msg, request=request.id, actor=person)
    return [
        ApprovalWithdrawn(requirement_id=requirement, approver=approver, reason=command.reason)
        for requirement, approver in votes
    ]


def _targets(request: MutationRequest, command: Approve | Reject, now: datetime) -> tuple[OpenedRequirement, ...]:
    chosen: Iterable[OpenedRequirement] = request.current_approvals
    if isinstance(command, Approve) and command.again:
        chosen = check_confirmable(request, command.actor, command.seen)
    elif command.requirement is not None:
        chosen = (requirement_of(request, command.requirement),)
    refusals = {each.id: refusal(request, each, command.actor, now) for each in chosen}
    targets = tuple(each for each in chosen if refusals[each.id] is None)
    if not refusals:
        msg = f"request {request.id} has no approval to decide on"
        raise InvalidTransitionError(msg, request=request.id, status=request.status, command=command.name)
    if not targets:
        raise most_telling(error for error in refusals.values() if error is not None)
    _check_seen(request, targets, command.seen)
    return targets


def _entitled(actor: Actor, opened: OpenedRequirement, now: datetime) -> Entitlement:
    by = entitlement(actor, opened, now)
    if by is None:
        msg = f"{actor.id} may not decide on requirement {opened.id}"
        raise NotAuthorizedError(msg, actor=actor.id, requirement=opened.id)
    return by


def _check_seen(request: MutationRequest, targets: Sequence[OpenedRequirement], seen: str | None) -> None:
    if seen is None or seen == request.digest or all(seen == each.digest for each in targets):
        return
    msg = f"request {request.id} is not what was seen any more: look at round {request.round}, then decide again"
    raise StaleError(msg, request=request.id, seen=seen, current=request.digest)


def _ends(request: MutationRequest, opened: OpenedRequirement, events: Sequence[RequestEvent]) -> bool:
    """Return whether, with the rejections that are about to be recorded, this requirement cannot be met any more."""
    votes = [vote for vote in opened.votes if vote.decision == "rejected"]
    new = [each for each in events if isinstance(each, ApprovalRejected) and each.requirement_id == opened.id]
    if opened.approval.veto and len(votes) + len(new) >= opened.approval.vetoes:
        return True
    named = opened.approval.named
    against = {vote.delegated_by or vote.approver for vote in votes}
    against |= {each.delegated_by or each.approver for each in new}
    return named is not None and len(named - against - request.requester.people) < opened.approval.quorum
