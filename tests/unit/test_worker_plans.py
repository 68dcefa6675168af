"""Crews whose engine can plan: many items at a time when that is quick, one at a time when it is not."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from governance.domain.errors import StoreUnavailableError
from governance.engines.engine import DueItem, Performed, Plan
from governance.worker.metrics import Metrics
from tests.worker_cases import Steered, eventually, running


class Decided(NamedTuple):
    """What was planned for an item."""

    item: DueItem


class Planner(Steered):
    """An engine that plans; notes how many are settled at once, and how many are in hand."""

    def __init__(self, deciding_seconds: float = 0.0) -> None:
        super().__init__()
        self.deciding_seconds = deciding_seconds
        self.slow: set[str] = set()
        self.beyond_planning: set[str] = set()
        self.outrun: set[str] = set()
        self.away = 0
        self.settled: list[int] = []
        self.performed: list[str] = []
        self.most_in_hand = 0
        self._in_hand: Counter[int] = Counter()
        self._noting = threading.Lock()

    def plan(self, item: DueItem, now: datetime) -> Plan | None:
        with self._noting:
            self._in_hand[threading.get_ident()] += 1
            self.most_in_hand = max(self.most_in_hand, self._in_hand.total())
        time.sleep(0.2 if item.key in self.slow else self.deciding_seconds)
        return None if item.key in self.beyond_planning else Decided(item)

    def settle(self, plans: Sequence[Plan]) -> Sequence[Performed | None]:
        with self._noting:
            self._in_hand[threading.get_ident()] = 0
            self.settled.append(len(plans))
            if self.away:
                self.away -= 1
                self.put(*(each.item.key for each in plans))  # they come up again
                raise StoreUnavailableError("gone for lunch")
            stored = [each.item for each in plans if each.item.key not in self.outrun]
            self.done += [each.key for each in stored]
        return [
            Performed(item=each.item, result="done", what="planned") if each.item in stored else None for each in plans
        ]

    def perform(self, item: DueItem, now: datetime) -> Performed:
        with self._noting:
            self._in_hand[threading.get_ident()] = 0
            self.performed.append(item.key)
        return super().perform(item, now)


def test_what_is_planned_quickly_is_stored_together_but_never_more_than_the_limit() -> None:
    engine = Planner()
    engine.put(*(f"{number}-0" for number in range(400)))
    with running(engine, size=8):
        eventually(lambda: len(engine.done) == 400)
    assert Counter(engine.done) == Counter(f"{number}-0" for number in range(400))
    assert max(engine.settled) > 1
    assert engine.most_in_hand <= 8
    assert engine.performed == []


def test_slow_decisions_are_made_side_by_side_and_hold_up_no_other() -> None:
    engine = Planner(deciding_seconds=0.06)
    engine.put(*(f"{number}-0" for number in range(40)))
    with running(engine, size=8):
        eventually(lambda: len(engine.done) == 40)
    assert set(engine.settled) == {1}
    assert 1 < engine.most_in_hand <= 8


def test_crew_that_was_slow_stores_together_again_when_decisions_are_quick() -> None:
    engine = Planner(deciding_seconds=0.06)
    engine.put(*(f"{number}-0" for number in range(24)))
    with running(engine, size=8):
        eventually(lambda: len(engine.done) == 24)
        engine.deciding_seconds = 0.0
        engine.put(*(f"{number}-1" for number in range(400)))
        eventually(lambda: len(engine.done) == 424)
    assert max(engine.settled[24:]) > 1


def test_one_slow_decision_among_many_lets_others_take_over_what_comes_behind_it() -> None:
    engine = Planner()
    engine.slow = {"30-0", "31-0"}
    engine.put(*(f"{number}-0" for number in range(60)))
    with running(engine, size=8):
        eventually(lambda: len(engine.done) == 60)
    assert Counter(engine.done) == Counter(f"{number}-0" for number in range(60))


def test_items_of_one_group_are_planned_in_order_each_after_the_one_before_is_stored() -> None:
    engine = Planner()
    engine.put(*(f"{number % 3}-{number}" for number in range(90)))
    with running(engine, size=8):
        eventually(lambda: len(engine.done) == 90)
    for group in "012":
        numbers = [int(key.partition("-")[2]) for key in engine.done if key.startswith(group)]
        assert numbers == sorted(numbers)
    assert max(engine.settled) <= 3


def test_what_cannot_be_planned_or_was_outrun_is_performed_by_itself() -> None:
    engine, metrics = Planner(), Metrics()
    engine.beyond_planning, engine.outrun = {"3-0", "17-0"}, {"5-0", "18-0"}
    engine.put(*(f"{number}-0" for number in range(30)))
    with running(engine, size=8, metrics=metrics):
        eventually(lambda: len(engine.done) == 30)
        eventually(lambda: metrics.total("governance_worker_items_total") == 30)
    assert Counter(engine.done) == Counter(f"{number}-0" for number in range(30))
    assert sorted(engine.performed) == ["17-0", "18-0", "3-0", "5-0"]
    assert metrics.total("governance_worker_items_total", what="planned") == 26


def test_one_that_takes_long_to_perform_holds_up_none_that_was_planned_with_it() -> None:
    engine = Planner()
    engine.seconds = 1.0
    engine.put(*(f"{number}-0" for number in range(40)))
    with running(engine, size=8):
        eventually(lambda: len(engine.done) == 40)
        engine.beyond_planning = {"2-1"}
        engine.put(*(f"{number}-{place}" for place in (1, 2) for number in range(8)))
        eventually(lambda: len(engine.done) == 40 + 14)
        assert {"2-1", "2-2"}.isdisjoint(engine.done)
        eventually(lambda: len(engine.done) == 40 + 16)


def test_plans_that_the_store_did_not_take_are_told_and_come_up_again() -> None:
    engine, metrics = Planner(), Metrics()
    engine.away = 2
    engine.put(*(f"{number}-0" for number in range(30)))
    with running(engine, size=8, metrics=metrics):
        eventually(lambda: len(engine.done) == 30)
        assert metrics.total("governance_worker_troubles_total", part="steered") == 2
    assert Counter(engine.done) == Counter(f"{number}-0" for number in range(30))
