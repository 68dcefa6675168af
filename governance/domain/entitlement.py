"""Who may decide on what: the checks that refuse a decision, and by which it is explained why it would be refused."""

from collections.abc import Iterable
from datetime import datetime

from governance.domain.actors import Actor
from governance.domain.errors import (
    AlreadyDecidedError,
    ApprovalExpiredError,
    ConfigurationError,
    GovernanceError,
    InvalidTransitionError,
    NotAuthorizedError,
    OutOfStepError,
    SamePersonError,
    SelfApprovalError,
)
from governance.domain.request import MutationRequest, OpenedRequirement
from governance.domain.requirements import ApprovalRequirement, Approver
from governance.domain.values import Value

_TELLING = (
    SelfApprovalError,
    SamePersonError,
    AlreadyDecidedError,
    OutOfStepError,
    ApprovalExpiredError,
    NotAuthorizedError,
    InvalidTransitionError,
)


class Entitlement(Value):
    """By what somebody may decide, and in whose place when it is not their own."""

    matched: Approver
    delegated_by: str | None = None


def check_fillable(requirement: ApprovalRequirement, requester: Actor, now: datetime) -> None:
    """Refuse a requirement that nobody could ever meet: ConfigurationError, before anything is stored."""
    named = requirement.named
    if named is not None and len(named - requester.people) < requirement.quorum:
        msg = (
            f"the quorum of {requirement.quorum} cannot be met: of {len(named)} named people "
            f"{len(named & requester.people)} stand behind the request and may not approve it"
        )
        raise ConfigurationError(msg, requirement=requirement.name, requester=requester.id)
    deadline = requirement.deadline(now)
    if deadline is not None and deadline <= now:
        msg = f"the approval's deadline {deadline.isoformat()} has passed already"
        raise ConfigurationError(msg, requirement=requirement.name)


def active_step(request: MutationRequest) -> int | None:
    """Return the lowest step that still has an open requirement, None when there is none."""
    return min((each.approval.step for each in request.open_approvals), default=None)


def entitlement(actor: Actor, opened: OpenedRequirement, now: datetime) -> Entitlement | None:
    """Return by what the actor may decide on the requirement: their own right first, else a delegation in force."""
    own = next((each for each in opened.approval.approvers if each.matches(actor)), None)
    if own is not None:
        return Entitlement(matched=own)
    for delegation in opened.delegations:
        if delegation.delegate == actor.person and now < delegation.until and not opened.vote_of(delegation.delegator):
            return Entitlement(matched=delegation.matched, delegated_by=delegation.delegator)
    return None


def refusal(request: MutationRequest, opened: OpenedRequirement, actor: Actor, now: datetime) -> GovernanceError | None:
    """Return why the actor may not decide on the requirement now, None when they may."""
    early = standing_refusal(request, opened, actor, now)
    return early or _different_people(request, opened, actor) or _in_step(request, opened, actor)


def voices(
    request: MutationRequest, opened: OpenedRequirement, actors: Iterable[Actor], now: datetime
) -> frozenset[str]:
    """Return whose decisions these actors could still make, now or when the step's turn comes; each counts once.

    A delegate's is that of the delegator.
    """
    found: set[str] = set()
    for actor in actors:
        by, error = entitlement(actor, opened, now), refusal(request, opened, actor, now)
        if by is not None and (error is None or isinstance(error, OutOfStepError)):
            found.add(by.delegated_by or actor.person)
    return frozenset(found)


def standing_refusal(
    request: MutationRequest, opened: OpenedRequirement, actor: Actor, now: datetime
) -> GovernanceError | None:
    """Return why the requirement is not, or not any more, for the actor to decide on, whatever step it is in."""
    return (
        _separate_duties(request, opened, actor)
        or _entitled(request, opened, actor, now)
        or _first_decision(request, opened, actor)
        or _still_open(request, opened, actor)
        or _in_time(request, opened, actor, now)
    )


def most_telling(errors: Iterable[GovernanceError]) -> GovernanceError:
    """Return the refusal that helps most of several: what is about the person before what is about the requirement."""

    def rank(error: GovernanceError) -> int:
        return next(place for place, kind in enumerate(_TELLING) if isinstance(error, kind))

    return min(errors, key=rank)


def _separate_duties(request: MutationRequest, opened: OpenedRequirement, actor: Actor) -> GovernanceError | None:
    if not actor.people & request.requester.people:
        return None
    msg = f"{actor.id} stands behind request {request.id} and may not decide on it (to take it back, cancel it)"
    return SelfApprovalError(msg, request=request.id, actor=actor.id, requirement=opened.id)


def _entitled(
    request: MutationRequest, opened: OpenedRequirement, actor: Actor, now: datetime
) -> GovernanceError | None:
    if entitlement(actor, opened, now) or opened.vote_behind_which(actor.people):
        return None
    wanted = ", ".join(str(each) for each in opened.approval.approvers)
    msg = f"{actor.id} may not decide on requirement {opened.id}: it asks for {wanted}"
    return NotAuthorizedError(msg, request=request.id, actor=actor.id, requirement=opened.id)


def _first_decision(request: MutationRequest, opened: OpenedRequirement, actor: Actor) -> GovernanceError | None:
    vote = opened.vote_behind_which(actor.people)
    if vote is None:
        return None
    whose = f"{vote.approver} in place of {vote.delegated_by}" if vote.delegated_by else vote.approver
    msg = f"{whose} has {vote.decision} requirement {opened.id} already; that has to be withdrawn before it can change"
    return AlreadyDecidedError(msg, request=request.id, actor=actor.person, requirement=opened.id)


def _still_open(request: MutationRequest, opened: OpenedRequirement, actor: Actor) -> GovernanceError | None:
    if opened.status == "open":
        return None
    msg = f"requirement {opened.id} of request {request.id} is {opened.status} already"
    kind = ApprovalExpiredError if opened.status == "expired" else AlreadyDecidedError
    return kind(msg, request=request.id, actor=actor.id, requirement=opened.id)


def _in_time(
    request: MutationRequest, opened: OpenedRequirement, actor: Actor, now: datetime
) -> GovernanceError | None:
    ends = min((each for each in (opened.expires_at, request.expires_at) if each), default=None)
    if ends is None or now < ends:
        return None
    msg = f"the time to decide on requirement {opened.id} of request {request.id} ended at {ends.isoformat()}"
    return ApprovalExpiredError(msg, request=request.id, actor=actor.id, requirement=opened.id, expires_at=ends)


def _different_people(request: MutationRequest, opened: OpenedRequirement, actor: Actor) -> GovernanceError | None:
    for other in request.current_approvals:
        if other.approval.step in opened.approval.different_from and other.vote_behind_which(actor.people):
            msg = f"{actor.id} decided in step {other.approval.step}; requirement {opened.id} asks for somebody else"
            return SamePersonError(msg, request=request.id, actor=actor.id, requirement=opened.id)
    return None


def _in_step(request: MutationRequest, opened: OpenedRequirement, actor: Actor) -> GovernanceError | None:
    step = active_step(request)
    if step is None or opened.approval.step <= step:
        return None
    msg = f"requirement {opened.id} is step {opened.approval.step} of request {request.id}; step {step} is still open"
    return OutOfStepError(msg, request=request.id, actor=actor.id, requirement=opened.id, step=step)
