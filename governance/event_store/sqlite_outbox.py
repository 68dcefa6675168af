"""The outbox on SQLite."""

import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from governance.event_store.deadline import Deadline
from governance.event_store.outbox import (
    MICROSECONDS,
    Asked,
    Claim,
    Outbox,
    OutboxCount,
    OutboxPage,
    OutboxRow,
)
from governance.event_store.sqlite_connections import SqliteConnections, unavailable

Answer = TypeVar("Answer")

# Kept in a tuple because time-freezing test tools replace functions that they find as module attributes.
_CLOCK: Final = (time.time,)

OUTBOX_TABLES: Final = (
    """
CREATE TABLE governance_outbox (
    effect_id TEXT NOT NULL PRIMARY KEY,
    request_id TEXT NOT NULL,
    state_id TEXT NOT NULL,
    contract TEXT NOT NULL,
    position INTEGER NOT NULL,
    number INTEGER NOT NULL,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    head INTEGER NOT NULL DEFAULT 0,
    holder TEXT,
    token INTEGER NOT NULL DEFAULT 0,
    held_until INTEGER NOT NULL DEFAULT 0
)
""",
    "CREATE INDEX governance_outbox_lanes ON governance_outbox (state_id, position, number) WHERE status = 'waiting'",
    "CREATE INDEX governance_outbox_heads ON governance_outbox (state_id) WHERE head",
    "CREATE INDEX governance_outbox_due ON governance_outbox (due_at) WHERE head",
    "CREATE TABLE governance_outbox_position (position INTEGER NOT NULL)",
    "INSERT INTO governance_outbox_position VALUES (0)",
)

_COLUMNS = "effect_id, request_id, state_id, contract, position, number, status, attempts, due_at"
_PUT = """
INSERT INTO governance_outbox (effect_id, request_id, state_id, contract, position, number, status, attempts, due_at)
VALUES (:effect_id, :request_id, :state_id, :contract, :position, :number, :status, :attempts, :due_at)
ON CONFLICT (effect_id) DO UPDATE SET status = excluded.status, attempts = excluded.attempts,
    due_at = excluded.due_at, holder = NULL, held_until = 0
"""
_NOTE = """
UPDATE governance_outbox SET status = :status, attempts = :attempts, due_at = :due_at, holder = NULL, held_until = 0
WHERE effect_id = :effect_id
"""
_TOUCHED = """
SELECT DISTINCT state_id FROM governance_outbox WHERE effect_id IN (SELECT value FROM json_each(?))
"""
_GONE = "DELETE FROM governance_outbox WHERE effect_id = ?"
_FIRST = """
(SELECT effect_id FROM governance_outbox WHERE state_id = :state AND status = 'waiting'
 ORDER BY position, number LIMIT 1)
"""
_NOT_FIRST = f"UPDATE governance_outbox SET head = 0 WHERE state_id = :state AND head AND effect_id IS NOT {_FIRST}"  # noqa: S608
_IS_FIRST = f"UPDATE governance_outbox SET head = 1 WHERE effect_id = {_FIRST} AND NOT head"  # noqa: S608
_DUE = f"""
SELECT {_COLUMNS}, token + 1 FROM governance_outbox WHERE head AND due_at <= :now AND held_until < :clock
AND (:contracts IS NULL OR contract IN (SELECT value FROM json_each(:contracts)))
ORDER BY due_at, position, number LIMIT :limit
"""  # noqa: S608
_CLAIM = "UPDATE governance_outbox SET holder = ?, token = ?, held_until = ? WHERE effect_id = ?"
_HOLD = "UPDATE governance_outbox SET held_until = ? WHERE effect_id = ? AND holder = ? AND token = ?"
_ROWS = f"""
SELECT {_COLUMNS} FROM governance_outbox WHERE ?1 IS NULL OR status = ?1 ORDER BY position, number LIMIT ?2
"""  # noqa: S608
_COUNT = """
SELECT count(*) FILTER (WHERE status = 'waiting'), count(*) FILTER (WHERE status = 'parked'),
    min(due_at) FILTER (WHERE status = 'waiting')
FROM governance_outbox
"""


