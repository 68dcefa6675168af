"""Reversibility is shown before anybody approves, and is kept to afterwards, on both databases."""

from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar

import pytest
from pydantic import BaseModel

from governance import (
    Governance,
    Mutation,
    NotReversibleError,
    Reversibility,
    Status,
    approval,
    irreversible,
    reversible,
)
from tests.cases import ALAN, GRACE, START, WORKER
from tests.clocks import Clock

pytestmark = pytest.mark.as_application

DAY = timedelta(days=1)
LEAD = (approval(role="lead"),)


class Shop(BaseModel):
    price: int = 1


class SetPrice(Mutation[Shop]):
    reversibility: ClassVar[Reversibility | None] = reversible(within=DAY, then="refund customers one by one")
    price: int

    def apply(self, state: Shop) -> Shop:
        return Shop(price=self.price)

    def inverse(self, before: Shop, after: Shop) -> "SetPrice":
        return SetPrice(price=before.price)


class Close(Mutation[Shop]):
    reversibility: ClassVar[Reversibility | None] = irreversible("ask the owner")

    def apply(self, state: Shop) -> Shop:
        return Shop(price=0)


@pytest.fixture
def gov(store_url: str, clock: Clock) -> Iterator[Governance]:
    with Governance.open(store_url, mutations=[SetPrice, Close], clock=clock) as governance:
        yield governance


def test_way_back_is_shown_before_approval_and_needs_no_application(gov: Governance, store_url: str) -> None:
    asked = gov.submit(SetPrice(price=5), state_id="s", actor=GRACE, reason="r", requires=LEAD)
    told = "reversible within 1 day of its execution; then needs work by hand: refund customers one by one"
    assert (gov.preview(asked.id).reversibility, gov.explain(asked.id).reversibility) == (told, told)
    with Governance.open(store_url, mutations=()) as reader:
        assert reader.explain(asked.id).reversibility == told
    gov.approve(asked.id, actor=ALAN)
    gov.execute(asked.id, actor=WORKER)
    assert str(gov.explain(asked.id).reversibility).startswith(f"reversible until {(START + DAY).isoformat()}")


def test_inverse_is_made_in_time_or_not_at_all(gov: Governance, clock: Clock) -> None:
    done = gov.run(SetPrice(price=5), state_id="s", actor=GRACE, reason="r").request
    undo = gov.compensate(done.id, actor=GRACE, reason="wrong")
    assert undo.expires_at == START + DAY
    clock.now += DAY
    outcome = gov.execute(undo.id, actor=WORKER)
    assert (outcome.executed, outcome.request.status) == (False, Status.EXPIRED)
    assert gov.request(done.id).compensation_failure is not None
    head = gov.log.head()
    for kind in ("corrective", "restore"):
        with pytest.raises(NotReversibleError, match="refund customers"):
            gov.compensate(done.id, actor=GRACE, reason="wrong", kind=kind)
    assert gov.log.head() == head


def test_work_by_hand_is_always_possible(gov: Governance, clock: Clock) -> None:
    done = gov.run(SetPrice(price=5), state_id="s", actor=GRACE, reason="r").request
    clock.now += 2 * DAY
    by_hand = gov.compensate(done.id, actor=GRACE, reason="refunded", mutation=SetPrice(price=2))
    assert gov.execute(by_hand.id, actor=WORKER).executed
    assert gov.request(done.id).status is Status.COMPENSATED


def test_what_is_not_reversible_is_not_restored_either(gov: Governance) -> None:
    done = gov.run(Close(), state_id="s", actor=GRACE, reason="r").request
    with pytest.raises(NotReversibleError, match="ask the owner"):
        gov.compensate(done.id, actor=GRACE, reason="wrong", kind="restore")
    put = gov.compensate_automatically(done.id, reason="undeliverable", key="k")
    assert (put.done, put.compensation) == (False, None)
    assert put.original.compensation_failure is not None
