"""Snapshots on PostgreSQL."""

from typing import Final

from governance.event_store.deadline import Deadline
from governance.event_store.postgres_binary import INT8_OID, TEXT_OID, int8, read_int8
from governance.event_store.postgres_connections import PostgresConnections
from governance.event_store.postgres_schema import fill
from governance.event_store.postgres_session import Session, Statement
from governance.event_store.snapshots import PUT_SECONDS, Snapshot, SnapshotTable

_FIND: Final = "SELECT version, position, code, body FROM {schema}.governance_snapshots WHERE stream = $1"
# Nobody waits for the disk because of what a crash may lose.
_PUT: Final = """
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS set)
INSERT INTO {schema}.governance_snapshots AS known (stream, version, position, code, body)
SELECT $1, $2, $3, $4, $5 FROM quick WHERE quick.set = 'off'
ON CONFLICT (stream) DO UPDATE
SET version = excluded.version, position = excluded.position, code = excluded.code, body = excluded.body
WHERE known.version <= excluded.version OR known.version = $6
"""


class PostgresSnapshots(SnapshotTable):
    """The snapshots beside the events."""

    def __init__(self, connections: PostgresConnections, schema: str, budget_seconds: float) -> None:
        self._connections = connections
        self._budget_seconds = budget_seconds
        self._find = Statement(b"snapshot_find", fill(_FIND, schema=schema).encode(), (TEXT_OID,))
        types = (TEXT_OID, INT8_OID, INT8_OID, TEXT_OID, TEXT_OID, INT8_OID)
        self._put = Statement(b"snapshot_put", fill(_PUT, schema=schema).encode(), types)

    def find(self, stream: str) -> Snapshot | None:
        """Returns the snapshot of a stream, None when there is none."""

        def ask(session: Session, deadline: Deadline) -> Snapshot | None:
            result = session.run(self._find, (stream.encode(),), deadline)
            if not result.ntuples:
                return None
            code, body = ((result.get_value(0, column) or b"").decode() for column in (2, 3))
            return Snapshot(stream, read_int8(result.get_value(0, 0)), read_int8(result.get_value(0, 1)), code, body)

        return self._connections.read(ask, Deadline.after(self._budget_seconds))

    def put(self, snapshot: Snapshot, instead_of: int) -> None:
        """Stores a snapshot, unless there is one of a later version, other than the version it is to replace."""
        stream, version, position, code, body = snapshot
        parameters = (stream.encode(), int8(version), int8(position), code.encode(), body.encode(), int8(instead_of))

        def ask(session: Session, deadline: Deadline) -> None:
            session.run(self._put, parameters, deadline)

        self._connections.read(ask, Deadline.after(PUT_SECONDS))
