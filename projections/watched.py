"""Connections to PostgreSQL that do not wait for ever: without an answer, another session is asked whether to wait."""

import time
from collections.abc import Generator
from typing import Any, Final

import psycopg

QUIET_SECONDS: Final = 2.0
"""How long nothing may come before it is asked whether the server is still at work."""
AGAIN_SECONDS: Final = 0.5
"""After one bad answer to that it is asked again once, so much later: ours may have come in the meantime."""
_STATE: Final = "SELECT state FROM pg_stat_activity WHERE pid = %s"


class WatchedConnection(psycopg.Connection[Any]):
    """A connection that is given up when its server cannot be reached, or has nothing to do for it.

    Networks can swallow what is sent without telling anybody. A statement that takes long is waited for.
    """

    again: dict[str, Any] | None = None
    """How to connect a second time; without it, no answer within QUIET_SECONDS means that none will come."""

    def wait(self, gen: Generator[Any, Any, Any], *given: Any, **named: Any) -> Any:
        """Wait for the server as usual; raises psycopg.OperationalError, with the connection closed, if it is lost."""
        return super().wait(self._watched(gen), *given, **named)

    def _watched(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        try:
            wanted = next(gen)
            heard, doubted = time.monotonic(), False
            while True:
                ready = yield wanted
                if ready:
                    heard, doubted = time.monotonic(), False
                elif time.monotonic() - heard > (AGAIN_SECONDS if doubted else QUIET_SECONDS):
                    doubted = self._doubtful(doubted)
                    heard = time.monotonic()
                wanted = gen.send(ready)
        except StopIteration as ended:
            return ended.value

    def _doubtful(self, doubted: bool) -> bool:
        """Return whether it is in doubt that the server is at work; raises when it was in doubt before.

        The answer may have been sent between our last look at the network and the question to the server.
        """
        if self.again is not None and _at_work(self.again, self.info.backend_pid):
            return False
        if not doubted and self.again is not None:
            return True
        self.close()
        msg = f"no answer within {QUIET_SECONDS} s, and the server is not at work on one: the connection is lost"
        raise psycopg.OperationalError(msg)


def connect(settings: dict[str, Any]) -> WatchedConnection:
    """Return a connection that commits each statement; raises psycopg.Error."""
    connection = WatchedConnection.connect(autocommit=True, **settings)
    connection.again = settings
    return connection


def _at_work(settings: dict[str, Any], process: int) -> bool:
    """Return whether the server can be reached and does something for the session."""
    try:
        with WatchedConnection.connect(autocommit=True, **{**settings, "connect_timeout": 2}) as other:
            found = other.execute(_STATE, (process,)).fetchone()
    except psycopg.Error:
        return False
    return found is not None and found[0] == "active"
