"""Approvals that nobody can give any more, and delegations to people who cannot decide."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from governance.cli.doctor_finding import PAGE, Examined, Finding, Named
from governance.directory import Members, entitled_actor, people_for
from governance.domain.actors import Actor
from governance.domain.entitlement import refusal, voices
from governance.domain.errors import GovernanceError
from governance.domain.request import Delegation, MutationRequest, OpenedRequirement
from governance.domain.requirements import Approver

if TYPE_CHECKING:
    from projections.rows import ApprovalRow

MAX_LOADED: Final = 1_000
"""How many requests are looked at one by one, where the view says that too few could decide."""
Voted = Mapping[str, frozenset[str]]


def unsatisfiable(examined: Examined) -> tuple[list[dict[str, Any]], int]:
    """Return the requirements that fewer people can meet than they need, and how many more seem to be like that.

    Who is in a role only a directory says: without one, only requirements of named people are looked at.
    """
    voted = _voted(examined)
    found: list[dict[str, Any]] = []
    more = 0
    for row in _rows(examined, "open"):
        if not _seems_hopeless(row, examined, voted):
            continue
        if len(found) >= MAX_LOADED:
            more += 1
        elif (told := _hopeless(row, examined)) is not None:
            found.append(told)
    return found, more


def dead_delegations(examined: Examined) -> Iterator[Finding]:
    """Yield delegations in force by which nobody can decide, and those that are over and cannot go back either."""
    for request in _delegated(examined):
        for opened in request.open_approvals:
            for each in opened.delegations:
                why = _dead(request, opened, each, examined)
                if why is not None:
                    what = f"{each.delegator} has handed requirement {opened.id} on to {each.delegate}: {why}"
                    about = [Named(request_id=request.id, requirement_id=opened.id)]
                    yield Finding.about("dead-delegation", about, what=what, next="gov delegate anew, or gov reassign")


def _voted(examined: Examined) -> Voted:
    """Return who has decided on other requirements of a request: those may be barred from the next."""
    people: defaultdict[str, frozenset[str]] = defaultdict(frozenset)
    for row in _rows(examined, "satisfied"):
        people[row.request_id] |= {*row.granted_by, *row.rejected_by}
    return people


def _rows(examined: Examined, status: str) -> "Iterator[ApprovalRow]":
    after: str | None = None
    while True:
        page = examined.views.approvals(status=status, request_status="pending", limit=PAGE, after=after)
        yield from page.items
        after = page.next
        if after is None:
            return


def _seems_hopeless(row: "ApprovalRow", examined: Examined, voted: Voted) -> bool:
    """Return whether the view says that too few are left; whoever decided elsewhere in the request counts as gone."""
    if row.decide_before is not None and row.decide_before <= examined.now:
        return False
    approvers = _approvers(row.approvers)
    members = _members(approvers, examined)
    if members is None:
        return False
    named = {each.id for each in approvers if each.kind == "actor"}
    gone = {row.requester, row.on_behalf_of, *row.granted_by, *row.rejected_by, *voted.get(row.request_id, ())}
    return len(named.union(*members.values()) - gone) < row.missing


@lru_cache(maxsize=4096)
def _approvers(told: tuple[str, ...]) -> tuple[Approver, ...]:
    parts = (each.partition(":") for each in told)
    return tuple(Approver.model_validate({"kind": kind, "id": which}) for kind, _, which in parts)


def _members(approvers: Sequence[Approver], examined: Examined) -> Members | None:
    """Return who is in the roles and groups, None when that is not known."""
    if examined.holders is not None:
        return examined.holders.of(approvers)
    return {} if all(each.kind == "actor" for each in approvers) else None


def _hopeless(row: "ApprovalRow", examined: Examined) -> dict[str, Any] | None:
    """Return the requirement if the request itself, too, says that too few can decide on it."""
    request = examined.governance.request(row.request_id)
    opened = next((each for each in request.open_approvals if each.id == row.requirement_id), None)
    members = None if opened is None else _members(opened.approval.approvers, examined)
    if opened is None or members is None:
        return None
    people = people_for(opened.approval, members, request.requester) | {each.delegate for each in opened.delegations}
    able = voices(request, opened, [_actor(each, opened, members) for each in people], examined.now)
    if len(able) >= opened.missing:
        return None
    return {
        "request_id": request.id,
        "requirement_id": opened.id,
        "missing": opened.missing,
        "people": sorted(able),
        "who": [str(each) for each in opened.approval.approvers],
    }


def _delegated(examined: Examined) -> Iterator[MutationRequest]:
    after: str | None = None
    while True:
        page = examined.views.requests(decision="ApprovalDelegated", status="pending", limit=PAGE, after=after)
        for row in page.items:
            yield examined.governance.request(row.request_id)
        after = page.next
        if after is None:
            return


def _dead(request: MutationRequest, opened: OpenedRequirement, given: Delegation, examined: Examined) -> str | None:
    """Return why nobody can decide by the delegation, None when somebody can or need not any more."""
    members = _members(opened.approval.approvers, examined)
    if members is None or opened.vote_of(given.delegator):
        return None
    delegate = _actor(given.delegate, opened, members)
    if voices(request, opened, [delegate], examined.now):
        return None
    if examined.now < given.until:
        return _told(request, opened, delegate, examined)
    delegator = _actor(given.delegator, opened, members)
    if voices(request, opened, [delegator], examined.now):
        return None
    return f"that ended at {given.until.isoformat()}, and {given.delegator} cannot decide any more"


def _told(request: MutationRequest, opened: OpenedRequirement, actor: Actor, examined: Examined) -> str:
    error: GovernanceError | None = refusal(request, opened, actor, examined.now)
    return error.message if error is not None else f"{actor.id} cannot decide"


def _actor(person: str, opened: OpenedRequirement, members: Members) -> Actor:
    return entitled_actor(Actor(id=person), opened.approval.approvers, members)
