"""Snapshots on SQLite."""

import sqlite3
from typing import Final

from governance.event_store.deadline import Deadline
from governance.event_store.snapshots import PUT_SECONDS, Snapshot, SnapshotTable
from governance.event_store.sqlite_connections import SqliteConnections, unavailable

SNAPSHOT_TABLES: Final = (
    """
CREATE TABLE governance_snapshots (
    stream TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    code TEXT NOT NULL,
    body TEXT NOT NULL
)
""",
)
_FIND: Final = "SELECT version, position, code, body FROM governance_snapshots WHERE stream = ?"
_PUT: Final = """
INSERT INTO governance_snapshots AS known (stream, version, position, code, body) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (stream) DO UPDATE
SET version = excluded.version, position = excluded.position, code = excluded.code, body = excluded.body
WHERE known.version <= excluded.version OR known.version = ?6
"""


class SqliteSnapshots(SnapshotTable):
    """The snapshots in the file of the events."""

    def __init__(self, connections: SqliteConnections, budget_seconds: float) -> None:
        self._connections = connections
        self._budget_seconds = budget_seconds

    def find(self, stream: str) -> Snapshot | None:
        """Returns the snapshot of a stream, None when there is none."""
        deadline = Deadline.after(self._budget_seconds)
        found = self._connections.read(lambda one: one.execute(_FIND, (stream,)).fetchone(), deadline)
        if found is None:
            return None
        version, position, code, body = found
        return Snapshot(stream, int(version), int(position), code.decode(), body.decode())

    def put(self, snapshot: Snapshot, instead_of: int) -> None:
        """Stores a snapshot, unless there is one of a later version, other than the version it is to replace."""
        deadline, parameters = Deadline.after(PUT_SECONDS), (*snapshot, instead_of)
        try:
            self._connections.write(lambda one: one.execute(_PUT, parameters), deadline, one_statement=True)
        except sqlite3.Error as error:
            raise unavailable(error) from error
