"""The line of a crew's work: every item comes out once, those of a group in order, never too many at once."""

from collections.abc import Sequence
from datetime import UTC, datetime
from threading import Thread

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from governance.engines.engine import DueItem
from governance.worker.work_queue import WorkQueue
from tests.worker_cases import eventually

DUE = datetime(2026, 1, 1, tzinfo=UTC)
SIZE = 4


def item(key: str, group: str | None = None) -> DueItem:
    return DueItem(engine="e", key=key, due_at=DUE, group=group)


def keys(items: Sequence[DueItem]) -> list[str]:
    return [each.key for each in items]


def test_items_of_different_groups_are_taken_together() -> None:
    queue = WorkQueue(8)
    queue.put([item("a1", "a"), item("a2", "a"), item("b1", "b"), item("c1")])
    first = queue.take(5)
    assert keys(first) == ["a1", "b1", "c1"]
    queue.done(first)
    assert keys(queue.take(5)) == ["a2"]


def test_what_was_taken_and_not_begun_comes_first() -> None:
    queue = WorkQueue(8)
    queue.put([item("a1", "a"), item("a2", "a"), item("b1", "b"), item("c1", "c")])
    first = queue.take(2)
    queue.put_back(first)
    assert keys(queue.take(5)) == ["a1", "b1", "c1"]


def test_a_thread_that_waits_is_woken_by_new_items_and_by_the_end() -> None:
    queue = WorkQueue(1)
    taken: list[Sequence[DueItem]] = []
    thread = Thread(target=lambda: taken.extend(queue.take(1) for _ in range(2)))
    thread.start()
    queue.put([item("a1")])
    eventually(lambda: len(taken) == 1)
    assert thread.is_alive(), "one in hand is all that there may be"
    queue.stop()
    thread.join(10)
    assert [keys(each) for each in taken] == [["a1"], []]
    assert not queue.idle(0)
    queue.done(taken[0])
    assert queue.idle(0)


def test_a_thread_waits_a_moment_for_room_for_all_that_it_may_take() -> None:
    queue = WorkQueue(4)
    queue.put([item(f"{number}") for number in range(12)])
    singles = [queue.take(1) for _ in range(4)]
    taken: list[Sequence[DueItem]] = []
    thread = Thread(target=lambda: taken.append(queue.take(4)))
    thread.start()
    for each in singles:
        queue.done(each)
    thread.join(10)
    assert len(taken[0]) == 4


def test_one_item_that_never_ends_keeps_no_room_from_others() -> None:
    queue = WorkQueue(4)
    queue.put([item(f"{number}") for number in range(5)])
    queue.take(1)
    assert len(queue.take(4)) == 3


class Line(RuleBasedStateMachine):
    """Any order of putting, taking, giving back and finishing, beside a plain list of what has to come out."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = WorkQueue(SIZE)
        self.waiting: list[DueItem] = []
        self.in_hand: list[list[DueItem]] = []
        self.number = 0

    @property
    def busy(self) -> set[str | None]:
        return {each.group for turn in self.in_hand for each in turn}

    @property
    def ready(self) -> set[str | None]:
        return {each.group for each in self.waiting} - self.busy

    @property
    def free(self) -> int:
        return SIZE - sum(map(len, self.in_hand))

    @rule(groups=st.lists(st.sampled_from("abcdef"), max_size=6))
    def put(self, groups: list[str]) -> None:
        new = [item(f"{group}{self.number + place}", group) for place, group in enumerate(groups)]
        self.number += len(new)
        self.waiting += new
        self.queue.put(new)

    @precondition(lambda self: self.ready and self.free)
    @rule(most=st.integers(1, 6))
    def take(self, most: int) -> None:
        number = min(most, self.free, len(self.ready))
        taken = list(self.queue.take(most))
        assert len(taken) == number
        for each in taken:
            assert each.group not in self.busy
            assert each == next(one for one in self.waiting if one.group == each.group), "in the order of its group"
        assert len({each.group for each in taken}) == number
        self.waiting = [each for each in self.waiting if each not in taken]
        self.in_hand.append(taken)

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        turn = self.in_hand.pop(data.draw(st.integers(0, len(self.in_hand) - 1)))
        begun = data.draw(st.integers(0, len(turn)))
        self.queue.put_back(turn[begun:])
        self.queue.done(turn[:begun])
        self.waiting = turn[begun:] + self.waiting

    @invariant()
    def nothing_is_lost(self) -> None:
        assert self.queue.open(10**9, 0) == len(self.waiting) + sum(map(len, self.in_hand))
        assert self.queue.idle(0) == (not self.waiting and not self.in_hand)


TestLine = Line.TestCase
