"""Handing a decision on: a delegation in one person's place, or other people asked instead."""

from collections.abc import Sequence
from datetime import datetime

from governance.domain.actors import ADMINISTRATORS
from governance.domain.approvals import requirement_of
from governance.domain.commands import Delegate, Reassign
from governance.domain.entitlement import check_fillable, entitlement, most_telling, standing_refusal
from governance.domain.errors import (
    ConfigurationError,
    GovernanceError,
    InputError,
    InvalidTransitionError,
    NotAuthorizedError,
    SelfApprovalError,
)
from governance.domain.events import ApprovalDelegated, ApprovalReassigned, PendingApproval, RequestEvent
from governance.domain.expiry import check_in_time
from governance.domain.request import MutationRequest, OpenedRequirement, content_digest, requirement_digest


def delegate(command: Delegate, request: MutationRequest, now: datetime) -> Sequence[RequestEvent]:
    """Return the delegation of every requirement that the actor may decide on, or of the one named.

    Time-boxed, on this request only; never to the requester; by a delegate only where the requirement allows chains.
    """
    if command.until <= now:
        msg = f"until: {command.until.isoformat()} has passed already"
        raise InputError(msg, field="until")
    if command.to in request.requester.people:
        msg = f"{command.to} stands behind request {request.id} and may not decide on it for anybody"
        raise SelfApprovalError(msg, request=request.id, actor=command.to)
    if command.to in command.actor.people:
        msg = "to: somebody else has to decide in one's place"
        raise InputError(msg, field="to")
    chosen = request.current_approvals
    if command.requirement is not None:
        chosen = (requirement_of(request, command.requirement),)
    refusals = {each.id: _refusal(request, each, command, now) for each in chosen}
    events = [_delegated(each, command, now) for each in chosen if refusals[each.id] is None]
    if not events:
        raise most_telling([error for error in refusals.values() if error] or [_nothing(request)])
    return events


def reassign(command: Reassign, request: MutationRequest, now: datetime) -> Sequence[RequestEvent]:
    """Return the end of one requirement and the opening of the same for other people; for administrators only.

    What was decided on the old one does not count for the new one: it was an answer to another question.
    """
    if command.actor.kind not in ADMINISTRATORS:
        msg = f"{command.actor.id} may not reassign requirements of request {request.id}: only an administrator may"
        raise NotAuthorizedError(msg, request=request.id, actor=command.actor.id)
    check_in_time(request, now)
    old = requirement_of(request, command.requirement)
    asked = old.approval.model_copy(update={"approvers": command.approvers})
    if (asked.named is not None and asked.quorum > len(asked.named)) or not asked.approvers:
        msg = f"a quorum of {asked.quorum} cannot be met by {len(asked.named or ())} named people"
        raise ConfigurationError(msg, request=request.id, requirement=old.id)
    check_fillable(asked, request.requester, now)
    number = sum(1 for each in request.requirements if each.round == request.round) + 1
    new_id = f"{request.round}.{number}"
    return [
        ApprovalReassigned(requirement_id=old.id, replaced_by=new_id, reason=command.reason),
        PendingApproval(
            requirement_id=new_id,
            round=request.round,
            requirement=asked,
            expires_at=old.expires_at,
            digest=requirement_digest(content_digest(request), asked),
        ),
    ]


def _refusal(
    request: MutationRequest, opened: OpenedRequirement, command: Delegate, now: datetime
) -> GovernanceError | None:
    error = standing_refusal(request, opened, command.actor, now)
    if error is not None:
        return error
    by = entitlement(command.actor, opened, now)
    if by is not None and by.delegated_by is not None and not opened.approval.chains:
        msg = f"{command.actor.id} decides on requirement {opened.id} for {by.delegated_by}, and may not pass it on"
        return NotAuthorizedError(msg, request=request.id, actor=command.actor.id, requirement=opened.id)
    return None


def _delegated(opened: OpenedRequirement, command: Delegate, now: datetime) -> ApprovalDelegated:
    by = entitlement(command.actor, opened, now)
    if by is None:
        msg = f"{command.actor.id} may not decide on requirement {opened.id}"
        raise NotAuthorizedError(msg, actor=command.actor.id, requirement=opened.id)
    return ApprovalDelegated(
        requirement_id=opened.id,
        delegator=command.actor.person,
        delegate=command.to,
        matched=by.matched,
        until=command.until,
        reason=command.reason,
    )


def _nothing(request: MutationRequest) -> InvalidTransitionError:
    msg = f"request {request.id} has no approval to delegate"
    return InvalidTransitionError(msg, request=request.id, status=request.status, command="delegate")
