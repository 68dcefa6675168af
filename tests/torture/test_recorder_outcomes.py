"""Every acknowledged append is there, every refused one is not, and a lost answer is found out."""

import os
import select
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import Enum, auto
from itertools import count
from pathlib import Path

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent
from psycopg.conninfo import conninfo_to_dict
from pydantic import JsonValue

from governance.event_store.connect import open_recorder
from governance.event_store.recorder import (
    AppendQueueFull,
    EventRecorder,
    OutcomeUnknown,
    StoreUnavailable,
    VersionConflict,
)
from governance.event_store.settings import RecorderSettings
from tests.processes import processes


def event(stream: str, version: int, state: bytes = b"{}") -> StoredEvent:
    return StoredEvent(originator_id=stream, originator_version=version, topic="Created", state=state)


class Fault(Enum):
    BEFORE = auto()
    """The question is lost and the connection cut."""
    AFTER = auto()
    """The question arrives, the answer is lost and the connection cut."""
    SILENCE = auto()
    """The question arrives, the answer is lost and the connection stays."""


class Proxy:
    """A network between the recorder and its server, which fails on demand."""

    def __init__(self, url: str) -> None:
        target = conninfo_to_dict(url)
        self._target = (str(target["host"]), int(str(target["port"])))
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        self.url = url.replace(f"{target['host']}:{target['port']}", f"127.0.0.1:{port}")
        self.fault: Fault | None = None
        self.refuses = False
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.refuses = True
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            if self.refuses:
                return
            with socket.create_connection(self._target) as server:
                self._forward(client, server)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        fault: Fault | None = None
        while True:
            readable, _, _ = select.select([client, server], [], [])
            for source in readable:
                data = source.recv(65_536)
                # Other connections are for reading and announcing: only an append is to fail.
                if source is client and self.fault is not None and b"append" in data:
                    fault, self.fault = self.fault, None
                answered = source is server and fault is not None
                if not data or (fault is Fault.BEFORE) or (answered and fault is Fault.AFTER):
                    return
                if not answered:
                    (server if source is client else client).sendall(data)


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    proxy = Proxy(postgres_url)
    yield proxy
    proxy.close()


@pytest.fixture
def recorder(proxy: Proxy) -> Iterator[EventRecorder]:
    recorder = open_recorder(proxy.url, settings=RecorderSettings(budget_seconds=2))
    recorder.insert_events([event("warm", 1)])
    yield recorder
    recorder.close()


@pytest.mark.parametrize("fault", list(Fault))
def test_lost_answer_is_found_out(proxy: Proxy, recorder: EventRecorder, fault: Fault) -> None:
    rounds = 2 if fault is Fault.SILENCE else 20
    for version in range(1, rounds + 1):
        proxy.fault = fault
        positions = recorder.insert_events([event("s", version), event("t", version)])
        assert proxy.fault is None
        [stored] = recorder.select_events("s", gt=version - 1)
        assert stored.id == positions[0]
    assert len(recorder.select_events("t")) == rounds


@pytest.mark.parametrize("fault", list(Fault))
def test_conflict_behind_a_lost_answer_is_still_a_conflict(proxy: Proxy, recorder: EventRecorder, fault: Fault) -> None:
    recorder.insert_events([event("s", 1)])
    proxy.fault = fault
    with pytest.raises(VersionConflict):
        recorder.insert_events([event("s", 1, b'{"other":1}'), event("t", 1)])
    assert recorder.select_events("t") == []


def test_answer_that_cannot_be_found_out_is_called_unknown(proxy: Proxy, recorder: EventRecorder) -> None:
    proxy.fault, proxy.refuses = Fault.AFTER, True
    started = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        recorder.insert_events([event("s", 1)])
    assert time.monotonic() - started < 2.5
    proxy.refuses = False
    assert recorder.insert_events([event("s", 1)]) == [recorder.select_events("s")[0].id]
    assert len(recorder.select_events("s")) == 1


def test_store_out_of_reach_is_said_to_be_so_in_time(proxy: Proxy, recorder: EventRecorder) -> None:
    proxy.fault, proxy.refuses = Fault.BEFORE, True
    with pytest.raises(OutcomeUnknown):
        recorder.insert_events([event("s", 1)])
    started = time.monotonic()
    with pytest.raises(StoreUnavailable):
        recorder.insert_events([event("s", 2)])
    with ThreadPoolExecutor(8) as threads:
        failures = [threads.submit(recorder.insert_events, [event(f"q-{n}", 1)]) for n in range(8)]
        assert all(isinstance(one.exception(), StoreUnavailable) for one in failures)
    assert time.monotonic() - started < 5
    proxy.refuses = False
    assert recorder.insert_events([event("s", 2)])


