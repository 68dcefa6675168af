"""The one PostgreSQL session that holds the advisory locks of a process; when it ends, so do they."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Any

import psycopg

from governance.domain.errors import StoreUnavailableError

_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND application_name = %s"


class LockSession:
    """Opens a session when it is needed, and a new one when that was lost."""

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        self._connect = connect
        self._guard = Lock()
        self.session: psycopg.Connection[Any] | None = None
        self._seen = 0.0
        self._process: int | None = None

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
                self._drop()
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
                self._drop()
                msg = f"the database could not be asked about a lock: {error}"
                raise StoreUnavailableError(msg) from error
            return row is not None and bool(row[0])

    def close(self) -> None:
        """Give back every lock."""
        with self._guard:
            self._drop()

    def _opened(self) -> psycopg.Connection[Any]:
        """Return a new session; one that was lost before is ended, for the server may not know it and keep its locks."""
        session = self._connect()
        if self._process is not None:
            session.execute(_END, (self._process, session.info.parameter_status("application_name")))
        self._process = session.info.backend_pid
        return session

    def _drop(self) -> None:
        if self.session is not None:
            self.session.close()
            self.session = None
