"""What the queue in front of a store promises, with a store that does as the test says."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import sleep

import pytest
from eventsourcing.persistence import DataError

from governance.event_store import group_commit
from governance.event_store.append import Append
from governance.event_store.deadline import Deadline
from governance.event_store.group_commit import FlushSpoiled, GroupCommit
from governance.event_store.recorder import OutcomeUnknown, StoreUnavailable
from governance.event_store.settings import RecorderSettings
from governance.event_store.waiting import Waiting, line_up, wake
from tests.queue_cases import SETTINGS, Store, append, wait_for_flush


def test_those_who_come_during_a_flush_share_the_next_one() -> None:
    store = Store()
    lane = GroupCommit(store.flush, SETTINGS)
    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(lane.append, append(0))
        wait_for_flush(store)
        others = [threads.submit(lane.append, append(number)) for number in range(1, 9)]
        sleep(0.1)
        store.gate.set()
        assert first.result() == [0]
        assert [one.result() for one in others] == [[number] for number in range(1, 9)]
    assert [len(flush) for flush in store.flushes] == [1, 8]


def test_one_who_runs_out_of_time_in_the_queue_does_not_stop_the_others() -> None:
    store = Store()
    lane = GroupCommit(store.flush, SETTINGS)
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(lane.append, append(1))
        wait_for_flush(store)
        hasty = threads.submit(lane.append, append(2, seconds=0.05))
        sleep(0.02)
        patient = threads.submit(lane.append, append(3))
        assert isinstance(hasty.exception(), StoreUnavailable)
        store.gate.set()
        assert (first.result(), patient.result()) == ([1], [3])
    assert store.flushes == [[1], [3]]


def test_append_that_spoils_its_flush_fails_alone() -> None:
    def spoil(appends: Sequence[Append]) -> None:
        if any(one.rows[0].version == 2 for one in appends):
            raise FlushSpoiled if len(appends) > 1 else DataError("two is odd")

    store = Store()
    lane = GroupCommit(store.flush, SETTINGS)
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(lane.append, append(0))
        wait_for_flush(store)
        others = [threads.submit(lane.append, append(number)) for number in (1, 2, 3)]
        sleep(0.1)
        store.before = spoil
        store.gate.set()
        assert first.result() == [0]
        assert isinstance(others[1].exception(), DataError)
        assert (others[0].result(), others[2].result()) == ([1], [3])


def test_interrupted_leader_leaves_a_working_queue() -> None:
    def interrupt(appends: Sequence[Append]) -> None:
        store.gate.wait(5)
        raise KeyboardInterrupt

    store = Store()
    store.before = interrupt
    lane = GroupCommit(store.flush, SETTINGS)
    with ThreadPoolExecutor(2) as threads:
        leader = threads.submit(lane.append, append(1))
        wait_for_flush(store)
        follower = threads.submit(lane.append, append(2))
        sleep(0.05)
        store.before = lambda appends: None
        store.gate.set()
        assert isinstance(leader.exception(), KeyboardInterrupt)
        assert follower.result() == [2]


def test_those_who_shared_an_interrupted_flush_are_told_that_its_outcome_is_unknown() -> None:
    store = Store()
    lane = GroupCommit(store.flush, SETTINGS)

    def interrupt(appends: Sequence[Append]) -> None:
        raise KeyboardInterrupt

    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(lane.append, append(1))
        wait_for_flush(store)
        others = [threads.submit(lane.append, append(number)) for number in (2, 3)]
        sleep(0.05)
        store.before = interrupt
        store.gate.set()
        assert first.result() == [1]
        ends = {type(one.exception()) for one in others}
        store.before = lambda appends: None
        assert lane.append(append(4)) == [4]
    assert ends == {KeyboardInterrupt, OutcomeUnknown}


def test_closed_queue_takes_nothing_more() -> None:
    store = Store()
    store.gate.set()
    lane = GroupCommit(store.flush, SETTINGS)
    lane.append(append(1))
    lane.close(Deadline.after(1))
    with pytest.raises(StoreUnavailable, match="closed"):
        lane.append(append(2))


def test_callers_that_come_back_share_flushes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "LONGEST_GATHER_SECONDS", 5.0)
    store = Store()
    store.gate.set()
    store.before = lambda appends: sleep(0.05)
    lane = GroupCommit(store.flush, SETTINGS)

    def call(first: int) -> None:
        for number in range(first, first + 5):
            assert lane.append(append(number)) == [number]

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(call, range(10, 50, 10)))
    assert sorted(number for flush in store.flushes for number in flush) == [
        each + number for each in range(10, 50, 10) for number in range(5)
    ]
    assert max(len(flush) for flush in store.flushes) == 4


def test_lone_caller_never_waits_for_company(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "LONGEST_GATHER_SECONDS", 1_000.0)
    monkeypatch.setattr(group_commit, "GATHER_SHARE", 1_000_000.0)
    store = Store()
    store.gate.set()
    lane = GroupCommit(store.flush, SETTINGS)
    for number in range(5):
        assert lane.append(append(number)) == [number]


def test_callers_that_stay_away_are_waited_for_once_at_most() -> None:
    store = Store()
    lane = GroupCommit(store.flush, SETTINGS)
    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(lane.append, append(0))
        wait_for_flush(store)
        others = [threads.submit(lane.append, append(number)) for number in range(1, 9)]
        sleep(0.05)
        store.gate.set()
        first.result()
        for one in others:
            one.result()
    for number in (10, 11, 12):
        assert lane.append(append(number)) == [number]
    assert store.flushes[-3:] == [[10], [11], [12]]


def test_leader_interrupted_while_it_waits_for_company_leaves_a_working_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    lane = GroupCommit(store.flush, SETTINGS)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(lane, "_gather", interrupt)
        with pytest.raises(KeyboardInterrupt):
            lane.append(append(1))
    store.gate.set()
    assert lane.append(append(2)) == [2]
    assert store.flushes == [[2]]


def test_those_in_line_wake_each_other_in_order() -> None:
    line = [Waiting(append(number)) for number in range(4)]
    wake(line_up(line))
    for at, each in enumerate(line):
        assert not any(later.turn.acquire(blocking=False) for later in line[at + 1 :])
        assert each.wait(0)
    wake(line_up([]))


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("gone", [(0,), (1,), (3,), (0, 1), (1, 2), (0, 1, 2, 3)])
def test_one_who_has_gone_holds_up_nobody_behind(gone: tuple[int, ...], early: bool) -> None:
    line = [Waiting(append(number)) for number in range(4)]
    first = line_up(line)
    if early:
        for number in gone:
            line[number].leave()
    wake(first)
    for number, each in enumerate(line):
        if number not in gone:
            assert each.wait(0)
        elif not early:
            each.leave()


def test_many_callers_are_all_woken_although_some_give_up() -> None:
    store = Store()
    store.gate.set()
    store.before = lambda appends: sleep(0.002)
    lane = GroupCommit(store.flush, RecorderSettings(budget_seconds=0.2))

    def call(caller: int) -> int:
        stored = 0
        for number in range(40):
            with suppress(StoreUnavailable):
                stored += len(lane.append(append(number, seconds=0.05 if caller % 2 else 5)))
        return stored

    with ThreadPoolExecutor(24) as threads:
        stored = list(threads.map(call, range(24)))
    assert [number for caller, number in enumerate(stored) if not caller % 2] == [40] * 12
