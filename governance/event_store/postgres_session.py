"""One connection to PostgreSQL whose every exchange ends by a deadline, answered or not.

It works on libpq's asynchronous calls directly: a driver call that waits for an answer without a limit would
hold its caller for as long as a network fault lasts, and costs more than the statement it carries.
"""

import select
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo
from psycopg.pq import PollingStatus

from governance.event_store.deadline import Deadline

BINARY: Final = 1
LIVENESS: Final = {
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "2",
    "tcp_user_timeout": "10000",
}
_ERRORS: Final = (psycopg.Error, OSError)
_POLL_EVENTS: Final = {PollingStatus.READING: select.POLLIN, PollingStatus.WRITING: select.POLLOUT}


class SessionLost(Exception):  # noqa: N818 - an event, not a mistake
    """The connection ended, or did not answer in time: what it was doing may or may not have happened."""


class StatementRefused(Exception):  # noqa: N818
    """The server answered with an error: the statement had no effect."""

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(f"{message} ({sqlstate})")
        self.sqlstate = sqlstate


class Statement(NamedTuple):
    """A statement to be prepared once per session; parameters and results are binary."""

    name: bytes
    sql: bytes
    types: tuple[int, ...]


class Session:
    """A connection that only ever runs single statements outside of a client-side transaction."""

    def __init__(self, conninfo: str, settings: Sequence[str], deadline: Deadline) -> None:
        """Connects and applies the settings; raises SessionLost or StatementRefused."""
        self._pgconn = self._connect(make_conninfo(conninfo, **LIVENESS), deadline)
        self._prepared: set[bytes] = set()
        self._limit_ms = 0
        self._answering = poll_of(self._pgconn.socket, select.POLLIN)
        self.script("; ".join(settings), deadline)

    @staticmethod
    def _connect(conninfo: str, deadline: Deadline) -> pq.abc.PGconn:
        try:
            pgconn = pq.PGconn.connect_start(conninfo.encode())
            while (step := PollingStatus(pgconn.connect_poll())) in _POLL_EVENTS:
                if not wait_for(pgconn.socket, _POLL_EVENTS[step], deadline):
                    break
        except _ERRORS as error:
            raise SessionLost(str(error)) from error
        if step != PollingStatus.OK:
            message = pgconn.get_error_message() if step == PollingStatus.FAILED else "no connection in time"
            pgconn.finish()
            raise SessionLost(message.strip())
        pgconn.nonblocking = 1
        return pgconn

    def run(self, statement: Statement, parameters: Sequence[bytes | None], deadline: Deadline) -> pq.abc.PGresult:
        """Runs the statement and returns its rows; raises SessionLost or StatementRefused."""
        if statement.name not in self._prepared:
            self._send(self._pgconn.send_prepare, statement.name, statement.sql, statement.types)
            self._outcome(deadline)
            self._prepared.add(statement.name)
        formats = [BINARY] * len(parameters)
        self._send(self._pgconn.send_query_prepared, statement.name, parameters, formats, BINARY)
        return self._outcome(deadline)[-1]

    def script(self, sql: str, deadline: Deadline) -> list[pq.abc.PGresult]:
        """Runs several statements as one transaction and returns their results, which are text."""
        self._send(self._pgconn.send_query, sql.encode())
        return self._outcome(deadline)

    def limit(self, milliseconds: int, deadline: Deadline) -> None:
        """Makes the server give up any later statement after that time, by which its outcome is certain."""
        if milliseconds != self._limit_ms:
            self.script(f"SET statement_timeout = {milliseconds:d}", deadline)
            self._limit_ms = milliseconds

    def await_notification(self, deadline: Deadline) -> None:
        """Returns once a notification has come, and takes all that have, or at the deadline."""
        try:
            while not self._took_notifications():
                if not wait_for(self._pgconn.socket, select.POLLIN, deadline):
                    return
                self._pgconn.consume_input()
        except _ERRORS as error:
            raise self._lost(str(error)) from error

    def _took_notifications(self) -> bool:
        took = False
        while self._pgconn.notifies() is not None:
            took = True
        return took

    def close(self) -> None:
        """Ends the connection without waiting for anything."""
        self._pgconn.finish()

    def _send(self, call: Callable[..., None], *arguments: object) -> None:
        try:
            call(*arguments)
        except _ERRORS as error:
            raise self._lost(str(error)) from error

    def _outcome(self, deadline: Deadline) -> list[pq.abc.PGresult]:
        """Reads until the server is ready again, because only then is the statement committed."""
        results: list[pq.abc.PGresult] = []
        try:
            while (result := self._next_result(deadline)) is not None:
                results.append(result)
        except _ERRORS as error:
            raise self._lost(str(error)) from error
        for result in results:
            if result.status == pq.ExecStatus.FATAL_ERROR:
                self._refused(result)
        if self._pgconn.status != pq.ConnStatus.OK:
            raise self._lost("connection ended")
        return results

    def _next_result(self, deadline: Deadline) -> pq.abc.PGresult | None:
        while self._pgconn.flush():
            if not wait_for(self._pgconn.socket, select.POLLIN | select.POLLOUT, deadline):
                raise self._lost("no answer in time")
            self._pgconn.consume_input()
        while self._pgconn.is_busy():
            if not self._answering.poll(deadline.remaining() * 1000):
                raise self._lost("no answer in time")
            self._pgconn.consume_input()
        return self._pgconn.get_result()

    def _refused(self, result: pq.abc.PGresult) -> None:
        field = pq.DiagnosticField
        message = (result.error_field(field.MESSAGE_PRIMARY) or b"").decode(errors="replace")
        sqlstate = (result.error_field(field.SQLSTATE) or b"").decode()
        severity = result.error_field(field.SEVERITY_NONLOCALIZED) or b"FATAL"
        # A FATAL answer ends the session at any point, even after the commit: it proves nothing.
        if severity != b"ERROR" or self._pgconn.status != pq.ConnStatus.OK:
            raise self._lost(message)
        raise StatementRefused(sqlstate, message)

    def _lost(self, why: str) -> SessionLost:
        self.close()
        return SessionLost(why.strip())


def poll_of(socket: int, events: int) -> select.poll:
    """Returns a poll for one socket."""
    poll = select.poll()
    poll.register(socket, events)
    return poll


def wait_for(socket: int, events: int, deadline: Deadline) -> bool:
    """Waits until the socket is ready and returns True, or False once the deadline has passed."""
    return bool(poll_of(socket, events).poll(deadline.remaining() * 1000))
