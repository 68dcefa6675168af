"""What appending to the event store promises, on SQLite and PostgreSQL alike."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
from eventsourcing.persistence import DataError, IntegrityError, StoredEvent

from governance.event_store.connect import open_recorder
from governance.event_store.recorder import EventRecorder, StoreUnavailable, VersionConflict
from governance.event_store.settings import RecorderSettings
from tests.postgres_roles import application_role


def event(stream: str, version: int, state: bytes = b'{"a":1}', topic: str = "Created") -> StoredEvent:
    return StoredEvent(originator_id=stream, originator_version=version, topic=topic, state=state)


@pytest.fixture
def recorder(store_url: str) -> Iterator[EventRecorder]:
    role = application_role(store_url) if store_url.startswith("postgres") else nullcontext(store_url)
    with role as url:
        recorder = open_recorder(url)
        yield recorder
        recorder.close()


def test_positions_follow_the_order_of_appends(recorder: EventRecorder) -> None:
    first = recorder.insert_events([event("order-1", 1), event("state-a:b", 1)])
    second = recorder.insert_events([event("order-1", 2)])
    assert list(first) == sorted(first)
    assert second[0] > first[-1]


def test_nothing_appended_is_nothing_stored(recorder: EventRecorder) -> None:
    assert recorder.insert_events([]) == []
    assert recorder.max_notification_id() is None


def test_stored_bytes_are_those_that_were_given(recorder: EventRecorder) -> None:
    state = '{ "text":"\\u0000 ü 𝔘 \u202e\\n",  "n": 1e400 }'.encode()
    recorder.insert_events([event("order-ü 'quoted' \"x\" \\ {} %s $1", 1, state)])
    [stored] = recorder.select_events("order-ü 'quoted' \"x\" \\ {} %s $1")
    assert stored.state == state


def test_stream_gives_back_its_events_with_their_positions(recorder: EventRecorder) -> None:
    positions = recorder.insert_events([event("s", version) for version in range(1, 6)])
    recorder.insert_events([event("other", 1)])
    assert [stored.id for stored in recorder.select_events("s")] == list(positions)
    assert [stored.originator_version for stored in recorder.select_events("s", gt=2)] == [3, 4, 5]
    assert [stored.originator_version for stored in recorder.select_events("s", lte=2)] == [1, 2]
    assert [stored.originator_version for stored in recorder.select_events("s", desc=True, limit=2)] == [5, 4]


@pytest.mark.parametrize("stream", ["", "s\0", "s\ud800", "x" * 2_000])
def test_stream_that_cannot_be_is_empty(recorder: EventRecorder, stream: str) -> None:
    recorder.insert_events([event("s?", 1), event("s", 1)])
    assert recorder.select_events(stream) == []


def test_bounds_beyond_what_can_be_stored_are_harmless(recorder: EventRecorder) -> None:
    recorder.insert_events([event("s", 1)])
    assert len(recorder.select_events("s", gt=-(10**30), lte=10**30, limit=10**9)) == 1
    assert recorder.select_events("s", gt=10**30, limit=0) == []
    assert len(recorder.select_notifications(-(10**30), 10, 10**30)) == 1
    assert recorder.select_notifications(10**30, 10) == []


def test_taken_version_is_a_conflict_that_names_it(recorder: EventRecorder) -> None:
    recorder.insert_events([event("s", 1)])
    with pytest.raises(VersionConflict, match="version 1 of stream 's'") as caught:
        recorder.insert_events([event("s", 1, b'{"a":2}')])
    assert (caught.value.stream, caught.value.version) == ("s", 1)
    assert isinstance(caught.value, IntegrityError)


def test_conflict_of_one_event_stores_none_of_its_append(recorder: EventRecorder) -> None:
    recorder.insert_events([event("s", 1)])
    with pytest.raises(VersionConflict):
        recorder.insert_events([event("t", 1), event("s", 1, b'{"a":2}'), event("u", 1)])
    assert recorder.select_events("t") == []
    assert recorder.select_events("u") == []


def test_same_bytes_again_answer_with_the_same_positions(recorder: EventRecorder) -> None:
    events = [event("s", 1), event("t", 1)]
    positions = recorder.insert_events(events)
    assert recorder.insert_events(events) == positions
    assert len(recorder.select_notifications(1, 10)) == 2


def test_repeat_with_one_event_more_is_a_conflict(recorder: EventRecorder) -> None:
    recorder.insert_events([event("s", 1)])
    for events in ([event("s", 1), event("t", 1)], [event("t", 1), event("s", 1)]):
        with pytest.raises(VersionConflict):
            recorder.insert_events(events)
    assert recorder.select_events("t") == []


def test_append_that_takes_a_version_twice_is_a_conflict(recorder: EventRecorder) -> None:
    with pytest.raises(VersionConflict):
        recorder.insert_events([event("s", 1), event("s", 1, b"{}")])
    assert recorder.select_events("s") == []


@pytest.mark.parametrize(
    "bad",
    [
        event("", 1),
        event("nul\0", 1),
        event("surrogate\ud800", 1),
        event("x" * 1_025, 1),
        event("s", -1),
        event("s", 2**63),
        event("s", True),
        event("s", 1, b"\xff"),
        event("s", 1, b"\xed\xa0\x80"),
        event("s", 1, b"a\0b"),
        event("s", 1, topic=""),
    ],
    ids=lambda bad: repr((bad.originator_id[:9], bad.originator_version, bad.state)),
)
def test_what_cannot_be_stored_is_refused_before_anything_is(recorder: EventRecorder, bad: StoredEvent) -> None:
    with pytest.raises(DataError):
        recorder.insert_events([event("good", 1), bad])
    assert recorder.max_notification_id() is None


def test_megabytes_are_stored_and_too_many_refused(store_url: str) -> None:
    recorder = open_recorder(store_url, settings=RecorderSettings(append_bytes=6_000_000))
    large = b'"' + b"x" * 5_900_000 + b'"'
    recorder.insert_events([event("s", 1, large)])
    assert recorder.select_events("s")[0].state == large
    with pytest.raises(DataError, match="6000000"):
        recorder.insert_events([event("s", 2, large), event("t", 1, large)])
    recorder.close()


def test_of_racing_appends_exactly_one_wins_and_bystanders_are_not_touched(recorder: EventRecorder) -> None:
    blamed: set[str] = set()

    def compete(number: int) -> bool:
        wins = False
        state = b'{"by":%d}' % number
        for version in range(1, 21):
            try:
                recorder.insert_events([event(f"own-{number}", version, state), event("hot", version, state)])
                wins = True
            except VersionConflict as conflict:
                blamed.add(conflict.stream)
            recorder.insert_events([event(f"bystander-{number}", version, state)])
        return wins

    with ThreadPoolExecutor(12) as threads:
        assert any(threads.map(compete, range(12)))
    assert blamed == {"hot"}
    hot = recorder.select_events("hot")
    assert [stored.originator_version for stored in hot] == list(range(1, 21))
    for stored in hot:
        own = f"own-{stored.state[6:-1].decode()}"
        [twin] = recorder.select_events(own, gt=stored.originator_version - 1, lte=stored.originator_version)
        assert (twin.state, twin.id) == (stored.state, stored.id - 1)
    assert len(recorder.select_notifications(1, 10_000)) == 20 + 20 + 12 * 20


def test_many_threads_lose_nothing(recorder: EventRecorder) -> None:
    def append(number: int) -> list[int]:
        return [recorder.insert_events([event(f"s-{number}", v)])[0] for v in range(1, 51)]

    with ThreadPoolExecutor(16) as threads:
        positions = [position for own in threads.map(append, range(16)) for position in own]
    feed = recorder.select_notifications(1, 10_000)
    assert [stored.id for stored in feed] == sorted(positions)
    assert len(set(positions)) == 16 * 50


def test_closed_store_answers_with_an_error(recorder: EventRecorder) -> None:
    recorder.insert_events([event("s", 1)])
    recorder.close()
    recorder.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        recorder.insert_events([event("s", 2)])
    with pytest.raises(StoreUnavailable, match="closed"):
        recorder.select_events("s")


def test_closing_stores_what_is_waiting(store_url: str) -> None:
    recorder = open_recorder(store_url)
    acknowledged: list[int] = []

    def append(number: int) -> None:
        for version in range(1, 1_000):
            try:
                acknowledged.extend(recorder.insert_events([event(f"s-{number}", version)]))
            except StoreUnavailable:
                return

    with ThreadPoolExecutor(8) as threads:
        running = [threads.submit(append, number) for number in range(8)]
        while len(acknowledged) < 50:
            pass
        recorder.close()
        for one in running:
            one.result()
    again = open_recorder(store_url)
    assert [stored.id for stored in again.select_notifications(1, 100_000)] == sorted(acknowledged)
    again.close()
