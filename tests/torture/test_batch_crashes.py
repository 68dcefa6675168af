"""Killed at every step of a batch: all of it is there or nothing, or it goes on where it was."""

import os
from collections import Counter
from typing import Any

import pytest

from governance import Governance, Status
from governance.domain.batch_events import BatchCreated, BatchFailed
from governance.domain.events import Compensated, Executed
from governance.streams import batch_stream
from tests.cases import GRACE, WORKER, Add, lead
from tests.processes import race
from tests.torture.batch_programs import CHAIN, ITEMS
from tests.torture.programs import opened
from tests.torture.test_governance_crashes import everything

KILLS = int(os.environ.get("GOVERNANCE_KILLS", "6"))
"""How many are killed at a random moment, beside those that are killed at each step; more in a thorough run."""
STATUSES: dict[tuple[str, ...], set[Any]] = {
    (): {None},
    ("submitted",): {Status.PENDING, Status.APPROVED},
    ("submitted", "approved"): {Status.APPROVED, Status.EXECUTED},
    ("submitted", "approved", "executed"): {Status.EXECUTED},
}
"""Where all requests of a batch may stand after what was told."""


def run(target: str, **arguments: Any) -> Any:
    """Return what a process of its own returned."""
    [ending] = race(f"tests.torture.batch_programs:{target}", [arguments], seconds=280)
    assert ending.error is None, ending.traceback
    return ending.returned


def test_atomic_batch_killed_anywhere_is_there_wholly_or_not_at_all(store_url: str) -> None:
    opened(store_url).close()
    trials = run("kill_together", url=store_url, random_kills=KILLS)
    assert len({len(each["told"]) for each in trials}) == 4, "the kills have to be spread over the whole life"
    with opened(store_url) as gov:
        stored = {each.event.reason: each.stream.partition("-")[2] for each in everything(gov)
                  if isinstance(each.event, BatchCreated)}  # fmt: skip
        for trial in trials:
            told = tuple(line.split()[0] for line in trial["told"])
            batch_id = stored.get(trial["name"])
            assert batch_id is not None or not told, "what was acknowledged is not there"
            if batch_id is not None:
                whole(gov, batch_id, STATUSES[told] | (STATUSES["submitted",] if not told else set()))
                goes_on(gov, batch_id)
            assert [gov.state(f"{trial['name']}-{number}").version for number in range(ITEMS)] == [
                1 if batch_id else 0
            ] * ITEMS


def whole(gov: Governance, batch_id: str, allowed: set[Any]) -> None:
    """Check that all requests and states of a batch stand at the same place, moved there by one transaction."""
    batch = gov.batch(batch_id)
    [status] = {each.status for each in batch.requests}
    assert status in allowed
    histories = [gov.history(each.id) for each in batch.requests]
    assert len({tuple(each.append_id for each in history) for history in histories}) == 1
    ran = {each.append_id for history in histories for each in history if isinstance(each.event, Executed)}
    moved = {each.append_id for request in batch.requests for each in gov.state_history(request.state_id)}
    assert moved == ran
    assert (batch.status == "executed") is bool(ran)


def goes_on(gov: Governance, batch_id: str) -> None:
    """Bring the batch to its end from where it is."""
    [status] = {each.status for each in gov.batch(batch_id).requests}
    if status is Status.PENDING:
        gov.approve_batch(batch_id, actor=lead("alan"))
    if status is not Status.EXECUTED:
        assert gov.execute_batch(batch_id, actor=WORKER).executed


@pytest.mark.parametrize("random_kills", [0, KILLS])
def test_compensating_chain_killed_at_every_step_goes_on_where_it_was(store_url: str, random_kills: int) -> None:
    with opened(store_url) as gov:
        states = [f"s{number}" for number in range(CHAIN + 1)]
        items = [{"mutation": Add(amount=number + 1), "state_id": each, "stale": "reject"}
                 for number, each in enumerate(states)]  # fmt: skip
        batch = gov.submit_batch(items, atomic=False, actor=GRACE, reason="chain")
        gov.run(Add(amount=100), state_id=states[-1], actor=GRACE, reason="drift")
        forks = run("kill_chain", url=store_url, batch_id=batch.id, random_kills=random_kills)
        # Each append was the last act of one process: executions, the failure, its record, and three for each undoing.
        # The last process may live through the last one; one killed at a random moment may have made several.
        assert forks >= (random_kills or CHAIN + 2 + 3 * CHAIN - 1)
        put_right(gov, batch.id, states)


def put_right(gov: Governance, batch_id: str, states: list[str]) -> None:
    """Check that everything ran once, was put right once, newest first, and was recorded once."""
    batch = gov.batch(batch_id)
    assert [each.status for each in batch.requests] == [Status.COMPENSATED] * CHAIN + [Status.REJECTED]
    assert [(gov.state(each).version, gov.state(each).value.value) for each in states] == [(2, 0)] * CHAIN + [(1, 100)]
    events = gov.log.stream(batch_stream(batch_id))
    assert Counter(each.type for each in events) == {"BatchCreated": 1, "BatchFailed": 1, "BatchItemCompensated": CHAIN}
    assert list(batch.state.compensations) == [each.id for each in reversed(batch.requests[:CHAIN])]
    assert [each.event.executed for each in events if isinstance(each.event, BatchFailed)] == [
        tuple(each.id for each in batch.requests[:CHAIN])
    ]
    order = []
    for each in batch.requests[:CHAIN]:
        [compensated] = [told for told in gov.history(each.id) if isinstance(told.event, Compensated)]
        undo = gov.request(str(each.links.compensated_by))
        assert (undo.id, undo.links.compensates) == (batch.state.compensations[each.id], each.id)
        assert gov.history(undo.id)[-1].append_id == compensated.append_id
        order.append(compensated.position)
    assert order == sorted(order, key=lambda position: -(position or 0))
    made = [each for each in everything(gov) if each.type == "Created"]
    assert len(made) == len(states) + 1 + CHAIN, "something was asked for twice"
