"""What a request tells of itself: one line for each of its events."""

from governance.domain.events import ApprovalRejected
from governance.domain.recorded import Recorded
from governance.domain.story import Decision
from governance.domain.terms import Fact


def decision_of(recorded: Recorded) -> Decision:
    """Return the line of the request's own story that an event adds."""
    event: Fact = recorded.event
    said = event.__dict__
    reason = said.get("reason") or said.get("comment") or said.get("text")
    if isinstance(event, ApprovalRejected):
        reason = event.rejection.message or event.comment or event.rejection.code
    return Decision.sound(
        category=event.category,
        code=type(event).__name__,
        by=recorded.by,
        at=recorded.at,
        reason=reason,
        requirement=said.get("requirement_id"),
        version=recorded.version,
    )
