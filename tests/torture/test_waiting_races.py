"""Many processes go over what is due at the same time, and die on the way: nothing is done twice, nothing is lost."""

import os
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from governance import Governance, Status, approval, dependency, quota
from governance.domain.condition_events import DependencySatisfied, QuotaReserved
from governance.domain.events import Executed, StateChanged
from governance.domain.quota_events import TokensReserved
from governance.streams import quota_stream
from tests.cases import GRACE, ROOT, GrantAdmin, lead
from tests.processes import processes
from tests.torture.waiting_programs import opened

LIMIT = 10
SEEDS = range(int(os.environ.get("GOVERNANCE_TORTURE_SEEDS", "3")))


def submitted(gov: Governance, number: int, *requires: Any) -> str:
    """Return the id of a request that waits."""
    mutation, state = GrantAdmin(user=f"u{number}"), f"n-{number % 7}"
    return gov.submit(mutation, state_id=state, actor=GRACE, reason="r", requires=requires).id


def at_once(url: str, count: int) -> list[Any]:
    """Let so many processes go over what is due until nothing is, all from the same instant on."""
    with processes("tests.torture.waiting_programs:crowd", [{"url": url, "count": count}]) as (racer,):
        racer.start()
        ending = racer.ending(200)
    assert ending.error is None, ending.traceback
    assert isinstance(ending.returned, list)
    return ending.returned


def once_each(gov: Governance, requests: list[str], kind: type) -> int:
    """Return how many of the requests have such an event; none has two."""
    counts = [sum(isinstance(each.event, kind) for each in gov.history(request)) for request in requests]
    assert set(counts) <= {0, 1}
    return sum(counts)


def test_quota_is_never_oversold_by_sixteen_processes(store_url: str) -> None:
    with opened(store_url) as gov:
        gov.quotas.define("deploys", limit=LIMIT, per=timedelta(days=365), window="sliding", actor=ROOT)
        requests = [submitted(gov, number, quota("deploys")) for number in range(3 * LIMIT)]
        at_once(store_url, 16)
        assert once_each(gov, requests, QuotaReserved) == LIMIT
        assert once_each(gov, requests, Executed) == LIMIT
        taken = [each for each in gov.log.stream(quota_stream("deploys")) if isinstance(each.event, TokensReserved)]
        assert len(taken) == LIMIT
        reserved = {each.event.request_id for each in taken if isinstance(each.event, TokensReserved)}
        assert reserved == set(requests[:LIMIT]), "first come, first served"


def test_many_processes_execute_everything_once_and_in_order(store_url: str) -> None:
    with opened(store_url) as gov:
        requests = [submitted(gov, number, approval(role="lead")) for number in range(60)]
        for each in requests:
            gov.approve(each, actor=lead("alan"))
        at_once(store_url, 4)
        assert once_each(gov, requests, Executed) == len(requests)
        for number in range(7):
            ran = [x.event.request_id for x in gov.state_history(f"n-{number}") if isinstance(x.event, StateChanged)]
            assert ran == requests[number::7], "of one state, in the order of approval"


def test_fan_in_of_many_wakes_once_whoever_executes_them(store_url: str) -> None:
    with opened(store_url) as gov:
        firsts = [submitted(gov, number, approval(role="lead")) for number in range(60)]
        fan_in = submitted(gov, 100, dependency(firsts))
        for each in firsts:
            gov.approve(each, actor=lead("alan"))
        answers = at_once(store_url, 4)
        looked = sum(1 for each in answers for what in each if what[0] == "dependency")
        assert gov.request(fan_in).status is Status.EXECUTED
        assert once_each(gov, [fan_in], DependencySatisfied) == 1
        assert looked <= 4, "once when it opened, once at the last of them, and at most a lost race for each"


@pytest.mark.parametrize("point", ["claimed", "released", "executed"])
@pytest.mark.parametrize("seed", SEEDS)
def test_process_that_is_killed_on_the_way_loses_nothing(store_url: str, point: str, seed: int) -> None:
    with opened(store_url) as gov:
        gov.quotas.define("deploys", limit=100, per=timedelta(days=1), actor=ROOT)
        requests = [submitted(gov, number, quota("deploys")) for number in range(6)]
        with processes("tests.torture.waiting_programs:die", [{"url": store_url, "point": point, "nth": seed}]) as (
            one,
        ):
            one.start()
            one.wait_until("about to die", 60)
            one.kill()
        at_once(store_url, 2)
        assert Counter(gov.request(each).status for each in requests) == {Status.EXECUTED: 6}
        assert once_each(gov, requests, Executed) == 6
        assert once_each(gov, requests, QuotaReserved) == 6
        assert gov.quotas.get("deploys").taken == 6
