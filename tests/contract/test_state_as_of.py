"""A state as of any instant, exact whatever the clock did, and found without reading all of its history."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from governance import Governance
from governance.domain.evolution import replay
from tests.cases import GRACE, HOUR, INSTANT, MUTATIONS, START, WORKER, Add, Counter
from tests.clocks import Clock

OFFSETS = (0, 5, 5, 5, 3, 60, -600, 61, 61, 7_200, 0)
"""How many seconds after the start the clock stands at each change: it stands still, and goes back."""


@pytest.fixture
def gov(store_url: str, clock: Clock) -> Iterator[Governance]:
    with Governance.open(store_url, mutations=MUTATIONS, clock=clock) as governance:
        yield governance


def changed(gov: Governance, clock: Clock) -> None:
    """Change a state at all of the offsets, every other time by a batch."""
    for number, seconds in enumerate(OFFSETS):
        clock.now = START + timedelta(seconds=seconds)
        asked: dict[str, Any] = {"mutation": Add(amount=1), "state_id": "c"}
        if number % 2:
            batch = gov.submit_batch([asked, asked], atomic=True, actor=GRACE, reason="r")
            clock.now += HOUR
            gov.run(**asked, actor=GRACE, reason="meanwhile")
            clock.now -= HOUR
            assert gov.execute_batch(batch.id, actor=WORKER).executed
        else:
            gov.run(**asked, actor=GRACE, reason="r")


def test_no_version_is_earlier_than_the_one_before(gov: Governance, clock: Clock) -> None:
    changed(gov, clock)
    times = [each.at for each in gov.state_history("c")]
    assert all(one <= other for one, other in pairwise(times))


def test_nothing_is_asked_for_before_the_version_that_it_was_evaluated_on(gov: Governance, clock: Clock) -> None:
    gov.run(Add(amount=1), state_id="c", actor=GRACE, reason="r")
    clock.now -= HOUR
    asked: dict[str, Any] = {"mutation": Add(amount=1), "state_id": "c"}
    batch = gov.submit_batch([{**asked, "state_id": "new"}, asked], atomic=True, actor=GRACE, reason="r")
    assert batch.requests == tuple(replay(gov.history(each.id)) for each in batch.requests)
    for request in (batch.requests[1], gov.submit(**asked, actor=GRACE, reason="r")):
        assert gov.state("c", at=request.created_at).version == request.evaluated_version == 1


def test_state_at_every_instant_is_the_last_version_until_then(gov: Governance, clock: Clock) -> None:
    changed(gov, clock)
    history = gov.state_history("c")
    instants = {each.at + step for each in history for step in (-INSTANT, timedelta(0), INSTANT)}
    for at in sorted(instants):
        until = [each for each in history if each.at <= at]
        state = gov.state("c", at=at)
        assert state.version == len(until)
        assert state.value == (Counter(value=len(until)) if until else None)


def test_few_versions_are_looked_at(gov: Governance, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(200):
        clock.now = START + timedelta(seconds=number)
        gov.run(Add(amount=1), state_id="c", actor=GRACE, reason="r")
    select, rows = gov.log.event_recorder.select_events, list[int]()

    def counted(*given: Any, **named: Any) -> Any:
        found = select(*given, **named)
        rows.append(len(found))
        return found

    monkeypatch.setattr(gov.log.event_recorder, "select_events", counted)
    for number in range(0, 200, 13):
        rows.clear()
        assert gov.state("c", at=START + timedelta(seconds=number)).version == number + 1
        assert sum(rows) <= 10
