"""Holding: the two questions that an execution asks of whoever knows calendars, quotas and other requests."""

from collections.abc import Callable, Sequence
from datetime import datetime

from governance.domain.condition_commands import Hold
from governance.domain.condition_events import PendingCondition
from governance.domain.errors import ConfigurationError, NotFoundError
from governance.domain.events import Rejected, RequestEvent
from governance.domain.request import MutationRequest
from governance.domain.requirements import Requirement
from governance.domain.values import clean

Holds = Callable[[MutationRequest, datetime], Hold | None]
"""Says why an approved request may not run now, None when it may."""
Checks = Callable[[MutationRequest, Sequence[Requirement]], None]
"""Refuses requirements that can never be met: ConfigurationError, NotFoundError."""


def nothing_holds(request: MutationRequest, now: datetime) -> Hold | None:
    """Return None: where nobody knows of anything that holds, nothing does."""
    del request, now
    return None


def nothing_to_check(request: MutationRequest, asked: Sequence[Requirement]) -> None:
    """Refuse nothing."""
    del request, asked


def possible(
    check: Checks, request: MutationRequest, events: Sequence[RequestEvent], hold: Hold | None
) -> Sequence[RequestEvent]:
    """Return the events; the end of the request instead of a new round that asks for what can never be met."""
    asked = [each.requirement for each in events if isinstance(each, PendingCondition)]
    if not asked or hold is not None:
        return events
    try:
        check(request, asked)
    except (ConfigurationError, NotFoundError) as error:
        return [events[0], Rejected(code="impossible-requirement", reason=clean(error.message))]
    return events
