"""Storing a flush of appends in SQLite: one transaction, in which one append can fail without the others."""

import sqlite3
from collections.abc import Sequence

from eventsourcing.persistence import DataError, PersistenceError

from governance.event_store.append import Append, Row
from governance.event_store.deadline import Deadline
from governance.event_store.recorder import OutcomeUnknown, SchemaOutdated, VersionConflict
from governance.event_store.sqlite_connections import SqliteConnections, unavailable
from governance.event_store.waiting import Outcome

_INSERT = "INSERT INTO governance_events (stream, version, topic, state) VALUES (?, ?, ?, ?)"
_STORED = "SELECT position, topic, state FROM governance_events WHERE stream = ? AND version = ?"


class SqliteAppender:
    """Appends through the one connection for writing; used by one thread at a time."""

    def __init__(self, connections: SqliteConnections) -> None:
        self._connections = connections

    def flush(self, appends: Sequence[Append], deadline: Deadline) -> Sequence[Outcome]:
        """Stores the appends in one transaction and returns what became of each."""

        def work(connection: sqlite3.Connection) -> list[Outcome]:
            return [store(connection, append) for append in appends]

        try:
            return self._connections.write(
                work, deadline, one_statement=len(appends) == 1 and len(appends[0].rows) == 1
            )
        except sqlite3.OperationalError as error:
            raise verdict(error) from error
        except sqlite3.DataError as error:
            raise DataError(str(error)) from error
        except sqlite3.Error as error:
            raise unavailable(error) from error


def verdict(error: sqlite3.OperationalError) -> PersistenceError:
    """Returns what the callers have to know."""
    if "no such table" in str(error):
        return SchemaOutdated(str(error))
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR:
        # What was written before the disk failed may come back when the file is next recovered.
        return OutcomeUnknown(f"the disk failed during an append: {error}")
    return unavailable(error)


def store(connection: sqlite3.Connection, append: Append) -> Outcome:
    """Stores one append within the open transaction, or leaves nothing of it there and says why."""
    if len(append.rows) == 1:
        return store_rows(connection, append)
    connection.execute("SAVEPOINT append")
    outcome = store_rows(connection, append)
    if isinstance(outcome, VersionConflict):
        connection.execute("ROLLBACK TO append")
    connection.execute("RELEASE append")
    return outcome


def store_rows(connection: sqlite3.Connection, append: Append) -> Outcome:
    """Inserts the rows in order; a row whose place is taken makes it a conflict or, if all are, a repeat."""
    positions: list[int] = []
    for row in append.rows:
        try:
            position = connection.execute(_INSERT, values(row)).lastrowid
        except sqlite3.IntegrityError:
            # A repeat finds its first row taken; one that finds a later row taken shares it with another append.
            found = None if positions else repeated(connection, append)
            return found or VersionConflict(row.stream.decode(), row.version)
        positions.append(position or 0)
    return positions


def repeated(connection: sqlite3.Connection, append: Append) -> list[int] | None:
    """Returns the positions if all rows are stored already with the same bytes, else None."""
    positions: list[int] = []
    for row in append.rows:
        stored = connection.execute(_STORED, (row.stream.decode(), row.version)).fetchone()
        if stored is None or stored[1:] != (row.topic, row.state):
            return None
        positions.append(stored[0])
    return positions


def values(row: Row) -> tuple[str, int, str, str]:
    """Returns the row as SQLite takes it: text, so that it can be read with any tool."""
    return row.stream.decode(), row.version, row.topic.decode(), row.state.decode()
