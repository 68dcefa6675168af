"""An auditor's own connection to the database of a store, beside those of writers and readers."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
from psycopg import pq

from governance.domain.errors import ConfigurationError, StoreUnavailableError
from governance.event_store.connect import split_schema, sqlite_path
from governance.event_store.postgres_schema import fill
from governance.event_store.settings import RecorderSettings
from governance.event_store.sqlite_connections import MEMORY, is_busy

BUSY_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 5


class AuditConnection:
    """One connection, used by one thread; text comes as the bytes that are stored. Opening it makes no tables."""

    def __init__(self, url: str, *, schema: str | None = None) -> None:
        """Raises ConfigurationError for what is not the URL of a store in a file or on a server."""
        self.on_postgres = urlsplit(url).scheme in {"postgresql", "postgres"}
        self._schema = RecorderSettings().database_schema if schema is None else schema
        with _translated():
            self._connection: Any = self._postgres(url) if self.on_postgres else _sqlite(url)

    def ask(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a statement; `{schema}` stands before every table's name, and `?` for each parameter."""
        with _translated():
            cursor = self._connection.execute(self._text(statement), parameters)
            return list(cursor.fetchall()) if cursor.description else []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Store all of a block or, when it ends by an error, nothing."""
        self._begin()
        try:
            yield
        except BaseException:
            self.ask("ROLLBACK")
            raise
        self.ask("COMMIT")

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def __enter__(self) -> "AuditConnection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _text(self, statement: str) -> str:
        if self.on_postgres:
            return fill(statement.replace("{schema}", "{schema}."), schema=self._schema).replace("?", "%s")
        return statement.replace("{schema}", "")

    def _begin(self) -> None:
        if self.on_postgres:
            self.ask("BEGIN")
            return
        ends = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > ends:
                    msg = f"the database could not do it: {error}"
                    raise StoreUnavailableError(msg) from error
                time.sleep(0.001)
            else:
                return

    def _postgres(self, url: str) -> "psycopg.Connection[Any]":
        conninfo, named = split_schema(url)
        self._schema = named or self._schema
        connection = psycopg.connect(
            conninfo,
            autocommit=True,
            cursor_factory=_BinaryCursor,
            connect_timeout=CONNECT_SECONDS,
            application_name="governance audit",
        )
        as_bytes = connection.adapters.get_loader(psycopg.adapters.types["bytea"].oid, pq.Format.BINARY)
        if as_bytes is not None:
            connection.adapters.register_loader("text", as_bytes)
        return connection


class _BinaryCursor(psycopg.Cursor[Any]):
    """Reads numbers and bytes as they are, not as text."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.format = pq.Format.BINARY


def _sqlite(url: str) -> sqlite3.Connection:
    path = sqlite_path(url)
    if path == MEMORY:
        msg = "a store in memory ends with its process: an audit needs a file, as in sqlite:///governance.db"
        raise ConfigurationError(msg)
    if not Path(path).is_file():
        msg = f"there is no store at {path}"
        raise ConfigurationError(msg, path=path)
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.text_factory = bytes
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, psycopg.Error) as error:
        msg = f"the database could not do it: {str(error).strip()}"
        raise StoreUnavailableError(msg) from error
