"""Plans: what engines decide about many requests before any of it is stored, on both databases."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance import Governance, Interceptor, Settings, schedule
from governance.domain.lifecycle import Status
from governance.engines.engine import DueItem, Performed, Plan, PlanningEngine
from tests.cases import GRACE, HOUR, MUTATIONS, ROOT, START, WORKER, Add, Counter, SetNote
from tests.clocks import Clock

pytestmark = pytest.mark.as_application

Opened = Callable[..., Governance]


@pytest.fixture
def opened(store_url: str, clock: Clock) -> Iterator[Opened]:
    """Return what opens the store, also twice, as two processes would."""
    kept: list[Governance] = []

    def open_it(**others: Any) -> Governance:
        kept.append(Governance.open(store_url, mutations=MUTATIONS, clock=clock, **others))
        return kept[-1]

    yield open_it
    for each in kept:
        each.close()


def engine(gov: Governance, name: str) -> PlanningEngine:
    [found] = [each for each in gov.engines if each.name == name]
    assert isinstance(found, PlanningEngine)
    return found


def later(gov: Governance, state: str, amount: int = 1) -> str:
    wait = schedule(not_before=START + HOUR)
    return gov.submit(Add(amount=amount), state_id=state, actor=GRACE, reason="r", requires=[wait]).id


class Turn(NamedTuple):
    """What one turn of an engine came to: what was due, what was planned of it, and what came of the plans."""

    items: Sequence[DueItem]
    plans: Sequence[Plan | None]
    settled: Sequence[Performed | None]


def turn(gov: Governance, name: str, meanwhile: Callable[[], object] = lambda: None) -> Turn:
    """Plan all that is due of one engine, let something happen, and settle the plans."""
    working = engine(gov, name)
    items = working.due(gov._clock(), 100)
    before = gov.log.head()
    plans = [working.plan(each, gov._clock()) for each in items]
    assert gov.log.head() == before, "a plan stores nothing"
    meanwhile()
    return Turn(items, plans, working.settle([each for each in plans if each is not None]))


def whats(settled: Sequence[Performed | None]) -> list[str | None]:
    return [None if each is None else each.what for each in settled]


def released(gov: Governance, clock: Clock, number: int) -> list[str]:
    """Return requests that are approved and wait for nothing but a worker, each about a state of its own."""
    requests = [later(gov, f"counter-{each}") for each in range(number)]
    clock.pass_time(HOUR)
    assert whats(turn(gov, "schedule").settled) == ["released"] * number
    return requests


def test_requests_are_released_and_executed_together_each_with_an_append_of_its_own(
    opened: Opened, clock: Clock
) -> None:
    gov = opened()
    requests = released(gov, clock, 5)
    executed = turn(gov, "execution")
    assert whats(executed.settled) == ["executed"] * 5
    assert {each.item.request_id for each in executed.settled if each} == set(requests)
    appends = {frozenset(each.append_id for each in gov.history(request)) for request in requests}
    assert len(frozenset().union(*appends)) == 5 * 3
    assert [gov.state(f"counter-{each}").version for each in range(5)] == [1] * 5
    assert gov.run_due().performed == ()


def test_what_another_process_did_meanwhile_is_not_done_again(opened: Opened, clock: Clock) -> None:
    gov, other = opened(), opened()
    requests = released(gov, clock, 3)
    executed = turn(gov, "execution", lambda: other.execute(requests[1], actor=WORKER))
    assert whats(executed.settled) == ["executed", None, "executed"]
    assert engine(gov, "execution").perform(executed.items[1], clock()).result == "lost"
    assert [gov.state(f"counter-{each}").version for each in range(3)] == [1, 1, 1]


def test_request_whose_state_moved_is_judged_again_and_holds_up_no_other(opened: Opened, clock: Clock) -> None:
    gov, other = opened(), opened()
    requests = released(gov, clock, 3)
    hurry = lambda: other.run(Add(amount=10), state_id="counter-1", actor=GRACE, reason="hurry")  # noqa: E731
    executed = turn(gov, "execution", hurry)
    assert whats(executed.settled) == ["executed", None, "executed"]
    performed = engine(gov, "execution").perform(executed.items[1], clock())
    resolved = gov.request(requests[1])
    assert performed.what == str(resolved.status)
    assert [each.code for each in resolved.decisions].count("VersionResolved") == 1


def test_request_that_was_cancelled_meanwhile_is_not_released(opened: Opened, clock: Clock) -> None:
    gov, other = opened(), opened()
    first, second = later(gov, "counter-1"), later(gov, "counter-2")
    clock.pass_time(HOUR)
    came = turn(gov, "schedule", lambda: other.cancel(first, actor=GRACE, reason="no longer wanted"))
    assert whats(came.settled) == [None, "released"]
    assert engine(gov, "schedule").perform(came.items[0], clock()).what == "moved on"
    assert [gov.request(each).status for each in (first, second)] == [Status.CANCELED, Status.APPROVED]


def test_one_that_can_never_be_stored_holds_up_no_other(opened: Opened, clock: Clock) -> None:
    gov = opened()
    requests = released(gov, clock, 3)
    wait = schedule(not_before=clock() + HOUR)
    note = SetNote(note="n" * 50_000)
    large = gov.submit(note, state_id="tenant-42:roles", actor=GRACE, reason="r", requires=[wait]).id
    clock.pass_time(HOUR)
    assert engine(gov, "schedule").perform(engine(gov, "schedule").due(clock(), 1)[0], clock()).what == "released"
    recorder = gov.log.event_recorder
    recorder.settings = recorder.settings.model_copy(update={"append_bytes": 20_000})
    executed = turn(gov, "execution")
    assert None not in executed.plans
    assert whats(executed.settled) == [None] * 4
    came = [engine(gov, "execution").perform(each, clock()) for each in executed.items]
    assert sorted(each.result for each in came) == ["done", "done", "done", "failed"]
    assert [gov.request(each).status for each in requests] == [Status.EXECUTED] * 3
    assert gov.request(large).status is Status.APPROVED


@pytest.mark.parametrize(
    "others",
    [{"interceptors": [Interceptor()]}, {"settings": Settings(max_concurrent_executions=1)}],
    ids=["interceptors", "a limit of executions"],
)
def test_executions_that_need_more_than_memory_are_not_planned(
    opened: Opened, clock: Clock, others: dict[str, Any]
) -> None:
    gov = opened(**others)
    requests = released(gov, clock, 2)
    executed = turn(gov, "execution")
    assert list(executed.plans) == [None, None]
    came = [engine(gov, "execution").perform(each, clock()).what for each in executed.items]
    assert came == ["executed", "executed"]
    assert {gov.request(each).status for each in requests} == {Status.EXECUTED}


def test_executions_during_a_freeze_are_not_planned(opened: Opened, clock: Clock) -> None:
    gov = opened()
    released(gov, clock, 2)
    gov.calendars.freeze("all", ends=None, reason="end of year", actor=ROOT)
    executed = turn(gov, "execution")
    assert list(executed.plans) == [None, None]
    assert {engine(gov, "execution").perform(each, clock()).what for each in executed.items} == {"pending"}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_planned_or_performed_every_request_is_executed_once(store_url: str, clock: Clock, data: st.DataObject) -> None:
    """Whichever of the items two processes plan together, perform alone, or both: what was asked for happens once."""
    label = f"{data.draw(st.integers(0, 10**9))}-{clock().timestamp()}"
    amounts = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=6))
    with ExitStack() as stack:
        both = [stack.enter_context(Governance.open(store_url, mutations=MUTATIONS, clock=clock)) for _ in range(2)]
        wait = schedule(not_before=clock() + HOUR)
        for place, amount in enumerate(amounts):
            both[0].submit(
                Add(amount=amount), state_id=f"{label}-{place % 4}", actor=GRACE, reason="r", requires=[wait]
            )
        clock.pass_time(HOUR)
        for name in ("schedule", "execution", "schedule", "execution"):
            work_somehow(engine(data.draw(st.sampled_from(both)), name), clock, data)
        both[0].run_due()
        states = [both[1].state(f"{label}-{place}") for place in range(4)]
    assert sum(each.value.value for each in states if isinstance(each.value, Counter)) == sum(amounts)
    assert sum(each.version for each in states) == len(amounts)


def work_somehow(working: PlanningEngine, clock: Clock, data: st.DataObject) -> None:
    """Plan some of what is due, perform some, and some both ways; what the store refuses is performed."""
    items = working.due(clock(), 100)
    ways = [data.draw(st.sampled_from(["plan", "perform", "both"])) for _ in items]
    chosen = [
        (working.plan(item, clock()) if way != "perform" else None) for way, item in zip(ways, items, strict=True)
    ]
    for way, item, plan in zip(ways, items, chosen, strict=True):
        if way != "plan" or plan is None:
            working.perform(item, clock())
    plans = [each for each in chosen if each is not None]
    for plan, came_of in zip(plans, working.settle(plans), strict=True):
        if came_of is None:
            working.perform(plan.item, clock())
