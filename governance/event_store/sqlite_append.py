"""Storing a flush of appends in SQLite: one transaction, in which one append can fail without the others."""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice

from eventsourcing.persistence import DataError

from governance.event_store.append import Append, Row
from governance.event_store.deadline import Deadline
from governance.event_store.group_commit import Outcome
from governance.event_store.recorder import SchemaOutdated, VersionConflict
from governance.event_store.sqlite_connections import SqliteConnections, unavailable

_INSERT = "INSERT INTO governance_events (stream, version, topic, state) VALUES (?, ?, ?, ?)"
_MORE = ", (?, ?, ?, ?)"
_STORED = "SELECT position, topic, state FROM governance_events WHERE stream = ? AND version = ?"

MOST_ROWS = 64


class SqliteAppender:
    """Appends through the one connection for writing; used by one thread at a time."""

    def __init__(self, connections: SqliteConnections) -> None:
        self._connections = connections

    def flush(self, appends: Sequence[Append], deadline: Deadline) -> Sequence[Outcome]:
        """Stores the appends in one transaction and returns what became of each."""

        def work(connection: sqlite3.Connection) -> list[Outcome]:
            return store_all(connection, appends)

        try:
            return self._connections.write(work, deadline)
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                raise SchemaOutdated(str(error)) from error
            raise unavailable(error) from error
        except sqlite3.DataError as error:
            raise DataError(str(error)) from error
        except sqlite3.Error as error:
            raise unavailable(error) from error


def store_all(connection: sqlite3.Connection, appends: Sequence[Append]) -> list[Outcome]:
    """Stores the appends within the open transaction: in few statements if there is no conflict, else singly."""
    if len(appends) > 1:
        connection.execute("SAVEPOINT flush")
        try:
            positions = insert_together(connection, [row for append in appends for row in append.rows])
        except sqlite3.IntegrityError:
            connection.execute("ROLLBACK TO flush")
        else:
            return [list(islice(positions, len(append.rows))) for append in appends]
        finally:
            connection.execute("RELEASE flush")
    return [store(connection, append) for append in appends]


def insert_together(connection: sqlite3.Connection, rows: Sequence[Row]) -> Iterator[int]:
    """Inserts the rows in order and returns their positions; raises IntegrityError if any place is taken.

    Each statement lets other threads run, and getting the interpreter back from them costs more than the
    insert. The numbers of rows are powers of two, so that a few prepared statements do for every flush.
    """
    first = last = at = 0
    while at < len(rows):
        several = min(MOST_ROWS, 1 << (len(rows) - at).bit_length() - 1)
        parameters = [value for row in rows[at : at + several] for value in values(row)]
        last = connection.execute(_INSERT + _MORE * (several - 1), parameters).lastrowid or 0
        first = first or last - several + 1
        at += several
    return iter(range(first, last + 1))


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
