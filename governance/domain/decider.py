"""The rules: which events a command causes, given the request as it stands. Pure; raises only GovernanceError."""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from governance.domain import approvals
from governance.domain.actors import ADMINISTRATORS
from governance.domain.break_glass import break_glass, review
from governance.domain.commands import (
    Approve,
    BreakGlass,
    Cancel,
    Command,
    Comment,
    Delegate,
    Execute,
    Expire,
    Reassign,
    Reject,
    Replace,
    Review,
    Supersede,
    Withdraw,
)
from governance.domain.condition_commands import OverrideWindow, RecordCheck, Release
from governance.domain.condition_events import PendingCondition
from governance.domain.delegation import delegate, reassign
from governance.domain.deliveries import decide_effect
from governance.domain.effect_commands import DropEffect, ReportDelivery, ReportFailure, RetryEffect
from governance.domain.errors import ExecutionInDoubtError, NotAuthorizedError
from governance.domain.events import (
    Approved,
    Canceled,
    Commented,
    Executed,
    ExecutionFailed,
    Expired,
    PendingApproval,
    Rejected,
    Replaced,
    RequestEvent,
    Superseded,
)
from governance.domain.execution import execute
from governance.domain.expiry import expire
from governance.domain.lifecycle import Status, check_command, check_transition
from governance.domain.releasing import decide_condition
from governance.domain.request import MutationRequest

_TARGETS: dict[type[RequestEvent], Status] = {
    Approved: Status.APPROVED,
    PendingApproval: Status.PENDING,
    Executed: Status.EXECUTED,
    Rejected: Status.REJECTED,
    Canceled: Status.CANCELED,
    Expired: Status.EXPIRED,
    Superseded: Status.SUPERSEDED,
}


_NOT_IN_DOUBT = frozenset({"execute", "cancel", "expire", "supersede", "replace"})


def decide(command: Command, request: MutationRequest, now: datetime) -> Sequence[RequestEvent]:
    """Return the events that the command causes; a GovernanceError refuses it and nothing has happened."""
    check_command(command.name, request.status, request.id)
    check_certain(request, command.name)
    events = _decide(command, request, now)
    _check_path(request, events)
    return events


def check_certain(request: MutationRequest, command: str) -> None:
    """Refuse what would end or run a request while nobody knows whether it has run: ExecutionInDoubtError."""
    if request.started is not None and command in _NOT_IN_DOUBT:
        msg = f"an execution of request {request.id} was begun, and nobody knows what came of it: reconcile it first"
        raise ExecutionInDoubtError(msg, request=request.id, command=command)


def _decide(command: Command, request: MutationRequest, now: datetime) -> Sequence[RequestEvent]:
    match command:
        case Approve() | Reject() | Withdraw():
            return approvals.decide(command, request, now)
        case Delegate() | Reassign() | BreakGlass() | Review() | Comment() | Replace():
            return _decide_aside(command, request, now)
        case Cancel() | Supersede():
            return [_ended_by_owner(request, command)]
        case Expire():
            return expire(request, now)
        case Execute():
            return execute(command, request, now)
        case Release() | RecordCheck() | OverrideWindow():
            return decide_condition(command, request, now)
        case ReportDelivery() | ReportFailure() | RetryEffect() | DropEffect():
            return decide_effect(command, request)
    assert_never(command)


def _decide_aside(
    command: Delegate | Reassign | BreakGlass | Review | Comment | Replace, request: MutationRequest, now: datetime
) -> Sequence[RequestEvent]:
    match command:
        case Delegate():
            return delegate(command, request, now)
        case Reassign():
            return reassign(command, request, now)
        case BreakGlass():
            return break_glass(command, request, now)
        case Review():
            return review(command, request)
        case Comment():
            return [Commented(text=command.text)]
        case Replace():
            return [Replaced(predecessor=command.predecessor)]
    assert_never(command)


def _ended_by_owner(request: MutationRequest, command: Cancel | Supersede) -> Canceled | Superseded:
    actor = command.actor
    if isinstance(command, Supersede) and command.newest_wins:
        return Superseded(by=command.by)
    if actor.people & request.requester.people or actor.kind in ADMINISTRATORS:
        return Superseded(by=command.by) if isinstance(command, Supersede) else Canceled(reason=command.reason)
    msg = f"{actor.id} may not {command.name} request {request.id}: only {request.requester.id} or an administrator may"
    raise NotAuthorizedError(msg, request=request.id, actor=actor.id)


def _check_path(request: MutationRequest, events: Sequence[RequestEvent]) -> None:
    status = request.status
    for event in events:
        after = _target(event, status)
        check_transition(status, after, request.id)
        status = after


def _target(event: RequestEvent, status: Status) -> Status:
    if isinstance(event, ExecutionFailed):
        return Status.FAILED if event.final else status
    if isinstance(event, PendingCondition):
        return Status.PENDING
    return _TARGETS.get(type(event), status)
