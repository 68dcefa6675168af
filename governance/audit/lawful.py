"""One request's stream checked against itself: legal transitions, quorums, and digests of what was approved."""

from collections.abc import Callable, Iterator
from typing import Any, Final, get_args

from governance.domain import condition_events, events
from governance.domain.effect_events import EffectEvent
from governance.domain.errors import GovernanceError, InvalidTransitionError
from governance.domain.events import RequestEvent
from governance.domain.evolution import evolve
from governance.domain.execution import check_approved_content
from governance.domain.lifecycle import OPEN, Status, check_transition
from governance.domain.recorded import Recorded
from governance.domain.request import MutationRequest, content_digest, requirement_digest, satisfied

_PENDING: Final = frozenset({Status.PENDING})
_APPROVED: Final = frozenset({Status.APPROVED})
_RAN: Final = frozenset({Status.EXECUTED, Status.COMPENSATED})
_ANY: Final = frozenset(Status)
_ALLOWED: Final[dict[type[RequestEvent], frozenset[Status]]] = {
    events.PoliciesEvaluated: OPEN,
    events.Amended: OPEN,
    events.PendingApproval: _PENDING,
    condition_events.PendingSchedule: OPEN,
    condition_events.PendingDependency: OPEN,
    condition_events.PendingQuota: OPEN,
    condition_events.PendingExternalCheck: OPEN,
    condition_events.ScheduleReached: _PENDING,
    condition_events.DependencySatisfied: _PENDING,
    condition_events.QuotaReserved: _PENDING,
    condition_events.ExternalCheckPassed: _PENDING,
    condition_events.ExternalCheckFailed: _PENDING,
    condition_events.WindowOverridden: OPEN,
    events.ApprovalGranted: _PENDING,
    events.ApprovalRejected: _PENDING,
    events.ApprovalWithdrawn: _PENDING,
    events.ApprovalDelegated: _PENDING,
    events.ApprovalReassigned: _PENDING,
    events.ApprovalExpired: OPEN,
    events.QuorumReached: _PENDING,
    events.GlassBroken: _PENDING,
    events.Reviewed: _ANY,
    events.Commented: _ANY,
    events.Approved: _PENDING,
    events.VersionResolved: _APPROVED,
    events.ExecutionStarted: _APPROVED,
    events.Executed: _APPROVED,
    events.ExecutionFailed: _APPROVED,
    events.InterceptorFailed: _ANY,
    events.Rejected: OPEN,
    events.Canceled: OPEN,
    events.Expired: OPEN,
    events.Superseded: OPEN,
    events.Replaced: OPEN,
    events.Compensated: frozenset({Status.EXECUTED}),
    events.CompensationFailed: _RAN,
    **dict.fromkeys(get_args(EffectEvent), _RAN),
}
"""For each event, the statuses in which it may happen; `Created` is the first and has none before it."""


class LawfulRequest:
    """A request as its events make it; each event is checked before it is taken in."""

    def __init__(self) -> None:
        self.request: MutationRequest | None = None
        self._resolved: MutationRequest | None = None
        self.opened = False
        """Whether it ever waited or was approved: one that was refused at once supersedes nothing."""

    def take(self, recorded: Recorded) -> Iterator[str]:
        """Return what is wrong with the next event."""
        before, event = self.request, recorded.event
        try:
            self.request = evolve(before, recorded)
        except (GovernanceError, TypeError, ValueError) as error:
            yield str(error)
            return
        if isinstance(event, events.Created):
            if before is not None:
                yield "the request was created before"
            yield from _stored_mutation(event)
        elif before is not None:
            yield from _legal(before, event, self.request)
            yield from self._checked(before, event)

    def _checked(self, before: MutationRequest, event: Any) -> Iterator[str]:
        if isinstance(event, events.VersionResolved):
            self._resolved = before if event.outcome in {"matched", "revalidated"} else None
        elif isinstance(event, events.Executed):
            yield from _as_approved(self._resolved)
        elif isinstance(event, events.PendingApproval | condition_events.PendingCondition | events.Approved):
            self.opened = True
        check = _CHECKS.get(type(event))
        if check is not None:
            yield from check(before, event)


def _legal(before: MutationRequest, event: Any, after: MutationRequest) -> Iterator[str]:
    if before.status not in _ALLOWED.get(type(event), _ANY):
        yield f"{type(event).__name__} may not follow while the request is {before.status}"
    try:
        check_transition(before.status, after.status, before.id)
    except InvalidTransitionError as error:
        yield error.message


def _stored_mutation(event: events.Created | events.Amended) -> Iterator[str]:
    if event.mutation.digest != event.mutation_digest:
        yield "the mutation's digest is not that of the mutation"


def _amended(before: MutationRequest, event: events.Amended) -> Iterator[str]:
    yield from _stored_mutation(event)


def _pending(
    before: MutationRequest, event: events.PendingApproval | condition_events.PendingCondition
) -> Iterator[str]:
    if event.digest != requirement_digest(content_digest(before), event.requirement):
        yield f"the digest of requirement {event.requirement_id} is not that of what was to be approved"


def _voted(before: MutationRequest, event: events.ApprovalGranted | events.ApprovalRejected) -> Iterator[str]:
    opened = next((each for each in before.requirements if each.id == event.requirement_id), None)
    if opened is None:
        yield f"there is no requirement {event.requirement_id} to decide on"
    elif event.digest != opened.digest:
        yield f"{event.approver} decided on other content than requirement {opened.id} asks for"
    elif opened.vote_of(event.approver) is not None:
        yield f"{event.approver} has decided on requirement {opened.id} before"


def _quorum(before: MutationRequest, event: events.QuorumReached) -> Iterator[str]:
    opened = next((each for each in before.requirements if each.id == event.requirement_id), None)
    if opened is None:
        yield f"there is no requirement {event.requirement_id} to be met"
    elif set(event.approvers) != set(opened.granted_by) or len(set(event.approvers)) < opened.approval.quorum:
        yield f"requirement {opened.id} is not met by those who approved it"


def _approved(before: MutationRequest, event: events.Approved) -> Iterator[str]:
    if not before.behind_glass and not satisfied(before.current_requirements):
        yield "approved while a requirement is not met"


def _as_approved(resolved: MutationRequest | None) -> Iterator[str]:
    if resolved is None:
        yield "executed without having been compared with the current version"
        return
    try:
        check_approved_content(resolved)
    except GovernanceError as error:
        yield error.message


_CHECKS: Final[dict[type[Any], Callable[[MutationRequest, Any], Iterator[str]]]] = {
    events.Amended: _amended,
    events.PendingApproval: _pending,
    events.ApprovalGranted: _voted,
    events.ApprovalRejected: _voted,
    events.QuorumReached: _quorum,
    events.Approved: _approved,
}