class SqliteOutbox(Outbox):
    """The outbox in the file of the events; the clock of claims is that of the machine that the file is on."""

    def __init__(self, connections: SqliteConnections, budget_seconds: float) -> None:
        self._connections = connections
        self._budget_seconds = budget_seconds

    def position(self) -> int:
        """Returns up to which position of the log the outbox is derived."""
        return self._read(_position)

    def take_in(self, page: OutboxPage) -> bool:
        """Returns whether the page was taken in."""

        def work(connection: sqlite3.Connection) -> bool:
            if _position(connection) != page.before:
                return False
            connection.execute("UPDATE governance_outbox_position SET position = ?", (page.after,))
            _apply(connection, page)
            return True

        return self._write(work)

    def claim(self, asked: Asked) -> Sequence[Claim]:
        """Returns effects that are due and that nobody holds."""

        def work(connection: sqlite3.Connection) -> list[Claim]:
            found = connection.execute(_DUE, {**parameters, "clock": _clock()}).fetchall()
            until = _clock() + round(asked.seconds * MICROSECONDS)
            connection.executemany(_CLAIM, [(asked.holder, each[-1], until, each[0].decode()) for each in found])
            return [Claim(row=_row(each[:-1]), token=each[-1]) for each in found]

        contracts = None if asked.contracts is None else json.dumps(asked.contracts)
        parameters = {"now": asked.now, "contracts": contracts, "limit": max(0, asked.limit)}
        if not self._read(lambda connection: connection.execute(_DUE, {**parameters, "clock": _clock()}).fetchone()):
            return []
        return self._write(work)

    def hold(self, claim: Claim, holder: str, seconds: float) -> bool:
        """Returns whether the claim still stands, and then prolongs it."""
        until = _clock() + round(seconds * MICROSECONDS) if seconds else 0
        parameters = (until, claim.row.effect_id, holder, claim.token)
        return self._write(lambda connection: connection.execute(_HOLD, parameters).rowcount == 1)

    def rows(self, status: str | None, limit: int) -> Sequence[OutboxRow]:
        """Returns what is in the outbox, in the order of the log."""
        found = self._read(lambda connection: connection.execute(_ROWS, (status, limit)).fetchall())
        return [_row(each) for each in found]

    def count(self) -> OutboxCount:
        """Returns how much is in the outbox."""
        waiting, parked, oldest = self._read(lambda connection: connection.execute(_COUNT).fetchone())
        return OutboxCount(waiting=waiting, parked=parked, oldest_due=oldest)

    def forget(self) -> None:
        """Empties the outbox."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM governance_outbox")
            connection.execute("UPDATE governance_outbox_position SET position = 0")

        self._write(work)

    def _read(self, ask: Callable[[sqlite3.Connection], Answer]) -> Answer:
        return self._connections.read(ask, Deadline.after(self._budget_seconds))

    def _write(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        try:
            return self._connections.write_derived(work, Deadline.after(self._budget_seconds))
        except sqlite3.Error as error:
            raise unavailable(error) from error


def _apply(connection: sqlite3.Connection, page: OutboxPage) -> None:
    named = [*(each.effect_id for each in page.put), *(each.effect_id for each in page.noted), *page.gone]
    connection.executemany(_PUT, [each.model_dump() for each in page.put])
    connection.executemany(_NOTE, [each.model_dump() for each in page.noted])
    states = [{"state": state.decode()} for (state,) in connection.execute(_TOUCHED, (json.dumps(named),))]
    connection.executemany(_GONE, [(each,) for each in page.gone])
    connection.executemany(_NOT_FIRST, states)
    connection.executemany(_IS_FIRST, states)


def _position(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT position FROM governance_outbox_position").fetchone()[0])


def _row(values: Sequence[bytes | int]) -> OutboxRow:
    read = [each.decode() if isinstance(each, bytes) else each for each in values]
    return OutboxRow.model_validate(dict(zip(OutboxRow.model_fields, read, strict=True)))


def _clock() -> int:
    return round(_CLOCK[0]() * MICROSECONDS)
