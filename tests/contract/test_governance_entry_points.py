"""No side door: whatever way a decision or an execution comes in, the same rule refuses it and nothing is stored."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from governance import (
    Actor,
    ApprovalExpiredError,
    ConfigurationError,
    Governance,
    InvalidTransitionError,
    MutationRequest,
    NotAuthorizedError,
    SelfApprovalError,
    StaleError,
    approval,
)
from tests.cases import ALAN, GRACE, MUTATIONS, START, STATE_ID, TONY, WORKER, GrantAdmin, RevokeAdmin
from tests.clocks import Clock

pytestmark = pytest.mark.as_application

LEAD = approval(role="lead", expires_after=timedelta(hours=1))
GRACE_AS_LEAD = GRACE.model_copy(update={"roles": ("lead", "break-glass", "break-glass-review")})
Decide = Callable[..., Any]


@pytest.fixture
def gov(store_url: str, clock: Clock) -> Iterator[Governance]:
    with Governance.open(store_url, mutations=MUTATIONS, clock=clock) as governance:
        yield governance


def single(gov: Governance) -> tuple[MutationRequest, Decide]:
    request = gov.submit(
        GrantAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="on call", requires=(LEAD,), stale="renew"
    )
    return request, lambda **given: gov.approve(request.id, **given)


def by_name(gov: Governance) -> tuple[MutationRequest, Decide]:
    request, _ = single(gov)
    return request, lambda **given: gov.approve(request.id, requirement="1.1", **given)


def rejecting(gov: Governance) -> tuple[MutationRequest, Decide]:
    request, _ = single(gov)
    return request, lambda **given: gov.reject(request.id, reason="no", **given)


def in_a_batch(gov: Governance) -> tuple[MutationRequest, Decide]:
    item = {"mutation": GrantAdmin(user="ada"), "state_id": STATE_ID, "requires": (LEAD,)}
    batch = gov.submit_batch([item], atomic=True, actor=GRACE, reason="on call")
    return batch.requests[0], lambda **given: gov.approve_batch(batch.id, **given)


def compensating(gov: Governance) -> tuple[MutationRequest, Decide]:
    done = gov.run(GrantAdmin(user="ada"), state_id=STATE_ID, actor=TONY, reason="first").request
    gov.register_policies(_asks_for_a_lead())
    request = gov.compensate(done.id, actor=GRACE, reason="wrong")
    return request, lambda **given: gov.approve(request.id, **given)


def delegating(gov: Governance) -> tuple[MutationRequest, Decide]:
    request, _ = single(gov)

    def hand_on(*, actor: Actor, seen: str | None = None) -> MutationRequest:
        gov.approve(request.id, actor=actor, seen=seen) if seen else None
        return gov.delegate(request.id, actor=actor, to="zoe", until=START + timedelta(days=9))

    return request, hand_on


def _asks_for_a_lead() -> Any:
    from governance import policy, require

    return policy(RevokeAdmin, name="a lead")(lambda *_: require(LEAD))


WAYS = [single, by_name, rejecting, in_a_batch, compensating, delegating]
REFUSALS: dict[str, tuple[dict[str, Any], timedelta, type[Exception]]] = {
    "self": ({"actor": GRACE_AS_LEAD}, timedelta(), SelfApprovalError),
    "somebody acting for oneself": (
        {"actor": Actor(id="bot", roles=("lead",), on_behalf_of="grace")},
        timedelta(),
        SelfApprovalError,
    ),
    "wrong role": ({"actor": TONY}, timedelta(), NotAuthorizedError),
    "expired": ({"actor": ALAN}, timedelta(hours=1), ApprovalExpiredError),
    "other content": ({"actor": ALAN, "seen": "sha256:something else"}, timedelta(), StaleError),
}


@pytest.mark.parametrize("refused", REFUSALS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_way_to_decide_refuses_alike(
    gov: Governance, clock: Clock, way: Callable[[Governance], tuple[MutationRequest, Decide]], refused: str
) -> None:
    given, later, error = REFUSALS[refused]
    request, decide = way(gov)
    clock.now += later
    head = gov.log.head()
    with pytest.raises(error) as caught:
        decide(**given)
    assert caught.type is error
    assert gov.log.head() == head
    assert gov.request(request.id).version == request.version


def test_every_way_to_ask_refuses_a_quorum_that_nobody_fills(gov: Governance) -> None:
    done = gov.run(GrantAdmin(user="ada"), state_id=STATE_ID, actor=TONY, reason="first").request
    only_oneself = (approval(actor="grace"),)
    mutation = GrantAdmin(user="bob")
    asked: dict[str, Any] = {"state_id": STATE_ID, "actor": GRACE, "reason": "why", "requires": only_oneself}
    head = gov.log.head()
    with pytest.raises(ConfigurationError):
        gov.submit(mutation, **asked)
    with pytest.raises(ConfigurationError):
        gov.submit(mutation, mode="simulate", **asked)
    with pytest.raises(ConfigurationError):
        gov.run(mutation, **asked)
    with pytest.raises(ConfigurationError):
        gov.submit_batch([{"mutation": mutation, **asked}], atomic=False, actor=GRACE, reason="why")
    from governance import policy, require

    gov.register_policies(policy(name="oneself")(lambda *_: require(*only_oneself)))
    for kind in ("corrective", "restore"):
        with pytest.raises(ConfigurationError):
            gov.compensate(done.id, actor=GRACE, reason="wrong", kind=kind)
    assert gov.log.head() == head


def test_every_way_to_execute_refuses_what_is_not_approved(gov: Governance) -> None:
    request, _ = single(gov)
    batched, _ = in_a_batch(gov)
    head = gov.log.head()
    assert batched.links.batch_id is not None
    with pytest.raises(InvalidTransitionError):
        gov.execute(request.id, actor=WORKER)
    with pytest.raises(InvalidTransitionError):
        gov.execute(batched.id, actor=WORKER)
    with pytest.raises(InvalidTransitionError):
        gov.execute_batch(batched.links.batch_id, actor=WORKER)
    with pytest.raises(NotAuthorizedError):
        gov.break_glass(request.id, actor=ALAN, reason="hurry")
    assert gov.log.head() == head


def test_breaking_the_glass_does_not_open_another_door(gov: Governance, clock: Clock) -> None:
    request, decide = single(gov)
    gov.break_glass(request.id, actor=GRACE_AS_LEAD, reason="fire")
    for refused in ({"actor": GRACE_AS_LEAD}, {"actor": ALAN}):
        with pytest.raises(InvalidTransitionError):
            decide(**refused)
    with pytest.raises(SelfApprovalError):
        gov.review(request.id, actor=GRACE_AS_LEAD, justified=True, comment="it was me")
    gov.run(GrantAdmin(user="bob"), state_id=STATE_ID, actor=TONY, reason="drift")
    clock.now += timedelta(seconds=1)
    outcome = gov.execute(request.id, actor=WORKER)
    assert (outcome.executed, outcome.request.status.value) == (False, "pending")
