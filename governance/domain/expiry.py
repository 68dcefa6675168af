"""Expiry: what time alone ends, a request by its own deadline or by that of an open requirement."""

from collections.abc import Sequence
from datetime import datetime

from governance.domain.condition_events import ExternalCheckFailed
from governance.domain.errors import ApprovalExpiredError
from governance.domain.events import ApprovalExpired, Expired, Rejected, RequestEvent
from governance.domain.lifecycle import OPEN
from governance.domain.request import MutationRequest, OpenedRequirement


def due(request: MutationRequest, now: datetime) -> Sequence[RequestEvent]:
    """Return the events that time alone causes: the request's own deadline first, then those of its requirements."""
    if request.expires_at is not None and request.expires_at <= now:
        return [Expired(expires_at=request.expires_at)]
    closed = _closed(request, now)
    if closed is not None:
        return [Expired(expires_at=closed)]
    late = [each for each in request.open_requirements if each.expires_at is not None and each.expires_at <= now]
    if not late:
        return []
    names = ", ".join(each.id for each in late)
    code = "approval-expired" if any(each.is_approval for each in late) else "check-timeout"
    return [*map(_expired, late), Rejected(code=code, reason=f"the deadline of requirement {names} passed")]


def _closed(request: MutationRequest, now: datetime) -> datetime | None:
    """Return the earliest time that has passed after which the request must not run, met requirements included."""
    if request.behind_glass or request.status not in OPEN:
        return None
    schedules = (each for each in request.current_requirements if each.asked.kind == "schedule")
    return min((each.expires_at for each in schedules if each.expires_at and each.expires_at <= now), default=None)


def _expired(opened: OpenedRequirement) -> ApprovalExpired | ExternalCheckFailed:
    if opened.is_approval:
        return ApprovalExpired(requirement_id=opened.id)
    check = opened.asked.name or opened.id
    return ExternalCheckFailed(requirement_id=opened.id, check=check, digest=opened.digest, why="timeout")


def expire(request: MutationRequest, now: datetime) -> Sequence[RequestEvent]:
    """Return what time has ended; ApprovalExpiredError when that is nothing."""
    events = due(request, now)
    if not events:
        msg = f"nothing of request {request.id} has expired at {now.isoformat()}"
        raise ApprovalExpiredError(msg, request=request.id)
    return events


def check_in_time(request: MutationRequest, now: datetime) -> None:
    """Refuse what comes after a deadline has ended the request in fact, whether or not that is recorded yet."""
    if due(request, now):
        msg = f"a deadline of request {request.id} has passed: all that is left is to expire it"
        raise ApprovalExpiredError(msg, request=request.id)