def test_terminated_connections_cost_nothing(postgres_url: str) -> None:
    recorder = open_recorder(postgres_url)
    end = time.monotonic() + 2
    acknowledged: list[int] = []

    def append(number: int) -> None:
        version = 0
        while time.monotonic() < end:
            version += 1
            acknowledged.extend(recorder.insert_events([event(f"s-{number}", version)]))

    with ThreadPoolExecutor(8) as threads, psycopg.connect(postgres_url, autocommit=True) as operator:
        running = [threads.submit(append, number) for number in range(8)]
        while time.monotonic() < end:
            time.sleep(0.1)
            operator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        for one in running:
            one.result()
    stored = [one.id for one in recorder.select_notifications(1, 1_000_000)]
    assert stored == sorted(acknowledged)
    recorder.close()


def acknowledge(url: str, number: int, path: str) -> None:
    """Append until killed, and note each acknowledged version in a file."""
    recorder = open_recorder(url)
    with Path(path).open("a", buffering=1) as notes:
        for version in count(1):
            recorder.insert_events([event(f"s-{number}", version), event(f"t-{number}", version)])
            notes.write(f"{version}\n")


def test_killed_process_leaves_all_it_acknowledged_and_no_halves(store_url: str, tmp_path: Path) -> None:
    open_recorder(store_url).close()
    for number in range(4):
        notes = tmp_path / f"notes-{number}"
        work: list[Mapping[str, JsonValue]] = [{"url": store_url, "number": number, "path": str(notes)}]
        with processes("tests.torture.test_recorder_outcomes:acknowledge", work) as [writer]:
            writer.start()
            while not notes.exists() or len(notes.read_bytes()) < 50:
                time.sleep(0.01)
            writer.kill()
        recorder = open_recorder(store_url)
        wait_until_quiet(recorder)
        one, other = recorder.select_events(f"s-{number}"), recorder.select_events(f"t-{number}")
        last = int(notes.read_text().split("\n")[-2])
        assert last <= len(one) == len(other) <= last + 1
        assert [stored.originator_version for stored in one] == list(range(1, len(one) + 1))
        recorder.close()


def wait_until_quiet(recorder: EventRecorder) -> None:
    end = time.monotonic() + 5
    while recorder.open_writers() and time.monotonic() < end:
        time.sleep(0.01)


def test_full_queue_holds_callers_back_and_then_says_so(postgres_url: str) -> None:
    settings = RecorderSettings(budget_seconds=2, queue_events=3)
    recorder = open_recorder(postgres_url, settings=settings)
    recorder.insert_events([event("s", 1)])
    with psycopg.connect(postgres_url) as blocker:
        blocker.execute("LOCK TABLE governance.governance_events IN SHARE MODE")
        started = time.monotonic()
        with ThreadPoolExecutor(12) as threads:
            tries = [threads.submit(recorder.insert_events, [event(f"q-{n}", 1)]) for n in range(12)]
            errors = [one.exception() for one in tries]
        assert time.monotonic() - started < 4
    assert any(isinstance(error, AppendQueueFull) for error in errors)
    assert all(isinstance(error, AppendQueueFull | StoreUnavailable) for error in errors)
    assert len(recorder.select_notifications(1, 100)) == 1
    assert recorder.insert_events([event("s", 2)])
    recorder.close()


def test_forked_child_appends_on_connections_of_its_own(store_url: str) -> None:
    recorder = open_recorder(store_url)
    recorder.insert_events([event("parent", 1)])
    child = os.fork()
    if child == 0:
        stored = 1
        with suppress(Exception):
            recorder.insert_events([event("child", 1)])
            recorder.close()
            stored = 0
        os._exit(stored)
    recorder.insert_events([event("parent", 2)])
    assert os.waitpid(child, 0)[1] == 0
    recorder.insert_events([event("parent", 3)])
    assert len(recorder.select_notifications(1, 10)) == 4
    recorder.close()


def test_file_locked_by_others_is_waited_for_and_then_called_unavailable(sqlite_url: str) -> None:
    recorder = open_recorder(sqlite_url, settings=RecorderSettings(budget_seconds=1))
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        recorder.insert_events([event("s", 1)])
    release = threading.Timer(0.3, lambda: other.execute("ROLLBACK"))
    release.start()
    assert recorder.insert_events([event("s", 1)])
    release.join()
    other.close()
    recorder.close()
