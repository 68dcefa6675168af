"""What following the event store promises, on SQLite and PostgreSQL alike."""

import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from eventsourcing.persistence import StoredEvent

from governance.event_store.connect import open_recorder
from governance.event_store.recorder import EventRecorder
from tests.postgres_roles import application_role
from tests.processes import processes


def event(stream: str, version: int, topic: str = "Created") -> StoredEvent:
    return StoredEvent(originator_id=stream, originator_version=version, topic=topic, state=b"{}")


@pytest.fixture
def recorder(store_url: str) -> Iterator[EventRecorder]:
    role = application_role(store_url) if store_url.startswith("postgres") else nullcontext(store_url)
    with role as url:
        recorder = open_recorder(url)
        yield recorder
        recorder.close()


def append_three(url: str) -> None:
    recorder = open_recorder(url)
    for version in range(1, 4):
        recorder.insert_events([event("elsewhere", version)])
        time.sleep(0.05)
    recorder.close()


def test_pages_start_and_stop_where_they_are_told(recorder: EventRecorder) -> None:
    positions = list(recorder.insert_events([event("s", version) for version in range(1, 8)]))

    def page(start: int | None, limit: int, stop: int | None = None, inclusive: bool = True) -> list[int]:
        found = recorder.select_notifications(start, limit, stop, inclusive_of_start=inclusive)
        return [stored.id for stored in found]

    assert page(None, 3) == positions[:3]
    assert page(positions[2], 3) == positions[2:5]
    assert page(positions[2], 3, inclusive=False) == positions[3:6]
    assert page(positions[2], 9, stop=positions[4]) == positions[2:5]
    assert page(positions[-1], 9, inclusive=False) == []


def test_topics_select_events(recorder: EventRecorder) -> None:
    recorder.insert_events([event("s", 1, "Created"), event("s", 2, "Executed"), event("s", 3, 'Odd"{,}')])
    found = recorder.select_notifications(1, 10, topics=["Executed", 'Odd"{,}'])
    assert [stored.topic for stored in found] == ["Executed", 'Odd"{,}']


def test_head_is_the_last_event(recorder: EventRecorder) -> None:
    assert recorder.max_notification_id() is None
    positions = recorder.insert_events([event("s", 1), event("s", 2)])
    assert recorder.max_notification_id() == positions[-1]


def test_waiting_ends_at_once_if_there_is_something(recorder: EventRecorder) -> None:
    recorder.insert_events([event("s", 1)])
    assert recorder.wait_for_append(0, timeout=0)


def test_waiting_ends_in_time_if_there_is_nothing(recorder: EventRecorder) -> None:
    started = time.monotonic()
    assert not recorder.wait_for_append(0, timeout=0.2)
    assert time.monotonic() - started < 1


def test_waiting_is_woken_by_an_append_of_the_same_process(recorder: EventRecorder) -> None:
    appending = threading.Timer(0.1, lambda: recorder.insert_events([event("s", 1)]))
    appending.start()
    started = time.monotonic()
    assert recorder.wait_for_append(0, timeout=5)
    assert time.monotonic() - started < 1
    appending.join()


def test_waiting_is_woken_by_an_append_of_another_process(recorder: EventRecorder, store_url: str) -> None:
    with processes("tests.contract.test_recorder_feed:append_three", [{"url": store_url}]) as [other]:
        other.start()
        seen = 0
        while seen < 3:
            assert recorder.wait_for_append(seen, timeout=10)
            seen = recorder.max_notification_id() or 0
        assert other.ending().error is None


def test_subscription_follows_from_a_position_until_it_is_stopped(recorder: EventRecorder) -> None:
    first = recorder.insert_events([event("s", 1), event("s", 2), event("t", 1, "Executed")])
    with recorder.subscribe(gt=first[0]) as subscription:
        assert next(subscription).id == first[1]
        assert next(subscription).id == first[2]
        later = threading.Timer(0.1, lambda: recorder.insert_events([event("s", 3)]))
        later.start()
        assert next(subscription).originator_version == 3
        later.join()
        subscription.stop()
        with pytest.raises(StopIteration):
            next(subscription)


def test_subscription_to_topics_passes_others_over(recorder: EventRecorder) -> None:
    recorder.insert_events([event("s", version) for version in range(1, 50)])
    recorder.insert_events([event("t", 1, "Executed")])
    with recorder.subscribe(topics=["Executed"]) as subscription:
        assert next(subscription).originator_id == "t"
