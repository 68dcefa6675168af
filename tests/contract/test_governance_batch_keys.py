"""Batches asked for twice under one key are one; and who approves is who the directory says, for batches too."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from governance import (
    Governance,
    IdempotencyConflictError,
    InputError,
    NotAuthorizedError,
    StaticDirectory,
    Status,
    approval,
)
from governance.batching import Batch
from tests.cases import ALAN, BARBARA, GRACE, MUTATIONS, Add

pytestmark = pytest.mark.as_application

LEAD = (approval(role="lead"),)


@pytest.fixture
def gov(store_url: str) -> Iterator[Governance]:
    with Governance.open(store_url, mutations=MUTATIONS) as governance:
        yield governance


def asked(gov: Governance, amount: int = 1, key: str | None = "q1", **given: Any) -> Batch:
    items = [{"mutation": Add(amount=amount), "state_id": f"c-{number}", "requires": LEAD} for number in range(2)]
    told = {"atomic": True, "actor": GRACE, "reason": "quarterly", "idempotency_key": key, **given}
    return gov.submit_batch(items, **told)


def test_same_key_and_content_is_the_same_batch(gov: Governance) -> None:
    first = asked(gov)
    head = gov.log.head()
    assert asked(gov).id == first.id
    assert gov.log.head() == head
    assert asked(gov, key=None).id != first.id


@pytest.mark.parametrize("other", [{"amount": 2}, {"atomic": False}, {"reason": "other"}, {"actor": ALAN}])
def test_same_key_and_other_content_is_a_conflict(gov: Governance, other: dict[str, Any]) -> None:
    first = asked(gov)
    head = gov.log.head()
    with pytest.raises(IdempotencyConflictError) as caught:
        asked(gov, **other)
    assert caught.value.ids["batch"] == first.id
    assert gov.log.head() == head


def test_key_of_a_batch_is_none_of_a_request_and_the_other_way_round(gov: Governance) -> None:
    asked(gov)
    with pytest.raises(IdempotencyConflictError):
        gov.submit(Add(amount=1), state_id="c", actor=GRACE, reason="r", idempotency_key="q1")
    request = gov.submit(Add(amount=1), state_id="c", actor=GRACE, reason="r", idempotency_key="q2")
    with pytest.raises(IdempotencyConflictError) as caught:
        asked(gov, key="q2")
    assert caught.value.ids["request"] == request.id


def test_of_many_at_once_one_batch_is_made(gov: Governance, store_url: str) -> None:
    with Governance.open(store_url, mutations=MUTATIONS) as other, ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(asked, (gov, other)[number % 2]) for number in range(8)]
        assert len({each.result().id for each in jobs}) == 1


@pytest.mark.parametrize(
    "wrong", [{"reason": "a\x00b"}, {"reason": " "}, {"actor": "grace"}, {"atomic": 1}, {"key": ""}]
)
def test_nonsense_about_the_whole_is_refused(gov: Governance, wrong: dict[str, Any]) -> None:
    head = gov.log.head()
    with pytest.raises(InputError):
        asked(gov, **wrong)
    assert gov.log.head() == head


def test_whole_batch_is_approved_by_whom_the_directory_knows(store_url: str) -> None:
    directory = StaticDirectory(roles={"lead": ["barbara"]})
    with Governance.open(store_url, mutations=MUTATIONS, directory=directory) as gov:
        batch = asked(gov)
        with pytest.raises(NotAuthorizedError):
            gov.approve_batch(batch.id, actor=ALAN)
        after = gov.approve_batch(batch.id, actor=BARBARA.model_copy(update={"roles": ()}))
        assert [each.status for each in after.requests] == [Status.APPROVED] * 2
