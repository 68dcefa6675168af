"""Where a mutation says that the newest wins, a new request takes the place of older ones that still wait."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from governance import ConfigurationError, Governance, Mutation, MutationRequest, Status, approval
from governance.streams import place_stream
from tests.cases import ALAN, GRACE, TONY, WORKER

pytestmark = pytest.mark.as_application

LEAD = (approval(role="lead"),)


class Fleet(BaseModel):
    replicas: int = 1


class Scale(Mutation[Fleet]):
    newest_wins: ClassVar[bool] = True
    replicas: int

    def apply(self, state: Fleet) -> Fleet:
        return Fleet(replicas=self.replicas)

    def validate_on(self, state: Fleet) -> list[str]:
        return ["too many"] if self.replicas > 100 else []

    def inverse(self, before: Fleet, after: Fleet) -> "Scale":
        return Scale(replicas=before.replicas)


class Drain(Mutation[Fleet]):
    def apply(self, state: Fleet) -> Fleet:
        return Fleet(replicas=0)


@pytest.fixture
def gov(store_url: str) -> Iterator[Governance]:
    with Governance.open(store_url, mutations=[Scale, Drain]) as governance:
        yield governance


def asked(gov: Governance, replicas: int = 5, *, state: str = "web", **given: Any) -> MutationRequest:
    told = {"state_id": state, "actor": GRACE, "reason": "r", "requires": LEAD, **given}
    return gov.submit(Scale(replicas=replicas), **told)


def test_newest_takes_the_place_of_what_waits_and_both_say_so_in_one_transaction(gov: Governance) -> None:
    old = asked(gov)
    new = asked(gov, 7, actor=TONY)
    told = gov.request(old.id)
    assert (told.status, told.links.superseded_by) == (Status.SUPERSEDED, new.id)
    assert (new.status, new.links.predecessors) == (Status.PENDING, (old.id,))
    assert gov.request(new.id) == new
    assert len({gov.history(each)[-1].append_id for each in (old.id, new.id)}) == 1
    third = asked(gov, 9)
    assert gov.request(new.id).links.superseded_by == third.id
    assert third.links.predecessors == (new.id,)


def test_other_states_and_other_kinds_keep_their_place(gov: Governance) -> None:
    kept = [asked(gov, state="db"), gov.submit(Drain(), state_id="web", actor=GRACE, reason="r", requires=LEAD)]
    asked(gov)
    asked(gov)
    assert [gov.request(each.id).status for each in kept] == [Status.PENDING] * 2


def test_what_is_approved_does_not_wait_and_stays(gov: Governance) -> None:
    ready = asked(gov)
    gov.approve(ready.id, actor=ALAN)
    second, third = asked(gov, 7), asked(gov, 9)
    assert gov.request(ready.id).status is Status.APPROVED
    assert (gov.request(second.id).status, third.status) == (Status.SUPERSEDED, Status.PENDING)
    gov.run(Drain(), state_id="web", actor=GRACE, reason="drift")
    again = gov.execute(ready.id, actor=WORKER)
    assert (again.executed, gov.request(ready.id).status) == (False, Status.PENDING)
    fourth = asked(gov, 11)
    assert {gov.request(each.id).links.superseded_by for each in (ready, third)} == {fourth.id}
    assert set(fourth.links.predecessors) == {ready.id, third.id}


def test_what_is_refused_at_once_or_only_tried_takes_no_place(gov: Governance) -> None:
    old = asked(gov)
    assert asked(gov, 999).status is Status.REJECTED
    head = gov.log.head()
    assert asked(gov, 7, mode="simulate").status is Status.PENDING
    assert (gov.log.head(), gov.request(old.id).status) == (head, Status.PENDING)


def test_same_key_again_takes_no_place(gov: Governance) -> None:
    old = asked(gov, idempotency_key="deploy-1")
    head = gov.log.head()
    assert asked(gov, idempotency_key="deploy-1").id == old.id
    assert (gov.log.head(), gov.request(old.id).status) == (head, Status.PENDING)


def test_named_predecessor_and_rule_together_are_told_once(gov: Governance) -> None:
    old = asked(gov)
    new = asked(gov, 7, supersedes=old.id)
    assert (new.links.predecessors, gov.request(old.id).links.superseded_by) == ((old.id,), new.id)


def test_direct_execution_takes_the_place_too(gov: Governance) -> None:
    old = asked(gov)
    outcome = gov.run(Scale(replicas=3), state_id="web", actor=TONY, reason="now")
    assert (outcome.executed, gov.request(old.id).links.superseded_by) == (True, outcome.request.id)


def test_compensations_neither_take_a_place_nor_lose_it(gov: Governance) -> None:
    done = gov.run(Scale(replicas=3), state_id="web", actor=TONY, reason="now").request
    waits = asked(gov)
    undo = gov.compensate(done.id, actor=GRACE, reason="wrong")
    asked(gov, 8)
    assert (gov.request(waits.id).status, gov.request(undo.id).status) == (Status.SUPERSEDED, Status.APPROVED)


@pytest.mark.parametrize("processes", [2])
def test_of_many_at_once_exactly_one_waits_and_each_has_its_partner(
    gov: Governance, store_url: str, processes: int
) -> None:
    others = [Governance.open(store_url, mutations=[Scale, Drain]) for _ in range(processes)]
    try:
        with ThreadPoolExecutor(8) as pool:
            jobs = [pool.submit(asked, others[number % processes], number) for number in range(16)]
            requests = [each.result() for each in jobs]
    finally:
        for other in others:
            other.close()
    now = [gov.request(each.id) for each in requests]
    assert sorted(each.status for each in now) == [Status.PENDING, *[Status.SUPERSEDED] * 15]
    by_id = {each.id: each for each in now}
    for each in now:
        if each.links.superseded_by is not None:
            assert each.id in by_id[each.links.superseded_by].links.predecessors
    assert gov.log.latest(place_stream("scale", "web"))[0].version == 16


def test_nonsense_is_refused_at_opening(store_url: str) -> None:
    class Wrong(Mutation[Fleet]):
        newest_wins: ClassVar[Any] = "yes"

        def apply(self, state: Fleet) -> Fleet:
            return state

    with pytest.raises(ConfigurationError):
        Governance.open(store_url, mutations=[Wrong])
