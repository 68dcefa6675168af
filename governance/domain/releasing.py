"""Releasing: how conditions are met or fail, and what holds a request back that was approved."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, assert_never

from governance.domain.actors import ADMINISTRATORS, Actor
from governance.domain.condition_commands import ConditionCommand, Hold, OverrideWindow, RecordCheck, Release
from governance.domain.condition_events import (
    AboutConditions,
    DependencySatisfied,
    ExternalCheckFailed,
    ExternalCheckPassed,
    PendingDependency,
    PendingSchedule,
    QuotaReserved,
    ScheduleReached,
    WindowOverridden,
)
from governance.domain.conditions import EVERYTHING, ScheduleRequirement
from governance.domain.errors import (
    AlreadyDecidedError,
    GovernanceError,
    NotAuthorizedError,
    NotDueError,
    NotFoundError,
    SelfApprovalError,
    StaleError,
)
from governance.domain.events import Approved, Rejected, RequestEvent
from governance.domain.expiry import check_in_time
from governance.domain.request import MutationRequest, OpenedRequirement, content_digest, requirement_digest, satisfied
from governance.domain.values import clean

_KINDS: Final[dict[type[AboutConditions], str]] = {
    ScheduleReached: "schedule",
    DependencySatisfied: "dependency",
    QuotaReserved: "quota",
}
FREEZE: Final = ScheduleRequirement(name="freeze", window=EVERYTHING)
"""What a request waits for that asks for no window, while everything is frozen."""


def decide_condition(command: ConditionCommand, request: MutationRequest, now: datetime) -> Sequence[RequestEvent]:
    """Return what the command causes; refused when a deadline has passed before."""
    check_in_time(request, now)
    match command:
        case Release():
            return _release(command, request, now)
        case RecordCheck():
            return _record_check(command, request)
        case OverrideWindow():
            return _override(command, request, now)
    assert_never(command)


def _release(command: Release, request: MutationRequest, now: datetime) -> Sequence[RequestEvent]:
    if command.failed is not None:
        failed = _open(request, command.failed.requirement_id, "dependency")
        return [Rejected(code="dependency-failed", reason=clean(f"requirement {failed.id}: {command.failed.reason}"))]
    for event in command.met:
        opened = _open(request, event.requirement_id, _KINDS[type(event)])
        if not in_time(opened, now):
            msg = f"requirement {opened.id} of request {request.id} is not due yet"
            raise NotDueError(msg, request=request.id, requirement=opened.id)
    if not command.met:
        msg = f"nothing that request {request.id} waits for holds now"
        raise NotDueError(msg, request=request.id)
    return _and_approved(request, command.met)


def in_time(opened: OpenedRequirement, now: datetime) -> bool:
    """Return whether the requirement's earliest time, if it has one, has come."""
    asked = opened.asked
    return not isinstance(asked, ScheduleRequirement) or asked.not_before is None or asked.not_before <= now


def open_check(request: MutationRequest, check: str) -> OpenedRequirement:
    """Return the open check of the current round with this name or id; NotFoundError, AlreadyDecidedError."""
    return _open(request, check, "external_check")


def _open(request: MutationRequest, requirement_id: str, kind: str) -> OpenedRequirement:
    found = request.requirement(requirement_id)
    if found is None or found.asked.kind != kind:
        msg = f"request {request.id} has no {kind} requirement {requirement_id} in round {request.round}"
        raise NotFoundError(msg, request=request.id, requirement=requirement_id)
    if found.status != "open":
        msg = f"requirement {found.id} of request {request.id} is {found.status} already"
        raise AlreadyDecidedError(msg, request=request.id, requirement=found.id)
    return found


def _and_approved(request: MutationRequest, met: Sequence[AboutConditions]) -> Sequence[RequestEvent]:
    ids = {getattr(each, "requirement_id", None) for each in met}
    events: list[RequestEvent] = list(met)  # type: ignore[arg-type]
    if request.open_requirements and satisfied(each for each in request.current_requirements if each.id not in ids):
        events.append(Approved(round=request.round))
    return events


def _record_check(command: RecordCheck, request: MutationRequest) -> Sequence[RequestEvent]:
    _check_answerer(command, request)
    opened = _open(request, command.check, "external_check")
    if command.digest is not None and command.digest != opened.digest:
        msg = f"check {command.check} answered to other content than request {request.id} has in round {request.round}"
        raise StaleError(msg, request=request.id, seen=command.digest, current=opened.digest)
    check = opened.asked.name or opened.id
    if command.passed:
        passed = ExternalCheckPassed(
            requirement_id=opened.id, check=check, digest=opened.digest, evidence=command.evidence
        )
        return _and_approved(request, [passed])
    failed = ExternalCheckFailed(
        requirement_id=opened.id, check=check, digest=opened.digest, why="failed", evidence=command.evidence
    )
    return [failed, Rejected(code="check-failed", reason=clean(f"check {check} said no"))]


def _check_answerer(command: RecordCheck, request: MutationRequest) -> None:
    actor = command.actor
    if actor.people & request.requester.people:
        msg = f"{actor.id} stands behind request {request.id} and may not answer for check {command.check}"
        raise SelfApprovalError(msg, request=request.id, actor=actor.id)
    if actor.kind == "user" and not command.by_token and command.permission not in actor.roles:
        msg = f"{actor.id} may not answer for check {command.check}: that takes the role {command.permission}"
        raise NotAuthorizedError(msg, request=request.id, actor=actor.id)


def _override(command: OverrideWindow, request: MutationRequest, now: datetime) -> Sequence[RequestEvent]:
    error = _may_not_override(command.actor, command.permission, request)
    if error is not None:
        raise error
    if request.outside_windows:
        msg = f"no window holds request {request.id} in round {request.round} already"
        raise AlreadyDecidedError(msg, request=request.id, actor=command.actor.id)
    waiting = [each for each in request.open_requirements if each.asked.kind == "schedule" and in_time(each, now)]
    overridden = WindowOverridden(approver=command.actor.person, reason=command.reason)
    return _and_approved(request, [overridden, *(ScheduleReached(requirement_id=each.id) for each in waiting)])


def _may_not_override(actor: Actor, permission: str, request: MutationRequest) -> GovernanceError | None:
    if actor.people & request.requester.people:
        msg = f"{actor.id} stands behind request {request.id} and may not let it out of its window"
        return SelfApprovalError(msg, request=request.id, actor=actor.id)
    if actor.kind not in ADMINISTRATORS and permission not in actor.roles:
        msg = f"{actor.id} may not override windows: that takes the role {permission}"
        return NotAuthorizedError(msg, request=request.id, actor=actor.id)
    return None


def held(hold: Hold, request: MutationRequest) -> Sequence[RequestEvent]:
    """Return what becomes of an approved request that something holds: it waits again, or it ends."""
    if hold.ends:
        return [Rejected(code="dependency-failed", reason=clean(hold.because))]
    number = sum(1 for each in request.requirements if each.round == request.round) + 1
    opened_before = request.requirement(hold.requirement_id) if hold.requirement_id else None
    kind = PendingSchedule if isinstance(hold.requirement, ScheduleRequirement) else PendingDependency
    return [
        kind(
            requirement_id=opened_before.id if opened_before else f"{request.round}.{number}",
            round=request.round,
            requirement=hold.requirement,  # type: ignore[arg-type]
            expires_at=opened_before.expires_at if opened_before else None,
            digest=requirement_digest(content_digest(request), hold.requirement),
            because=clean(hold.because),
        )
    ]
