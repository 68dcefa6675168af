"""Drift: what approvers of a round were shown, and who may say the same yes again on a later round."""

from collections.abc import Iterable

from governance.domain.actors import Actor
from governance.domain.changes import ChangeSet
from governance.domain.errors import InputError, NotFoundError
from governance.domain.events import Approved, PendingApproval
from governance.domain.evolution import evolve
from governance.domain.mutations import StoredMutation
from governance.domain.recorded import Recorded
from governance.domain.request import MutationRequest, OpenedRequirement
from governance.domain.requirements import ApprovalRequirement
from governance.domain.values import Value


class Shown(Value):
    """A mutation, what it changes, and on which version of the state."""

    round: int
    version: int
    mutation: StoredMutation
    change_set: ChangeSet


def shown_in_rounds(history: Iterable[Recorded]) -> dict[int, Shown]:
    """Return what there was to approve in each round, as it was when the round opened."""
    rounds: dict[int, Shown] = {}
    request: MutationRequest | None = None
    for each in history:
        request = evolve(request, each)
        if isinstance(each.event, PendingApproval | Approved):
            rounds.setdefault(each.event.round, shown(request))
    return rounds


def shown(request: MutationRequest) -> Shown:
    """Return what the request shows as it stands."""
    return Shown(
        round=request.round,
        version=request.evaluated_version,
        mutation=request.mutation,
        change_set=request.change_set,
    )


def granted_in(request: MutationRequest, people: frozenset[str] | None = None) -> dict[int, tuple[str, ...]]:
    """Return the rounds in which anybody (or one of these people) said yes, and who."""
    rounds: dict[int, tuple[str, ...]] = {}
    for opened in request.requirements:
        said_yes = [each for each in opened.granted_by if people is None or each in people]
        if said_yes:
            rounds[opened.round] = tuple(dict.fromkeys((*rounds.get(opened.round, ()), *said_yes)))
    return rounds


def to_confirm(request: MutationRequest, actor: Actor) -> tuple[OpenedRequirement, ...]:
    """Return what this round asks for that the actor said yes to in an earlier one: the same of the same people."""
    earlier = [each for each in request.requirements if each.round < request.round and actor.person in each.granted_by]
    granted = {each.asked.demands() for each in earlier if isinstance(each.asked, ApprovalRequirement)}
    return tuple(
        each
        for each in request.current_requirements
        if isinstance(each.asked, ApprovalRequirement) and each.asked.demands() in granted
    )


def check_confirmable(request: MutationRequest, actor: Actor, seen: str | None) -> tuple[OpenedRequirement, ...]:
    """Return what a repeated yes is for; InputError without what was seen, NotFoundError without an earlier yes."""
    if seen is None:
        msg = "seen: a yes is said again to what was looked at only; give the digest that was shown"
        raise InputError(msg, field="seen")
    found = to_confirm(request, actor)
    if not found:
        msg = (
            f"{actor.person} has said yes in an earlier round to nothing that round {request.round} of request "
            f"{request.id} asks for: look at it and approve it instead"
        )
        raise NotFoundError(msg, request=request.id, actor=actor.person, round=request.round)
    return found
