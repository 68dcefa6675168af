"""The connections of one recorder: how each is set up, what is refused, and how few there are."""

import threading
from collections.abc import Callable
from typing import TypeVar

from eventsourcing.persistence import OperationalError

from governance.event_store.deadline import Deadline
from governance.event_store.postgres_session import Session, SessionLost, StatementRefused
from governance.event_store.recorder import StoreUnavailable, UnsafeStore
from governance.event_store.settings import RecorderSettings

Answer = TypeVar("Answer")

STATEMENT_SHARE = 0.5
"""The server gives a statement up after this share of the budget, so that the client learns it for certain."""
FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.25

_FACTS = """
SELECT pg_is_in_recovery()::text, current_setting('fsync'), current_setting('full_page_writes'),
    current_setting('server_encoding')
"""


class Pauses:
    """Growing pauses between tries, up to a deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._seconds = FIRST_PAUSE_SECONDS

    def pause(self) -> bool:
        """Sleeps and returns True, or returns False at once if the deadline would come first."""
        if self._deadline.remaining() <= self._seconds:
            return False
        self._deadline.pause(self._seconds)
        self._seconds = min(LONGEST_PAUSE_SECONDS, self._seconds * 2)
        return True


class PostgresConnections:
    """Opens sessions that are safe to append with, and lends a bounded number of them to readers."""

    def __init__(self, conninfo: str, settings: RecorderSettings) -> None:
        self._conninfo = conninfo
        self._settings = settings
        self._idle: list[Session] = []
        self._places = threading.BoundedSemaphore(settings.read_sessions)
        self._closed = False
        self.losses = 0
        """How often a connection was lost: what was known of the server before may not hold any more."""

    def open(self, deadline: Deadline) -> Session:
        """Returns a new session; raises SessionLost, StatementRefused or UnsafeStore."""
        session = Session(self._conninfo, self._session_settings(), deadline)
        try:
            self._check(session, deadline)
        except OperationalError:
            session.close()
            raise
        return session

    def read(self, ask: Callable[[Session, Deadline], Answer], deadline: Deadline) -> Answer:
        """Returns what `ask` reads on a session, trying again on a new one; raises StoreUnavailable."""
        if not self._places.acquire(timeout=deadline.remaining()):
            msg = "all connections for reading were in use for the whole time budget"
            raise StoreUnavailable(msg)
        try:
            return self._read(ask, deadline)
        finally:
            self._places.release()

    def close(self) -> None:
        """Closes the idle sessions; those in use close when they are given back."""
        self._closed = True
        while (session := self._idle_session()) is not None:
            session.close()

    def _read(self, ask: Callable[[Session, Deadline], Answer], deadline: Deadline) -> Answer:
        pauses = Pauses(deadline)
        while True:
            if self._closed:
                msg = "the store is closed"
                raise StoreUnavailable(msg)
            try:
                return self._ask(ask, deadline)
            except (SessionLost, StatementRefused) as error:
                if not may_pass(error) or not pauses.pause():
                    raise unavailable(error) from error

    def _ask(self, ask: Callable[[Session, Deadline], Answer], deadline: Deadline) -> Answer:
        session = self._idle_session() or self.open(deadline)
        try:
            answer = ask(session, deadline)
        except SessionLost:
            self._forget_idle()
            raise
        except StatementRefused:
            self._give_back(session)
            raise
        except BaseException:
            session.close()
            raise
        self._give_back(session)
        return answer

    def _idle_session(self) -> Session | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _give_back(self, session: Session) -> None:
        self._idle.append(session)
        if self._closed:
            self.close()

    def _forget_idle(self) -> None:
        """Drops sessions that most likely died together with the one that was lost."""
        self.losses += 1
        while (session := self._idle_session()) is not None:
            session.close()

    def _session_settings(self) -> list[str]:
        limit_ms = max(1, round(self._settings.budget_seconds * STATEMENT_SHARE * 1000))
        return [
            "SET client_encoding = 'UTF8'",
            "SET default_transaction_isolation = 'read committed'",
            "SET default_transaction_read_only = off",
            "SET jit = off",
            f"SET statement_timeout = {limit_ms:d}",
            f"SET idle_in_transaction_session_timeout = {limit_ms:d}",
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
        ]

    def _check(self, session: Session, deadline: Deadline) -> None:
        row = session.script(_FACTS, deadline)[-1]
        standby, fsync, full_pages, encoding = (row.get_value(0, column) for column in range(4))
        if standby == b"true":
            msg = "the server is a standby: it takes no appends and does not show which are under way"
            raise UnsafeStore(msg)
        if encoding != b"UTF8":
            msg = "the database must have the encoding UTF8"
            raise UnsafeStore(msg)
        if self._settings.require_durable and (fsync, full_pages) != (b"on", b"on"):
            msg = "fsync and full_page_writes must be on: the server could lose acknowledged appends"
            raise UnsafeStore(msg)


READ_ONLY = "25006"
"""What a server answers that has become a standby under an open connection."""
_PASSING = frozenset({READ_ONLY, "40001", "40P01", "55P03", "57014", "57P03", "53300", "57P01", "57P02", "57P05"})


def may_pass(error: SessionLost | StatementRefused) -> bool:
    """Returns whether another try can end otherwise."""
    return isinstance(error, SessionLost) or error.sqlstate in _PASSING


def unavailable(error: SessionLost | StatementRefused) -> StoreUnavailable:
    """Returns the error for a caller whose call had no effect."""
    return StoreUnavailable(f"PostgreSQL did not do it in time: {error}")
