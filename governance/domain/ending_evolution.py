"""How a request ends, gives up or takes a place, and is put right: the part of the fold that is about these."""

from typing import Any, assert_never

from governance.domain.events import (
    Canceled,
    Compensated,
    CompensationFailed,
    Expired,
    Rejected,
    Replaced,
    Superseded,
)
from governance.domain.lifecycle import Status
from governance.domain.recorded import Recorded
from governance.domain.request import CompensationFailure, MutationRequest

EndEvent = Rejected | Canceled | Expired | Superseded | Replaced | Compensated | CompensationFailed


def ending_changes(request: MutationRequest, event: EndEvent, recorded: Recorded) -> dict[str, Any]:
    """Return what the event changes in the request."""
    match event:
        case Rejected():
            return {"status": Status.REJECTED, "ended_because": event.reason, "end_code": event.code}
        case Canceled():
            return {"status": Status.CANCELED, "ended_because": event.reason, "end_code": "canceled"}
        case Expired():
            return {"status": Status.EXPIRED, "ended_because": "its deadline passed", "end_code": "expired"}
        case Superseded() | Replaced():
            return _place(request, event)
        case Compensated() | CompensationFailed():
            return _put_right(request, event, recorded)
    assert_never(event)


def _place(request: MutationRequest, event: Superseded | Replaced) -> dict[str, Any]:
    if isinstance(event, Superseded):
        links = request.links.model_copy(update={"superseded_by": event.by})
        return {"status": Status.SUPERSEDED, "links": links, "end_code": "superseded"}
    update = {"supersedes": event.predecessor, "predecessors": (*request.links.predecessors, event.predecessor)}
    return {"links": request.links.model_copy(update=update)}


def _put_right(request: MutationRequest, event: Compensated | CompensationFailed, recorded: Recorded) -> dict[str, Any]:
    if isinstance(event, CompensationFailed):
        failure = CompensationFailure(by=event.by, reason=event.reason, owner=event.owner, at=recorded.at)
        return {"compensation_failure": failure}
    links = request.links.model_copy(update={"compensated_by": event.by})
    return {"status": Status.COMPENSATED, "links": links, "compensation_failure": None}
