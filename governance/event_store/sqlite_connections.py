"""The connections of one recorder to its SQLite file, and waiting for other processes without an error."""

import random
import sqlite3
import threading
from collections.abc import Callable
from typing import TypeVar

from governance.event_store.deadline import Deadline
from governance.event_store.recorder import StoreUnavailable
from governance.event_store.settings import RecorderSettings

Answer = TypeVar("Answer")

MEMORY = ":memory:"
SHORTEST_PAUSE_SECONDS = 0.0003
LONGEST_PAUSE_SECONDS = 0.003
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class SqliteConnections:
    """One connection for writing and a few for reading; a store in memory has one for all."""

    def __init__(self, path: str, settings: RecorderSettings) -> None:
        self._path = path
        self._settings = settings
        self._shared = path == MEMORY
        self._idle: list[sqlite3.Connection] = []
        self._places = threading.BoundedSemaphore(settings.read_sessions)
        self._writing = threading.RLock()
        self._writer: sqlite3.Connection | None = None
        self._closed = False

    def write(
        self, work: Callable[[sqlite3.Connection], Answer], deadline: Deadline, *, one_statement: bool = False
    ) -> Answer:
        """Runs the work in one write transaction; raises sqlite3.Error with nothing stored.

        Work that writes with one statement needs no transaction around it: the statement is one.
        """
        with self._writing:
            connection = self._opened(deadline)
            if one_statement:
                return patiently(lambda: work(connection), deadline)
            return _transaction(connection, work, deadline)

    def write_derived(self, work: Callable[[sqlite3.Connection], Answer], deadline: Deadline) -> Answer:
        """Runs work that can be done again from the events in one transaction that does not wait for the disk.

        After a power cut it may not have happened; what was stored before it has, and so has what is stored after it.
        """
        with self._writing:
            connection = self._opened(deadline)
            connection.execute("PRAGMA synchronous = NORMAL")
            try:
                return _transaction(connection, work, deadline)
            finally:
                connection.execute("PRAGMA synchronous = FULL")

    def _opened(self, deadline: Deadline) -> sqlite3.Connection:
        self._refuse_closed()
        self._writer = self._writer or self._open(deadline)
        return self._writer

    def read(self, ask: Callable[[sqlite3.Connection], Answer], deadline: Deadline) -> Answer:
        """Returns what `ask` reads; raises StoreUnavailable."""
        try:
            if self._shared:
                with self._writing:
                    return ask(self._opened(deadline))
            return self._read(ask, deadline)
        except sqlite3.Error as error:
            raise unavailable(error) from error

    def close(self) -> None:
        """Closes every connection that is not in use."""
        with self._writing:
            self._closed = True
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        self._close_idle()

    def _read(self, ask: Callable[[sqlite3.Connection], Answer], deadline: Deadline) -> Answer:
        if not self._places.acquire(timeout=deadline.remaining()):
            msg = "all connections for reading were in use for the whole time budget"
            raise StoreUnavailable(msg)
        try:
            self._refuse_closed()
            connection = self._idle_connection() or self._open(deadline)
            try:
                return patiently(lambda: ask(connection), deadline)
            finally:
                self._idle.append(connection)
        finally:
            self._places.release()
            if self._closed:
                self._close_idle()

    def _close_idle(self) -> None:
        while (connection := self._idle_connection()) is not None:
            connection.close()

    def _idle_connection(self) -> sqlite3.Connection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _refuse_closed(self) -> None:
        if self._closed:
            msg = "the store is closed"
            raise StoreUnavailable(msg)

    def _open(self, deadline: Deadline) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            connection.text_factory = bytes
            # Several processes that open a new file at once each try to switch it to WAL.
            patiently(lambda: connection.execute("PRAGMA journal_mode = WAL").fetchall(), deadline)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA trusted_schema = OFF")
        except BaseException:
            connection.close()
            raise
        return connection


def _transaction(
    connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], Answer], deadline: Deadline
) -> Answer:
    patiently(lambda: connection.execute("BEGIN IMMEDIATE"), deadline)
    try:
        answer = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return answer


def patiently(step: Callable[[], Answer], deadline: Deadline) -> Answer:
    """Returns the step's answer, repeating it while another connection is in the way, up to the deadline.

    SQLite's own waiting sleeps up to 100 ms at a time, which under load lets one process starve.
    """
    pause = SHORTEST_PAUSE_SECONDS
    while True:
        try:
            return step()
        except sqlite3.OperationalError as error:
            if not is_busy(error) or deadline.passed():
                raise
        deadline.pause(pause * (0.5 + random.random()))  # noqa: S311 - spreads tries, protects nothing
        pause = min(LONGEST_PAUSE_SECONDS, pause * 1.5)


def is_busy(error: sqlite3.Error) -> bool:
    """Returns whether the error says that another connection is in the way."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY


def unavailable(error: sqlite3.Error) -> StoreUnavailable:
    """Returns the error for a caller whose call had no effect."""
    return StoreUnavailable(f"SQLite could not do it: {error}")
