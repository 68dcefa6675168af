"""Explaining: what a request still needs and who can supply it, by the same checks that refuse a decision."""

from datetime import datetime

from governance.directory import DirectoryLookup
from governance.domain.actors import Actor
from governance.domain.conditions import ScheduleRequirement
from governance.domain.entitlement import active_step, refusal
from governance.domain.lifecycle import OPEN, Status
from governance.domain.request import MutationRequest, OpenedRequirement
from governance.domain.requirements import ApprovalRequirement
from governance.outcome import Explanation, RequirementExplanation
from governance.wording import still_needs, who_meets


def explain(
    request: MutationRequest, now: datetime, actor: Actor | None = None, directory: DirectoryLookup | None = None
) -> Explanation:
    """Return why the request stands where it stands; with an actor, also what that one may do about it and why not.

    With a directory, also exactly which people can still supply what is missing.
    """
    return Explanation(
        request_id=request.id,
        status=request.status,
        text=_standing(request, now),
        requirements=tuple(_requirement(request, each, now, actor, directory) for each in request.current_requirements),
        digest=request.digest,
        reversibility=request.reversibility,
    )


def _standing(request: MutationRequest, now: datetime) -> str:
    if request.expires_at is not None and request.status in OPEN and now >= request.expires_at:
        return f"its deadline {request.expires_at.isoformat()} has passed; it can only expire"
    match request.status:
        case Status.PENDING:
            missing = "; ".join(still_needs(each) for each in request.open_requirements)
            return f"it waits: {missing}"
        case Status.APPROVED:
            return "nothing is missing: it can be executed"
        case Status.EXECUTED:
            done = f"it was executed and made version {request.resulting_version} of {request.state_id}"
            return f"{done}{_not_put_right(request)}"
        case Status.COMPENSATED:
            return f"it was executed, and put right by request {request.links.compensated_by}"
        case Status.SUPERSEDED:
            return f"request {request.links.superseded_by} took its place"
        case _:
            return f"it ended: {request.ended_because or request.status}"


def _not_put_right(request: MutationRequest) -> str:
    failure = request.compensation_failure
    if failure is None:
        return ""
    by = f"putting it right by request {failure.by}" if failure.by else "putting it right"
    return f"; {by} failed ({failure.reason}), and {failure.owner or 'somebody'} has to see to it"


def _requirement(
    request: MutationRequest,
    opened: OpenedRequirement,
    now: datetime,
    actor: Actor | None,
    directory: DirectoryLookup | None,
) -> RequirementExplanation:
    if not isinstance(opened.asked, ApprovalRequirement):
        return _condition(request, opened)
    pending = request.status is Status.PENDING
    if actor is not None and directory is not None:
        actor = directory.actor(actor, opened.asked.approvers)
    error = refusal(request, opened, actor, now) if actor is not None else None
    people = directory.people(opened.asked, request.requester) if directory is not None else None
    return RequirementExplanation(
        id=opened.id,
        name=opened.asked.name,
        kind=opened.asked.kind,
        status=opened.status,
        step=opened.asked.step,
        active=pending and opened.status == "open" and opened.asked.step == active_step(request),
        quorum=opened.asked.quorum,
        granted_by=opened.granted_by,
        missing=opened.missing if opened.status == "open" else 0,
        who=tuple(str(each) for each in opened.asked.approvers),
        people=None if people is None else tuple(sorted(each for each in people if not opened.vote_of(each))),
        expires_at=opened.expires_at,
        digest=opened.digest,
        actor_may=None if actor is None else pending and error is None,
        actor_may_not_because=str(error) if error is not None else None,
        text=still_needs(opened) if opened.status == "open" else f"requirement {opened.id} is {opened.status}",
    )


def _condition(request: MutationRequest, opened: OpenedRequirement) -> RequirementExplanation:
    waits = request.status is Status.PENDING and opened.status == "open"
    earliest = opened.asked.not_before if isinstance(opened.asked, ScheduleRequirement) else None
    return RequirementExplanation(
        id=opened.id,
        name=opened.asked.name,
        kind=opened.asked.kind,
        status=opened.status,
        step=1,
        active=waits,
        quorum=1,
        granted_by=(),
        missing=opened.missing if opened.status == "open" else 0,
        who=who_meets(opened.asked),
        expires_at=opened.expires_at,
        earliest=earliest if waits else None,
        digest=opened.digest,
        text=still_needs(opened) if opened.status == "open" else f"requirement {opened.id} is {opened.status}",
    )
