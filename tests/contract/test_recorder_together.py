"""Several appends by one call: each is stored or refused by itself, on SQLite and PostgreSQL alike."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from eventsourcing.persistence import DataError, PersistenceError, StoredEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.event_store.connect import open_recorder
from governance.event_store.recorder import EventRecorder, Settled, StoreUnavailable, VersionConflict
from governance.event_store.settings import RecorderSettings


def event(stream: str, version: int, state: bytes = b'{"a":1}') -> StoredEvent:
    return StoredEvent(originator_id=stream, originator_version=version, topic="Created", state=state)


def conflicts(settled: Sequence[Settled]) -> list[str | None]:
    """Return which streams the refused ones name, None for those that were stored."""
    assert all(isinstance(each, VersionConflict) for each in settled if isinstance(each, PersistenceError))
    return [each.stream if isinstance(each, VersionConflict) else None for each in settled]


@pytest.fixture
def recorder(store_url: str) -> Iterator[EventRecorder]:
    recorder = open_recorder(store_url)
    yield recorder
    recorder.close()


def test_each_gets_its_positions_in_the_order_of_the_call(recorder: EventRecorder) -> None:
    settled = recorder.insert_each([[event("a", 1), event("b", 1)], [event("c", 1)], [event("a", 2)]])
    assert conflicts(settled) == [None, None, None]
    positions = [position for each in settled if not isinstance(each, PersistenceError) for position in each]
    assert positions == sorted(positions)
    assert [each.id for each in recorder.select_notifications(1, 10)] == positions


def test_one_that_lost_its_race_keeps_no_other_from_being_stored(recorder: EventRecorder) -> None:
    recorder.insert_events([event("b", 1, b'{"first":1}')])
    settled = recorder.insert_each([[event("a", 1)], [event("x", 1), event("b", 1)], [event("c", 1)]])
    assert conflicts(settled) == [None, "b", None]
    assert recorder.select_events("x") == []
    assert [each.originator_id for each in recorder.select_notifications(1, 10)] == ["b", "a", "c"]


def test_of_two_that_want_the_same_version_one_is_stored(recorder: EventRecorder) -> None:
    settled = recorder.insert_each([[event("a", 1, b'{"n":1}')], [event("a", 1, b'{"n":2}')]])
    assert sorted(conflicts(settled), key=str) == [None, "a"]
    [stored] = recorder.select_events("a")
    assert stored.state == (b'{"n":1}' if conflicts(settled)[0] is None else b'{"n":2}')


def test_same_bytes_again_answer_with_the_same_positions(recorder: EventRecorder) -> None:
    appends = [[event("a", 1), event("b", 1)], [event("c", 1)]]
    first = recorder.insert_each(appends)
    again = recorder.insert_each(appends)
    assert [list(each) for each in first if not isinstance(each, PersistenceError)] == [
        list(each) for each in again if not isinstance(each, PersistenceError)
    ]
    assert conflicts(again) == [None, None]


def test_nothing_is_stored_if_one_of_them_never_can_be(recorder: EventRecorder) -> None:
    with pytest.raises(DataError):
        recorder.insert_each([[event("a", 1)], [event("b", 1, b"\xff")]])
    assert recorder.max_notification_id() is None
    assert recorder.insert_each([]) == []


def test_more_than_one_flush_takes_are_all_stored(store_url: str) -> None:
    recorder = open_recorder(store_url, settings=RecorderSettings(flush_events=3, queue_events=5))
    with ThreadPoolExecutor(8) as threads:
        calls = [
            threads.submit(recorder.insert_each, [[event(f"{caller}-{each}", 1)] for each in range(10)])
            for caller in range(8)
        ]
        singles = [threads.submit(recorder.insert_events, [event(f"single-{each}", 1)]) for each in range(40)]
        assert all(conflicts(call.result()) == [None] * 10 for call in calls)
        assert all(single.result() for single in singles)
    assert len(recorder.select_notifications(1, 1_000)) == 120
    recorder.close()


def test_closed_store_stores_none_of_them(recorder: EventRecorder) -> None:
    recorder.close()
    with pytest.raises(StoreUnavailable):
        recorder.insert_each([[event("a", 1)], [event("b", 1)]])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(
            st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True),
            max_size=6,
        ),
        max_size=4,
    )
)
def test_any_calls_leave_streams_without_gaps_and_every_answer_true(
    recorder: EventRecorder, calls: Sequence[Sequence[Sequence[str]]]
) -> None:
    """Each append wants the next version of its streams as the call began: some must lose, none may be half stored."""
    for call in calls:
        next_version = {name: len(recorder.select_events(name)) + 1 for name in "abc"}
        number = recorder.max_notification_id() or 0
        appends = [
            [event(name, next_version[name], b'{"by":"%d-%d"}' % (number, place)) for name in names]
            for place, names in enumerate(call)
        ]
        for append, settled in zip(appends, recorder.insert_each(appends), strict=True):
            stored = [
                [each.id for each in recorder.select_events(one.originator_id) if each.state == one.state]
                for one in append
            ]
            if isinstance(settled, PersistenceError):
                assert stored == [[]] * len(append)
            else:
                assert stored == [[position] for position in settled]
    for name in "abc":
        versions = [each.originator_version for each in recorder.select_events(name)]
        assert versions == list(range(1, len(versions) + 1))
