"""Saying yes again: over all histories it counts for nothing unseen, nor for what was not approved before."""

from typing import Any

from hypothesis import given as over
from hypothesis import strategies as st
from pydantic import JsonValue

from governance import Actor, GovernanceError, Status, approval
from governance.domain.commands import Approve, Execute
from governance.domain.decider import decide
from governance.domain.drift import shown_in_rounds, to_confirm
from governance.domain.events import ApprovalGranted
from governance.domain.request import MutationRequest
from governance.domain.requirements import ApprovalRequirement
from governance.domain.terms import Verdict
from tests.cases import GRACE, WORKER, evaluation, submitted
from tests.spec import LATER, Told, by, fold, recorded

PEOPLE = [
    Actor(id="alan", roles=("lead",)),
    Actor(id="edsger", roles=("lead", "cto")),
    Actor(id="barbara", roles=("cto",)),
    Actor(id="bot", kind="service", roles=("lead",), on_behalf_of="alan"),
    GRACE.model_copy(update={"roles": ("lead", "cto")}),
]
ASKS = [approval(role="lead"), approval(role="lead", quorum=2), approval(role="cto"), approval(role="cto", step=2)]
MORE = [(), (approval(group="board"),), (approval(role="lead", quorum=2),)]


@st.composite
def histories(draw: st.DrawFn) -> tuple[Any, ...]:
    """Give the history of a request that was approved, drifted and renewed several times, by whom it came."""
    asks = draw(st.lists(st.sampled_from(ASKS), min_size=1, max_size=3, unique_by=lambda each: each.demands()))
    history: tuple[Any, ...] = submitted(*asks, stale="renew")
    for version in range(1, draw(st.integers(1, 4))):
        for who in draw(st.permutations(range(len(PEOPLE)))):
            history = (*history, *_caused(history, "approve", who, version))
        history = (*history, *_caused(history, "drift", draw(st.integers(0, 4)), version, same=draw(st.booleans())))
    for who in draw(st.lists(st.integers(0, 4), max_size=2)):
        history = (*history, *_caused(history, "approve", who, 0))
    return history


def _caused(history: tuple[Any, ...], what: str, who: int, version: int, *, same: bool = True) -> tuple[Told, ...]:
    request = fold(*history)
    more = MORE[who % len(MORE)]
    verdict = (
        Verdict(policy="p", decision="require", requirements=more) if more else Verdict(policy="p", decision="allow")
    )
    before: JsonValue = {"admins": [], "note": f"{version}"}
    after: JsonValue = {"admins": ["ada"], "note": f"{version}" if same else "other"}
    answer = evaluation(before, after, version=version, verdicts=(verdict,))
    actor = WORKER if what == "drift" else PEOPLE[who]
    command = Execute(actor=WORKER, evaluation=answer) if what == "drift" else Approve(actor=actor)
    try:
        return tuple(by(actor, each) for each in decide(command, request, LATER))
    except GovernanceError:
        return ()


def _digests(history: tuple[Any, ...]) -> set[str]:
    """Return the digests of everything that anybody could ever have seen of the request."""
    seen: set[str] = {"sha256:something else"}
    for length in range(1, len(history) + 1):
        request = fold(*history[:length])
        seen |= {request.digest, *(each.digest for each in request.requirements)}
    return seen


def _approved_before(request: MutationRequest, person: str, asked: ApprovalRequirement) -> bool:
    return any(
        each.round < request.round
        and person in each.granted_by
        and isinstance(each.asked, ApprovalRequirement)
        and each.asked.demands() == asked.demands()
        for each in request.requirements
    )


@over(histories(), st.sampled_from(PEOPLE))
def test_yes_said_again_is_bound_to_what_was_seen_and_covers_only_what_it_covered_before(
    history: tuple[Any, ...], actor: Actor
) -> None:
    request = fold(*history)
    for seen in sorted(_digests(history)):
        try:
            events = decide(Approve(actor=actor, seen=seen, again=True), request, LATER)
        except GovernanceError:
            continue
        granted = [each for each in events if isinstance(each, ApprovalGranted)]
        assert granted
        for each in granted:
            opened = request.requirement(each.requirement_id)
            assert opened is not None
            assert seen in {request.digest, opened.digest}
            assert each.digest == opened.digest
            assert isinstance(opened.asked, ApprovalRequirement)
            assert _approved_before(request, actor.person, opened.asked)
        assert not actor.people & GRACE.people


@over(histories(), st.sampled_from(PEOPLE[:3]))
def test_who_can_say_yes_again_to_all_of_it_can_do_so_in_one_step(history: tuple[Any, ...], actor: Actor) -> None:
    request = fold(*history)
    again = to_confirm(request, actor)
    step = min((each.approval.step for each in request.open_approvals), default=0)
    turn = [each for each in again if each.status == "open" and each.approval.step == step]
    mine = [each for each in turn if not each.vote_of(actor.person)]
    if request.status is not Status.PENDING or not mine:
        return
    events = decide(Approve(actor=actor, seen=request.digest, again=True), request, LATER)
    assert {each.requirement_id for each in events if isinstance(each, ApprovalGranted)} == {each.id for each in mine}


@over(histories())
def test_each_round_is_remembered_as_it_was_shown(history: tuple[Any, ...]) -> None:
    rounds = shown_in_rounds(recorded(history))
    for length in range(1, len(history) + 1):
        request = fold(*history[:length])
        if request.status is Status.PENDING and request.open_requirements:
            assert rounds[request.round].version == request.evaluated_version
            assert rounds[request.round].change_set == request.change_set
