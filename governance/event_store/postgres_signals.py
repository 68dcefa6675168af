"""Waking readers of other processes through NOTIFY, kept off the path of the appends.

A NOTIFY inside an appending transaction makes commits wait for each other, each for its own disk write. So a
thread of its own sends at most one per pause, whatever the number of flushes, in a transaction that waits for
no disk. A lost signal costs time, never an event: readers look again after `poll_seconds`.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from eventsourcing.persistence import PersistenceError

from governance.event_store.deadline import Deadline
from governance.event_store.postgres_binary import TEXT_OID
from governance.event_store.postgres_connections import PostgresConnections
from governance.event_store.postgres_session import Session, SessionLost, Statement, StatementRefused
from governance.event_store.settings import RecorderSettings

PAUSE_SECONDS = 0.05
_NOTIFY = Statement(b"notify", b"SELECT pg_catalog.pg_notify($1, '')", (TEXT_OID,))
_TROUBLE = (SessionLost, StatementRefused, PersistenceError)


def channel(settings: RecorderSettings) -> str:
    """Returns the name under which appends to a store are announced."""
    return f"governance_{settings.database_schema}"[:63]


class Announcer:
    """Tells all listeners of the database that there was an append."""

    def __init__(self, connections: PostgresConnections, settings: RecorderSettings) -> None:
        self._connections = connections
        self._settings = settings
        self._due = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._session: Session | None = None

    def announce(self) -> None:
        """Asks for an announcement soon; costs next to nothing and never fails."""
        if self._thread is None:
            # Only the leader of a flush comes here, so there is never a second thread.
            self._thread = threading.Thread(target=self._run, name="governance-announcer", daemon=True)
            self._thread.start()
        if not self._due.is_set():
            self._due.set()

    def close(self) -> None:
        """Sends what is due and ends the thread."""
        self._closed.set()
        self._due.set()
        if self._thread is not None:
            self._thread.join(self._settings.budget_seconds)

    def _run(self) -> None:
        while not self._closed.is_set():
            self._due.wait()
            self._due.clear()
            self._send()
            self._closed.wait(PAUSE_SECONDS)
        if self._session is not None:
            self._session.close()

    def _send(self) -> None:
        deadline = Deadline.after(self._settings.budget_seconds)
        try:
            if self._session is None:
                self._session = self._connections.open(deadline)
                self._session.script("SET synchronous_commit = off", deadline)
            self._session.run(_NOTIFY, [channel(self._settings).encode()], deadline)
        except _TROUBLE:
            # Readers look by themselves; the next flush tries again on a new connection.
            self._session = None


class Listeners:
    """Connections that listen for announcements, one for each thread that waits at the same time."""

    def __init__(self, connections: PostgresConnections, settings: RecorderSettings) -> None:
        self._connections = connections
        self._settings = settings
        self._idle: list[Session] = []
        self._closed = False

    @contextmanager
    def lend(self, deadline: Deadline) -> Iterator["Ear"]:
        """Gives an ear that hears every append from now on, if there is a connection."""
        ear = Ear(self._take(deadline), self._settings)
        try:
            yield ear
        finally:
            if ear.session is not None:
                self._idle.append(ear.session)
            if self._closed:
                self.close()

    def close(self) -> None:
        """Closes the connections that nobody waits on."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _take(self, deadline: Deadline) -> Session | None:
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            session = self._connections.open(deadline)
            session.script(f'LISTEN "{channel(self._settings)}"', deadline)
        except _TROUBLE:
            return None
        return session


class Ear:
    """One thread's way of waiting for an append."""

    def __init__(self, session: Session | None, settings: RecorderSettings) -> None:
        self.session = session
        self._settings = settings

    def wait(self, deadline: Deadline) -> None:
        """Returns at the next announcement, but no later than after `poll_seconds` or at the deadline."""
        look_again = Deadline(min(deadline.at, Deadline.after(self._settings.poll_seconds).at))
        if self.session is None:
            look_again.pause(self._settings.poll_seconds)
            return
        try:
            self.session.await_notification(look_again)
        except SessionLost:
            self.session = None
