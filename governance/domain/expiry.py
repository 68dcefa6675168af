"""Expiry: what time alone ends, a request by its own deadline or by that of an open requirement."""

from collections.abc import Sequence
from datetime import datetime

from governance.domain.errors import ApprovalExpiredError
from governance.domain.events import ApprovalExpired, Expired, Rejected, RequestEvent
from governance.domain.request import MutationRequest


def due(request: MutationRequest, now: datetime) -> Sequence[RequestEvent]:
    """Return the events that time alone causes: the request's own deadline first, then those of its requirements."""
    if request.expires_at is not None and request.expires_at <= now:
        return [Expired(expires_at=request.expires_at)]
    late = [each for each in request.open_requirements if each.expires_at is not None and each.expires_at <= now]
    if not late:
        return []
    names = ", ".join(each.id for each in late)
    expired = [ApprovalExpired(requirement_id=each.id) for each in late]
    return [*expired, Rejected(code="approval-expired", reason=f"the deadline of requirement {names} passed")]


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
