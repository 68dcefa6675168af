"""The one PostgreSQL session that holds the advisory locks of a process; when it ends, so do they."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Any

import psycopg

from governance.domain.errors import StoreUnavailableError

_END_OURS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = current_setting('application_name') AND datname = current_database()"
    " AND usename = current_user AND pid <> pg_backend_pid()"
)


class LockSession:
    """Opens a session when it is needed, and a new one when that was lost."""

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        self._connect = connect
        self._guard = Lock()
        self.session: psycopg.Connection[Any] | None = None
        self._seen = 0.0
        self._lost = False

    def alive(self, session: object, *, within: float = 0.0) -> bool:
        """Return whether locks that were taken in this session still hold, or did so many seconds ago."""
        with self._guard:
            if session is not self.session or self.session is None or self.session.closed:
                return False
            if time.monotonic() - self._seen < within:
                return True
            try:
                self.session.execute("SELECT 1")
            except psycopg.Error:
                self._lose()
                return False
            self._seen = time.monotonic()
            return True

    def ask(self, statement: str, name: str) -> bool:
        """Return what the statement answers about the lock of that name; raises StoreUnavailableError."""
        with self._guard:
            try:
                if self.session is None or self.session.closed:
                    self.session = self._opened()
                row = self.session.execute(statement.encode(), (name,)).fetchone()
            except psycopg.Error as error:
                self._lose()
                msg = f"the database could not be asked about a lock: {error}"
                raise StoreUnavailableError(msg) from error
            return row is not None and bool(row[0])

    def close(self) -> None:
        """Give back every lock."""
        with self._guard:
            self._drop()

    def _opened(self) -> psycopg.Connection[Any]:
        """Return a new session; after one was lost, all others of ours are ended, which may still hold locks.

        What an earlier session had under way is over then, as it has to be before the lock is taken again.
        """
        session = self._connect()
        if self._lost:
            session.execute(_END_OURS)
            self._lost = False
        return session

    def _lose(self) -> None:
        self._lost = self._lost or self.session is not None
        self._drop()

    def _drop(self) -> None:
        if self.session is not None:
            self.session.close()
            self.session = None
