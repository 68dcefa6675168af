"""A reader that remembers one position misses nothing, whatever the writers do, on both databases."""

import os
import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import count

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent
from pydantic import JsonValue

from governance.event_store.connect import open_recorder
from governance.event_store.recorder import EventRecorder, VersionConflict
from tests.processes import processes

PROCESSES = 4
THREADS = 4
SECONDS = float(os.environ.get("GOVERNANCE_TORTURE_SECONDS", "3"))
SIZES = (2, 2, 4, 16)
"""One more than how many events an append has, as the dice will have it."""
GENERATIONS = max(3, round(SECONDS / 5))
"""How often the writers are replaced, where they are killed."""


def event(stream: str, version: int, state: bytes = b"{}") -> StoredEvent:
    return StoredEvent(originator_id=stream, originator_version=version, topic="Created", state=state)


def write(url: str, process: int, seconds: float) -> int:
    """Append for that long from four threads: single, several at once, and conflicting; return how many."""
    recorder = open_recorder(url)
    stored: list[int] = []
    threads = [
        threading.Thread(target=_write, args=(recorder, f"{process}-{number}", seconds, stored))
        for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.close()
    return len(stored)


def _write(recorder: EventRecorder, name: str, seconds: float, stored: list[int]) -> None:
    dice = random.Random(name)
    end = time.monotonic() + seconds
    state = f'"{name}"'.encode()
    hot = 1
    for number in count(1):
        if time.monotonic() > end:
            return
        events = [event(f"s-{name}-{number}", version, state) for version in range(1, dice.choice(SIZES))]
        if dice.random() < 0.1:
            events.append(event("hot", hot, state))
        try:
            stored.extend(recorder.insert_events(events))
        except VersionConflict:
            hot = (
                max((one.originator_version for one in recorder.select_events("hot", desc=True, limit=1)), default=0)
                + 1
            )


class Tail:
    """A reader that remembers nothing but the last position."""

    def __init__(self, url: str) -> None:
        self._recorder = open_recorder(url)
        self.seen: list[int] = []

    def follow(self, until: threading.Event) -> None:
        done = False
        while not done:
            done = until.is_set()
            last = self.seen[-1] if self.seen else 0
            page = self._recorder.select_notifications(last, 500, inclusive_of_start=False)
            self.seen.extend(stored.id for stored in page)
            done = done and not page
            if not page:
                self._recorder.wait_for_append(last, 0.05)

    def close(self) -> None:
        self._recorder.close()


@contextmanager
def tail(url: str) -> Iterator[Tail]:
    reader, end = Tail(url), threading.Event()
    thread = threading.Thread(target=reader.follow, args=(end,))
    thread.start()
    try:
        yield reader
    finally:
        end.set()
        thread.join()
        reader.close()


def everything(url: str) -> list[int]:
    recorder = open_recorder(url)
    positions = [stored.id for stored in recorder.select_notifications(1, 10_000_000)]
    recorder.close()
    return positions


def test_tail_sees_every_event_once_and_in_order(store_url: str) -> None:
    with tail(store_url) as reader:
        work: list[Mapping[str, JsonValue]] = [
            {"url": store_url, "process": number, "seconds": SECONDS} for number in range(PROCESSES)
        ]
        with processes("tests.torture.test_recorder_order:write", work) as writers:
            for writer in writers:
                writer.start()
            endings = [writer.ending(SECONDS + 60) for writer in writers]
    assert [ending.traceback for ending in endings] == [""] * PROCESSES
    print(f"{len(reader.seen):,} events read by position")
    assert reader.seen == everything(store_url)
    assert len(reader.seen) == sum(int(str(ending.returned)) for ending in endings) > 0


def test_tail_sees_every_event_once_although_writers_are_killed(store_url: str) -> None:
    with tail(store_url) as reader:
        for generation in range(GENERATIONS):
            work: list[Mapping[str, JsonValue]] = [
                {"url": store_url, "process": 10 * generation + number, "seconds": 30.0} for number in range(PROCESSES)
            ]
            with processes("tests.torture.test_recorder_order:write", work) as writers:
                for writer in writers:
                    writer.start()
                for writer in writers:
                    time.sleep(SECONDS / GENERATIONS / PROCESSES)
                    writer.kill()
    print(f"{len(reader.seen):,} events read by position, their writers killed")
    assert reader.seen == everything(store_url)
    assert len(reader.seen) > 0


def test_transaction_elsewhere_does_not_hold_readers_back(postgres_url: str) -> None:
    recorder = open_recorder(postgres_url)
    with psycopg.connect(postgres_url) as other:
        other.execute("CREATE TABLE elsewhere (x int)")  # holds a transaction id for as long as it is open
        positions = recorder.insert_events([event("s", 1)])
        assert recorder.max_notification_id() == positions[-1]
        other.rollback()
    recorder.close()


@pytest.mark.parametrize("ending", ["commit", "rollback", "terminate"])
def test_writer_that_stands_still_holds_readers_back_and_is_seen(postgres_url: str, ending: str) -> None:
    recorder = open_recorder(postgres_url)
    before = recorder.insert_events([event("s", 1)])[-1]
    with closing(psycopg.connect(postgres_url, application_name="stalled")) as writer:
        writer.execute(
            "SELECT governance.governance_append(ARRAY['slow'], ARRAY[1::bigint], ARRAY['T'], ARRAY['{}'], NULL)"
        )
        after = recorder.insert_events([event("s", 2)])[-1]
        assert recorder.max_notification_id() == before
        assert [stored.id for stored in recorder.select_notifications(1, 10)] == [before]
        assert not recorder.wait_for_append(before, 0.1)
        [seen] = recorder.open_writers()
        assert (seen.application, seen.bound, seen.process) == ("stalled", before, writer.info.backend_pid)
        assert 0 < seen.seconds < 60
        if ending == "terminate":
            with psycopg.connect(postgres_url, autocommit=True) as operator:
                operator.execute("SELECT pg_terminate_backend(%s, 5000)", [writer.info.backend_pid])
        else:
            getattr(writer, ending)()
    assert recorder.wait_for_append(after - 1, 5)
    streams = [stored.originator_id for stored in recorder.select_notifications(1, 10)]
    assert streams == (["s", "slow", "s"] if ending == "commit" else ["s", "s"])
    assert recorder.open_writers() == ()
    recorder.close()
