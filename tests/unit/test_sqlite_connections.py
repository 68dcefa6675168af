"""How SQLite is written to: events wait for the disk, what is derived from them does not, nothing is half stored."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from governance.event_store.deadline import Deadline
from governance.event_store.settings import RecorderSettings
from governance.event_store.sqlite_connections import SqliteConnections

NORMAL, FULL = 1, 2


@pytest.fixture
def connections(tmp_path: Path) -> Iterator[SqliteConnections]:
    connections = SqliteConnections(str(tmp_path / "file.db"), RecorderSettings())
    connections.write(lambda one: one.execute("CREATE TABLE t (n INTEGER)"), Deadline.after(5))
    yield connections
    connections.close()


def synchronous(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA synchronous").fetchone()[0])


def test_events_wait_for_the_disk_and_what_is_derived_does_not(connections: SqliteConnections) -> None:
    deadline = Deadline.after(5)
    assert connections.write(synchronous, deadline) == FULL
    assert connections.write_derived(synchronous, deadline) == NORMAL
    assert connections.write(synchronous, deadline) == FULL
    assert connections.write(synchronous, deadline, one_statement=True) == FULL


def test_work_that_fails_stores_nothing_and_the_next_waits_for_the_disk(connections: SqliteConnections) -> None:
    deadline = Deadline.after(5)

    def half(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (1)")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        connections.write_derived(half, deadline)
    assert connections.write(synchronous, deadline) == FULL
    assert connections.read(lambda one: one.execute("SELECT count(*) FROM t").fetchone(), deadline) == (0,)
