"""The database of the views: connections to SQLite and PostgreSQL, transactions, and writing rows in bulk."""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine, Table, create_engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.pool import QueuePool

from governance.domain.errors import ConfigurationError, StoreUnavailableError
from governance.event_store.connect import split_schema, sqlite_path
from projections.errors import RowsRefusedError
from projections.lock_session import LockSession
from projections.watched import connect

BUSY_SECONDS: Final = 5.0
"""How long a transaction waits for another writer of an SQLite file."""
STATEMENT_SECONDS: Final = 30
NODE: Final = os.uname().nodename[:30]
"""This machine, short enough for the name of a session, of which PostgreSQL keeps 63 bytes."""
CONNECT_SECONDS: Final = 5
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_KEEPALIVE: Final = {
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 6000,
    "connect_timeout": CONNECT_SECONDS,
}
_SESSION: Final = (
    "-c jit=off -c timezone=UTC -c tcp_keepalives_idle=3 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=6000"
)
"""Settings of every session; the server, too, has to notice that we are gone, and let go of our locks."""
_REFUSALS: Final = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    OverflowError,
    UnicodeError,
)
Row = tuple[Any, ...]


class Database:
    """The tables of the views, beside the events: the same file on SQLite, a sibling schema on PostgreSQL."""

    def __init__(self, url: str, database_schema: str = "governance") -> None:
        self.on_postgres = not url.startswith("sqlite:")
        self.event_schema = database_schema
        if self.on_postgres:
            self._conninfo, named = split_schema(url)
            self.event_schema = named or database_schema
            self._engine = self._postgres()
        else:
            self._engine = _sqlite(sqlite_path(url))
        self.locks = LockSession(self._connect)
        self.holder = f"{NODE}:{os.getpid()}:{os.urandom(3).hex()}"

    @property
    def schema(self) -> str:
        """Return the PostgreSQL schema of the views."""
        return f"{self.event_schema[:57]}_views"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection for statements that each stand alone; raises StoreUnavailableError."""
        with translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection inside one transaction, stored as a whole when the block ends without an error."""
        with translated(), self._engine.connect() as connection:
            self._begin(connection)
            try:
                yield connection
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Give a connection all of whose statements see the database at one moment."""
        with translated(), self._engine.connect() as connection:
            begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if self.on_postgres else "BEGIN"
            connection.exec_driver_sql(begin)
            if self.on_postgres:
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            try:
                yield connection
            finally:
                _roll_back(connection)

    def insert(self, connection: Connection, table: Table, rows: Sequence[Row]) -> None:
        """Add rows in bulk; their values are in stored form, in the order of the table's columns."""
        if not rows:
            return
        cursor = connection.connection.cursor()
        try:
            if self.on_postgres:
                self._copy(cursor, table, rows)
            else:
                places = ", ".join("?" * len(table.columns))
                cursor.executemany(f'INSERT INTO "{table.name}" VALUES ({places})', rows)  # noqa: S608 - ours
        finally:
            cursor.close()

    def close(self) -> None:
        """Let go of every connection."""
        self.locks.close()
        self._engine.dispose()

    def _begin(self, connection: Connection) -> None:
        if self.on_postgres:
            connection.exec_driver_sql("BEGIN")
            return
        ends = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            except DBAPIError as error:
                if not is_busy(error) or time.monotonic() > ends:
                    raise
                time.sleep(0.002)
            else:
                return

    @staticmethod
    def _copy(cursor: Any, table: Table, rows: Sequence[Row]) -> None:
        columns = sql.SQL(", ").join(sql.Identifier(name) for name in table.columns.keys())  # noqa: SIM118
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), columns)
        with cursor.copy(statement) as copy:
            write = copy.write_row
            for row in rows:
                write(row)

    def _connect(self) -> psycopg.Connection[Any]:
        settings = f"-c search_path={self.schema} -c statement_timeout={STATEMENT_SECONDS}s {_SESSION}"
        given = psycopg.conninfo.conninfo_to_dict(self._conninfo)
        given["options"] = f"{given.get('options') or ''} {settings}".strip()
        kept: dict[str, Any] = {**_KEEPALIVE, "application_name": f"projections {self.holder}", **given}
        return connect(kept)

    def _postgres(self) -> Engine:
        return create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            isolation_level="AUTOCOMMIT",
            poolclass=QueuePool,
            pool_size=4,
            max_overflow=8,
            pool_timeout=CONNECT_SECONDS,
            pool_pre_ping=True,
        )


def _sqlite(path: str) -> Engine:
    if path == ":memory:":
        msg = "a store in memory is seen by its own process only: views need a file, as in sqlite:///governance.db"
        raise ConfigurationError(msg)
    if not Path(path).exists():
        msg = f"there is no store at {path}"
        raise ConfigurationError(msg, path=path)

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cache_size = -16384")
        return connection

    return create_engine(
        "sqlite://", creator=connect, isolation_level="AUTOCOMMIT", poolclass=QueuePool, pool_size=4, max_overflow=8
    )


def is_busy(error: DBAPIError) -> bool:
    """Return whether another connection is in the way."""
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _BUSY


def _roll_back(connection: Connection) -> None:
    try:
        connection.exec_driver_sql("ROLLBACK")
    except (DBAPIError, PendingRollbackError):  # the second when it is the connection that was lost
        connection.invalidate()


@contextmanager
def translated() -> Iterator[None]:
    """Turn the database's errors into RowsRefusedError, or StoreUnavailableError where trying again may help."""
    try:
        yield
    except (DataError, IntegrityError, *_REFUSALS) as error:
        msg = f"the database refused the rows: {getattr(error, 'orig', None) or error}"
        raise RowsRefusedError(msg) from error
    except (DBAPIError, NoConnection, PendingRollbackError, psycopg.Error, sqlite3.Error) as error:
        reason = str(getattr(error, "orig", None) or error)
        msg = f"the database of the views could not do it: {reason}"
        raise StoreUnavailableError(msg) from error
