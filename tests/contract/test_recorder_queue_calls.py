"""What the queue in front of a store promises to one who has several appends at a time."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import pytest

from governance.event_store.append import Append
from governance.event_store.group_commit import GroupCommit
from governance.event_store.recorder import StoreUnavailable
from governance.event_store.settings import RecorderSettings
from tests.queue_cases import SETTINGS, Store, append, wait_for_flush


def test_appends_of_one_call_share_a_flush_with_those_of_others() -> None:
    store = Store()
    lane = GroupCommit(store.flush, SETTINGS)
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(lane.append, append(0))
        wait_for_flush(store)
        several = threads.submit(lane.append_each, [append(number) for number in (1, 2, 3)])
        sleep(0.05)
        alone = threads.submit(lane.append, append(4))
        sleep(0.05)
        store.gate.set()
        assert (first.result(), alone.result()) == ([0], [4])
        assert several.result() == [[1], [2], [3]]
    assert store.flushes == [[0], [1, 2, 3, 4]]


def test_call_whose_appends_need_several_flushes_leads_each_of_them() -> None:
    store = Store()
    store.gate.set()
    lane = GroupCommit(store.flush, RecorderSettings(budget_seconds=1, flush_events=2))
    assert lane.append_each([append(number) for number in range(5)]) == [[0], [1], [2], [3], [4]]
    assert store.flushes == [[0, 1], [2, 3], [4]]


def test_call_that_runs_out_of_time_in_the_queue_has_sent_nothing() -> None:
    store = Store()
    lane = GroupCommit(store.flush, SETTINGS)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(lane.append, append(0))
        wait_for_flush(store)
        hasty = threads.submit(lane.append_each, [append(number, seconds=0.05) for number in (1, 2)])
        assert all(isinstance(each, StoreUnavailable) for each in hasty.result())
        store.gate.set()
        assert first.result() == [0]
        assert lane.append(append(3)) == [3]
    assert store.flushes == [[0], [3]]


def test_interrupted_call_leaves_a_working_queue() -> None:
    store = Store()
    store.gate.set()
    lane = GroupCommit(store.flush, RecorderSettings(budget_seconds=1, flush_events=2))

    def interrupt(appends: Sequence[Append]) -> None:
        if len(store.flushes) == 2:
            raise KeyboardInterrupt

    store.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        lane.append_each([append(number) for number in range(6)])
    store.before = lambda appends: None
    assert lane.append(append(9)) == [9]
    assert store.flushes == [[0, 1], [2, 3], [9]]
