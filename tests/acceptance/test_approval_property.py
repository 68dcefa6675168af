"""Whatever people try, in whatever order: what ran had been approved as an auditor would demand."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from governance import (
    Actor,
    Governance,
    GovernanceError,
    Policy,
    allow,
    amend,
    approval,
    policy,
    require,
    role,
)
from governance.domain.terms import Stale
from tests.approval_audit import complaints
from tests.cases import MUTATIONS, START, STATE_ID, GrantAdmin, RevokeAdmin

ACTORS = (
    Actor(id="grace", roles=("lead", "cto")),
    Actor(id="alan", roles=("lead",)),
    Actor(id="barbara", roles=("lead", "cto")),
    Actor(id="edsger", roles=("cto",), groups=("security",)),
    Actor(id="tony"),
    Actor(id="zoe", groups=("security",)),
    Actor(id="bot", kind="service", on_behalf_of="grace", roles=("lead",)),
    Actor(id="aide", on_behalf_of="alan", roles=("lead",)),
    Actor(id="root", kind="administrator"),
)
NAMES = tuple(each.id for each in ACTORS)
REQUIRED = (
    (approval(role="lead"),),
    (approval(role="lead", quorum=2), approval(role="cto", step=2)),
    (approval(role="lead", expires_after=timedelta(minutes=30)), approval(any_of=("tony", role("cto")), veto=False)),
    (approval(role="lead", chains=True), approval(role="lead", step=2, different_from_step=1, name="again")),
    (approval(any_of=("alan", "barbara", "edsger"), quorum=2, veto=2),),
)
USERS = ("ada", "Ada", "bob")


@policy(GrantAdmin)
def lower(mutation: GrantAdmin, state: Any, context: Any) -> Any:
    return allow() if mutation.user.islower() else amend(GrantAdmin(user=mutation.user.lower()))


@policy(GrantAdmin)
def crowded(mutation: GrantAdmin, state: Any, context: Any) -> Any:
    return require(approval(role="lead")) if state.admins else allow()


POLICIES: tuple[Policy, ...] = (lower, crowded)
who = st.sampled_from(ACTORS)
which = st.integers(0, 2)
requirement = st.sampled_from([None, None, "1.1", "1.2", "2.1", "again"])
STEPS = st.one_of(
    st.tuples(st.just("approve"), who, which, requirement),
    st.tuples(st.just("approve"), who, which, requirement),
    st.tuples(st.just("approve as able"), who, which, st.none()),
    st.tuples(st.just("approve as able"), who, which, st.none()),
    st.tuples(st.just("approve as able"), who, which, st.none()),
    st.tuples(st.just("reject"), who, which, requirement),
    st.tuples(st.just("withdraw"), who, which, requirement),
    st.tuples(st.just("delegate"), who, which, st.sampled_from(NAMES)),
    st.tuples(st.just("reassign"), who, which, st.sampled_from(("alan", "zoe", "grace"))),
    st.tuples(st.just("drift"), who, which, st.sampled_from(USERS)),
    st.tuples(st.just("undo drift"), who, which, st.sampled_from(USERS)),
    st.tuples(st.just("wait"), who, which, st.integers(1, 40)),
    st.tuples(st.just("expire"), who, which, st.none()),
    st.tuples(st.just("execute"), who, which, st.none()),
    st.tuples(st.just("execute"), who, which, st.none()),
)
SUBMITTED = st.tuples(
    st.sampled_from(USERS),
    st.sampled_from(ACTORS[:2]),
    st.sampled_from(REQUIRED),
    st.sampled_from(["reject", "renew", "revalidate"]),
)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def act(gov: Governance, clock: Clock, ids: list[str], step: tuple[Any, ...]) -> None:
    """Do one step, which may well be refused."""
    name, actor, number, rest = step
    target = ids[number % len(ids)]
    if name == "wait":
        clock.now += timedelta(minutes=rest)
    elif name in {"drift", "undo drift"}:
        mutation = GrantAdmin(user=rest) if name == "drift" else RevokeAdmin(user=rest)
        gov.run(mutation, state_id=STATE_ID, actor=actor, reason="drift")
    elif name == "expire":
        gov.expire(target)
    elif name == "execute":
        gov.execute(target, actor=actor)
    else:
        decide(gov, clock, target, step)


def decide(gov: Governance, clock: Clock, target: str, step: tuple[Any, ...]) -> None:
    """Decide on a request, or hand a decision on."""
    name, actor, _, rest = step
    if name == "approve as able":
        able = [each for each in ACTORS if any(it.actor_may for it in gov.explain(target, actor=each).requirements)]
        for each in able[:1]:
            gov.approve(target, actor=each)
    elif name == "delegate":
        gov.delegate(target, actor=actor, to=rest, until=clock.now + timedelta(minutes=20))
    elif name == "reassign":
        gov.reassign(target, actor=actor, requirement="1.1", to=[rest, role("lead")], reason="away")
    else:
        getattr(gov, name)(target, actor=actor, requirement=rest)


def submitted(gov: Governance, asked: list[tuple[str, Actor, Any, Stale]]) -> Iterator[str]:
    for user, requester, required, stale in asked:
        with suppress(GovernanceError):
            yield gov.submit(
                GrantAdmin(user=user), state_id=STATE_ID, actor=requester, reason="try", requires=required, stale=stale
            ).id


@settings(max_examples=150)
@given(st.lists(SUBMITTED, min_size=1, max_size=3), st.lists(STEPS, min_size=5, max_size=40))
def test_what_ran_had_been_approved_as_an_auditor_would_demand(
    asked: list[tuple[str, Actor, Any, Stale]], steps: list[tuple[Any, ...]]
) -> None:
    clock = Clock()
    with Governance.open("sqlite://", mutations=MUTATIONS, policies=POLICIES, clock=clock) as gov:
        ids = list(submitted(gov, asked))
        if not ids:
            return
        for step in steps:
            with suppress(GovernanceError):
                act(gov, clock, ids, step)
        for request_id in ids:
            history = gov.history(request_id)
            event(f"governed request is {gov.request(request_id).status}")
            assert complaints(history) == []


def test_the_audit_sees_what_is_wrong() -> None:
    with Governance.open("sqlite://", mutations=MUTATIONS) as gov:
        request = gov.submit(
            GrantAdmin(user="ada"),
            state_id=STATE_ID,
            actor=ACTORS[0],
            reason="try",
            requires=(approval(role="lead"), approval(role="cto", step=2, different_from_step=1)),
        )
        gov.approve(request.id, actor=ACTORS[1])
        gov.approve(request.id, actor=ACTORS[2])
        gov.execute(request.id, actor=ACTORS[1])
        history = list(gov.history(request.id))
    assert complaints(history) == []
    yes = [place for place, each in enumerate(history) if each.type == "ApprovalGranted"]

    def changed(place: int, **update: Any) -> list[Any]:
        forged = history[place].event.model_copy(update=update)
        return [*history[:place], history[place].model_copy(update={"event": forged}), *history[place + 1 :]]

    assert complaints([each for place, each in enumerate(history) if place != yes[0]])
    assert complaints(changed(yes[0], approver="grace"))
    assert complaints(changed(yes[0], digest="sha256:other"))
    assert complaints(changed(yes[0], matched=role("board")))
    assert complaints(changed(yes[0], approver="barbara"))
    assert complaints(changed(yes[0], delegated_by="edsger"))
    first, second = history[yes[0]], history[yes[1]]
    early = second.model_copy(update={"version": first.version})
    late = first.model_copy(update={"version": second.version})
    assert complaints([*history[: yes[0]], early, *history[yes[0] + 1 : yes[1]], late, *history[yes[1] + 1 :]])
