"""Reading the log for views: pages in the one global order, and the past of single streams, in stored form."""

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import psycopg
from sqlalchemy import Connection

from governance.domain.errors import GovernanceError
from governance.event_store.log import EventLog
from projections.database import Database
from projections.errors import LogMismatchError
from projections.events import Stored, decode_stored

PAGE_CHARS: Final = 48 * 1024 * 1024
"""A page ends early when it holds this much, so that memory stays flat however large the events are."""
STREAMS_AT_ONCE: Final = 1_000
MAX_VERSION: Final = 2**62


class Feed:
    """Reads settled events only: below the head, nothing can appear later."""

    def __init__(self, log: EventLog, database: Database) -> None:
        self._log = log
        self._database = database
        self._statements = _Statements(database)

    def head(self) -> int:
        """Return the position of the last settled event, 0 for an empty log."""
        return self._log.head()

    def wait(self, after: int, timeout: float) -> bool:
        """Return whether there is an event after the position, waiting up to `timeout` seconds for one."""
        return self._log.wait(after, timeout)

    def page(self, after: int, upto: int, limit: int) -> list[Stored]:
        """Return up to `limit` events after a position and not after another, fewer when they are large."""
        found: list[Stored] = []
        size = 0
        with self._database.read() as connection:
            rows = self._statements.page(connection, after, upto, limit)
            with closing(rows):
                for stored in rows:
                    found.append(stored)
                    size += len(stored[4])
                    if size > PAGE_CHARS:
                        break
        return found

    def time_after(self, position: int) -> datetime | None:
        """Return when the first readable event after the position happened, None when there is none."""
        for stored in self.page(position, MAX_VERSION, 1):
            try:
                return datetime.fromisoformat(decode_stored(stored).at)
            except GovernanceError:
                return None
        return None

    def past(self, streams: Sequence[str], upto: int, *, first_only: bool = False) -> Iterator[Stored]:
        """Return the events of the streams up to a position, stream by stream, oldest first."""
        for start in range(0, len(streams), STREAMS_AT_ONCE):
            some = list(streams[start : start + STREAMS_AT_ONCE])
            with self._database.read() as connection:
                rows = self._statements.past(connection, some, upto, 1 if first_only else MAX_VERSION)
                with closing(rows):
                    yield from rows

    def anchor(self, position: int) -> str:
        """Return what the event at a position is known by, empty for position 0; LogMismatchError when it is gone."""
        if position == 0:
            return ""
        found = self.page(position - 1, position, 1)
        if not found:
            msg = f"the log has no event at position {position}, where a view stands: was it restored from a backup?"
            raise LogMismatchError(msg, position=position)
        return anchor(found[0])

    def check(self, position: int, expected: str) -> None:
        """Refuse a log that does not hold the event at which a view stands: LogMismatchError."""
        if self.anchor(position) != expected:
            msg = (
                f"the log has another event at position {position} than the one that a view took in: it is not the log "
                "that the view was built from, or was restored from a backup; rebuild the view"
            )
            raise LogMismatchError(msg, position=position)


def anchor(stored: Stored) -> str:
    """Return what an event is known by."""
    known = "\n".join((stored[1], str(stored[2]), stored[3], stored[4]))
    return sha256(known.encode()).hexdigest()[:32]


class _Statements:
    """The reading statements on either database; they go past the row objects of SQLAlchemy, which cost half."""

    def __init__(self, database: Database) -> None:
        self._on_postgres = database.on_postgres
        schema = f'"{database.event_schema}".' if database.on_postgres else ""
        mark = "%s" if database.on_postgres else "?"
        columns = f"SELECT position, stream, version, topic, state FROM {schema}governance_events"  # noqa: S608
        self._page = f"{columns} WHERE position > {mark} AND position <= {mark} ORDER BY position LIMIT {mark}"
        among = "stream = ANY(%s)" if database.on_postgres else "stream IN (SELECT value FROM json_each(?))"
        self._past = f"{columns} WHERE {among} AND position <= {mark} AND version <= {mark} ORDER BY stream, version"

    def page(self, connection: Connection, after: int, upto: int, limit: int) -> Generator[Stored, None, None]:
        return self._rows(connection, self._page, (after, upto, limit))

    def past(self, connection: Connection, streams: list[str], upto: int, last: int) -> Generator[Stored, None, None]:
        among: Any = streams if self._on_postgres else json.dumps(streams)
        return self._rows(connection, self._past, (among, upto, last))

    def _rows(
        self, connection: Connection, statement: str, parameters: tuple[Any, ...]
    ) -> Generator[Stored, None, None]:
        driver: Any = connection.connection.driver_connection
        if not self._on_postgres:
            yield from driver.execute(statement, parameters)
        elif psycopg.capabilities.has_stream_chunked():
            # Rows arrive while earlier ones are worked on, and reading can stop before all have come.
            with driver.cursor(binary=True) as cursor, closing(cursor.stream(statement, parameters, size=500)) as rows:
                yield from rows
        else:
            with driver.cursor(binary=True) as cursor:
                yield from cursor.execute(statement, parameters)
