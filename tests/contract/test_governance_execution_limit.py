"""`max_concurrent_executions` holds over threads, is fair, and says so when the time budget is used up."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import BaseModel

from governance import BusyError, Governance, InputError, Mutation, Settings, Status, approval
from governance.execution_slots import ExecutionSlots
from governance.worker.worker import Worker
from tests.cases import ALAN, GRACE, WORKER

pytestmark = pytest.mark.as_application

LIMIT = 2


class Load(BaseModel):
    done: int = 0


class Gauge:
    """Counts how many are inside at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.inside = self.most = 0

    def __enter__(self) -> None:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.inside -= 1


gauge = Gauge()


class Work(Mutation[Load]):
    def apply(self, state: Load) -> Load:
        with gauge:
            time.sleep(0.005)
        return Load(done=state.done + 1)


class Members(BaseModel):
    joined: tuple[int, ...] = ()


class Join(Mutation[Members]):
    """The same change on every version, so that drift asks nobody again."""

    def apply(self, state: Members) -> Members:
        time.sleep(0.002)
        return Members(joined=(*state.joined, 1))


@pytest.fixture
def gov(store_url: str) -> Iterator[Governance]:
    settings = Settings(max_concurrent_executions=LIMIT, budget_seconds=30)
    with Governance.open(store_url, mutations=[Work], settings=settings) as governance:
        gauge.__init__()  # type: ignore[misc]
        yield governance


def in_threads(number: int, job: Any) -> list[Any]:
    with ThreadPoolExecutor(number) as pool:
        return [each.result() for each in [pool.submit(job, index) for index in range(number)]]


def test_limit_holds_over_threads(gov: Governance) -> None:
    asked = [gov.submit(Work(), state_id=f"s-{index}", actor=GRACE, reason="r").id for index in range(12)]
    gauge.most = 0
    outcomes = in_threads(12, lambda index: gov.execute(asked[index], actor=WORKER))
    assert all(each.executed for each in outcomes)
    assert 1 <= gauge.most <= LIMIT


def test_limit_holds_for_the_direct_path_and_a_hot_state_keeps_nobody_out(gov: Governance) -> None:
    states = ["hot"] * 6 + ["cold-1", "cold-2"]
    outcomes = in_threads(8, lambda index: gov.run(Work(), state_id=states[index], actor=GRACE, reason="r"))
    assert all(each.executed for each in outcomes)
    assert gov.state("hot").value == Load(done=6)
    assert gauge.most <= LIMIT


def test_hot_state_does_not_starve_others_where_a_worker_executes(store_url: str) -> None:
    lead = approval(role="lead")
    with Governance.open(store_url, mutations=[Join], settings=Settings(execute_automatically="all")) as gov:
        requests = [
            gov.submit(Join(), state_id=state, actor=GRACE, reason="r", requires=[lead]).id
            for state in (*["hot"] * 60, "cold-1", "cold-2")
        ]
        for each in requests:
            gov.approve(each, actor=ALAN)
        stop = threading.Event()
        worker = threading.Thread(target=Worker(gov, engines=gov.engines).run, args=(stop,))
        worker.start()
        try:
            while any(gov.request(each).status is not Status.EXECUTED for each in requests):
                time.sleep(0.02)
        finally:
            stop.set()
            worker.join()
        last = [gov.history(each)[-1].position or 0 for each in requests]
        assert last[:60] == sorted(last[:60]), "those of one state run in the order of their approval"
        assert max(last[60:]) < last[59], "those of other states do not wait for all of them"


def test_atomic_batch_that_waits_in_vain_for_a_slot_is_told_and_runs_later(store_url: str) -> None:
    settings = Settings(max_concurrent_executions=1, budget_seconds=1)
    with Governance.open(store_url, mutations=[Join], settings=settings) as gov:
        batch = gov.submit_batch([{"mutation": Join(), "state_id": "a"}], atomic=True, actor=GRACE, reason="r")
        with gov._executor.slots.taken(), pytest.raises(BusyError):
            gov.execute_batch(batch.id, actor=WORKER)
        assert gov.execute_batch(batch.id, actor=WORKER).executed


def test_slots_are_given_in_the_order_in_which_they_were_asked_for() -> None:
    slots = ExecutionSlots(1, 10)
    order: list[int] = []

    def job(index: int) -> None:
        with slots.taken():
            order.append(index)

    with slots.taken():
        threads = [threading.Thread(target=job, args=(index,)) for index in range(5)]
        for index, each in enumerate(threads, start=1):
            each.start()
            while len(slots._waiting) < index:
                time.sleep(0.001)
    for each in threads:
        each.join()
    assert order == [0, 1, 2, 3, 4]


def test_who_waits_in_vain_is_told_and_keeps_no_place() -> None:
    slots = ExecutionSlots(1, 0.01)
    with slots.taken():
        with pytest.raises(BusyError) as caught, slots.taken():
            pass
        assert (caught.value.rule, caught.value.ids) == ("busy", {"limit": "1"})
    with slots.taken():
        pass


@pytest.mark.parametrize("given", [False, True])
def test_who_is_stopped_while_waiting_keeps_no_slot(monkeypatch: pytest.MonkeyPatch, given: bool) -> None:
    slots = ExecutionSlots(1, 0.01)

    class Stopped(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if given:
                slots._give_back()  # at the very moment
            raise KeyboardInterrupt

    monkeypatch.setattr("governance.execution_slots.Event", Stopped)
    slots._take(0.0)
    with pytest.raises(KeyboardInterrupt), slots.taken():
        pass
    monkeypatch.undo()
    if not given:
        slots._give_back()
    for _ in range(2):
        with slots.taken():
            pass


def test_slot_comes_back_after_an_error() -> None:
    slots = ExecutionSlots(1, 0.01)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), slots.taken():
            raise ZeroDivisionError


@pytest.mark.parametrize("limit", [0, -1])
def test_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises((ValueError, InputError)):
        Settings(max_concurrent_executions=limit)
