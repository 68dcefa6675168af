"""The agenda on SQLite."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

from governance.event_store.agenda import (
    MICROSECONDS,
    AgendaClaim,
    AgendaCount,
    AgendaListing,
    AgendaPage,
    AgendaRow,
    AgendaTables,
)
from governance.event_store.deadline import Deadline
from governance.event_store.sqlite_connections import SqliteConnections, unavailable

Answer = TypeVar("Answer")

# Kept in a tuple because time-freezing test tools replace functions that they find as module attributes.
_CLOCK: Final = (time.time,)

AGENDA_TABLES: Final = (
    """
CREATE TABLE governance_agenda (
    request_id TEXT NOT NULL,
    item TEXT NOT NULL,
    kind TEXT NOT NULL,
    state_id TEXT NOT NULL DEFAULT '',
    wake TEXT NOT NULL DEFAULT '',
    due_at INTEGER,
    position INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    touched INTEGER NOT NULL,
    held_until INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (request_id, item)
) WITHOUT ROWID
""",
    "CREATE INDEX governance_agenda_due ON governance_agenda (kind, due_at, position) WHERE due_at IS NOT NULL",
    "CREATE INDEX governance_agenda_wake ON governance_agenda (wake, position) WHERE wake <> ''",
    """
CREATE INDEX governance_agenda_held ON governance_agenda (state_id, position)
WHERE kind = 'execution' AND held_until > 0
""",
    """
CREATE TABLE governance_agenda_waits (
    request_id TEXT NOT NULL,
    item TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (request_id, item, key)
) WITHOUT ROWID
""",
    "CREATE INDEX governance_agenda_waited ON governance_agenda_waits (key)",
    "CREATE TABLE governance_agenda_position (position INTEGER NOT NULL)",
    "INSERT INTO governance_agenda_position VALUES (0)",
)

_COLUMNS = "request_id, item, kind, state_id, wake, due_at, position, tries, touched"
_KINDS = "kind IN (SELECT value FROM json_each(:kinds))"
_DEFAULTS = {"state_id": "", "wake": "", "due_at": None, "earliest": 0}
_STEPS: Final[dict[str, tuple[str, ...]]] = {
    "put": (
        """
INSERT INTO governance_agenda (request_id, item, kind, state_id, wake, due_at, position, touched)
VALUES (:request_id, :item, :kind, :state_id, :wake, :due_at, :position, :position)
ON CONFLICT (request_id, item) DO UPDATE SET kind = excluded.kind, wake = excluded.wake,
    due_at = CASE WHEN :earliest THEN min(coalesce(due_at, excluded.due_at), excluded.due_at) ELSE excluded.due_at END,
    position = excluded.position, touched = excluded.touched, tries = 0, held_until = 0
""",
    ),
    "wait": (
        "DELETE FROM governance_agenda_waits WHERE request_id = :request_id AND item = :item",
        """
INSERT INTO governance_agenda_waits (request_id, item, key)
SELECT DISTINCT :request_id, :item, value FROM json_each(:keys)
""",
    ),
    "drop": (
        "DELETE FROM governance_agenda WHERE request_id = :request_id AND item = :item",
        "DELETE FROM governance_agenda_waits WHERE request_id = :request_id AND item = :item",
    ),
    "touch": (
        f"""
UPDATE governance_agenda SET due_at = :due_at, touched = :position, held_until = 0
WHERE request_id = :request_id AND {_KINDS}
""",  # noqa: S608
    ),
    "change": (
        f"""
UPDATE governance_agenda
SET kind = coalesce(:to, kind), due_at = :due_at, position = :position, touched = :position, tries = 0, held_until = 0
WHERE request_id = :request_id AND {_KINDS}
""",  # noqa: S608
    ),
    "clear": (
        f"DELETE FROM governance_agenda WHERE request_id = :request_id AND NOT {_KINDS}",  # noqa: S608
        "DELETE FROM governance_agenda_waits WHERE request_id = :request_id",
    ),
    "wake by key": (
        """
UPDATE governance_agenda SET due_at = :due_at, touched = :position, held_until = 0
WHERE wake = :key AND wake <> ''
""",
    ),
    "wake by kind": (
        "UPDATE governance_agenda SET due_at = :due_at, touched = :position, held_until = 0 WHERE kind = :kind",
    ),
    "finish": (
        """
UPDATE governance_agenda SET due_at = :due_at, touched = :position, held_until = 0
WHERE (request_id, item) IN (SELECT request_id, item FROM governance_agenda_waits WHERE key = :key)
AND NOT EXISTS (SELECT 1 FROM governance_agenda_waits other WHERE other.request_id = governance_agenda.request_id
    AND other.item = governance_agenda.item AND other.key <> :key)
""",
        "DELETE FROM governance_agenda_waits WHERE key = :key",
    ),
    "stir": (
        """
UPDATE governance_agenda SET due_at = :due_at, touched = :position, held_until = 0
WHERE (request_id, item) IN (SELECT request_id, item FROM governance_agenda_waits WHERE key = :key)
""",
    ),
}
_DUE = f"""
SELECT {_COLUMNS} FROM governance_agenda AS due INDEXED BY governance_agenda_due
WHERE kind = :kind AND due_at IS NOT NULL AND due_at <= :now AND held_until < :clock
AND (kind <> 'execution' OR NOT EXISTS (
    SELECT 1 FROM governance_agenda AS earlier WHERE earlier.kind = 'execution' AND earlier.held_until > 0
    AND earlier.state_id = due.state_id AND earlier.position < due.position AND earlier.held_until >= :clock))
ORDER BY due_at, position LIMIT :limit
"""  # noqa: S608
_HOLD = "UPDATE governance_agenda SET held_until = ? WHERE request_id = ? AND item = ?"
_PUT_OFF = """
UPDATE governance_agenda SET held_until = 0, due_at = CASE WHEN touched = :touched THEN :until ELSE due_at END,
    tries = CASE WHEN touched = :touched THEN :tries ELSE tries END
WHERE request_id = :request_id AND item = :item
"""
_SETTLED = "DELETE FROM governance_agenda_waits WHERE request_id = ? AND item = ? AND key = ?"
_REMOVE = "DELETE FROM governance_agenda WHERE request_id = ? AND item = ? AND touched = ?"
_LEFT = "SELECT count(*) FROM governance_agenda_waits WHERE request_id = ? AND item = ?"
_WAITING = f"SELECT {_COLUMNS} FROM governance_agenda WHERE wake = ? AND wake <> '' ORDER BY position LIMIT ?"  # noqa: S608
_READY = f"""
SELECT {_COLUMNS} FROM governance_agenda WHERE wake = ? AND wake <> '' AND due_at IS NOT NULL ORDER BY position LIMIT ?
"""  # noqa: S608
_COUNT = "SELECT kind, count(*), min(due_at) FROM governance_agenda GROUP BY kind ORDER BY kind"

_LISTED = f"""
SELECT {_COLUMNS} FROM governance_agenda WHERE (request_id, item) > (:request_id, :item)
AND {_KINDS} AND (due_at IS NULL) = :asleep AND tries >= :tries ORDER BY request_id, item LIMIT :limit
"""  # noqa: S608
_WAITED_FOR = "SELECT DISTINCT key FROM governance_agenda_waits WHERE key > ? ORDER BY key LIMIT ?"
_WAITERS = f"""
SELECT {_COLUMNS} FROM governance_agenda WHERE (request_id, item) IN
    (SELECT request_id, item FROM governance_agenda_waits WHERE key = ?) ORDER BY position LIMIT ?
"""  # noqa: S608


class SqliteAgenda(AgendaTables):
    """The agenda in the file of the events; the clock of claims is that of the machine that the file is on."""

    def __init__(self, connections: SqliteConnections, budget_seconds: float) -> None:
        self._connections = connections
        self._budget_seconds = budget_seconds

    def position(self) -> int:
        """Returns up to which position of the log the agenda is derived."""
        return self._read(_position)

    def take_in(self, page: AgendaPage) -> bool:
        """Returns whether the page was taken in."""

        def work(connection: sqlite3.Connection) -> bool:
            if _position(connection) != page.before:
                return False
            connection.execute("UPDATE governance_agenda_position SET position = ?", (page.after,))
            for step in page.steps:
                _apply(connection, step)
            return True

        return self._write(work)

    def due_kinds(self, kinds: Sequence[str], now: int) -> Sequence[str]:
        """Returns of which of these kinds there are rows that are due."""
        return self._read(lambda connection: [each for each in kinds if _due(connection, (each,), now, 1)])

    def claim(self, asked: AgendaClaim) -> Sequence[AgendaRow]:
        """Returns rows that are due and that nobody holds."""
        if not self.due_kinds(asked.kinds, asked.now):
            return []

        def work(connection: sqlite3.Connection) -> list[AgendaRow]:
            found = _due(connection, asked.kinds, asked.now, asked.limit)
            until = _clock() + round(asked.seconds * MICROSECONDS)
            connection.executemany(_HOLD, [(until, each.request_id, each.item) for each in found])
            return found

        return self._write(work)

    def put_off(self, row: AgendaRow, until: int | None, tries: int) -> None:
        """Gives a row back, due at another time."""
        parameters = {**row._asdict(), "until": until, "tries": tries}
        self._write(lambda connection: connection.execute(_PUT_OFF, parameters))

    def remove(self, row: AgendaRow) -> None:
        """Takes a row away, unless an event has touched it meanwhile."""
        self._write(lambda connection: connection.execute(_REMOVE, (row.request_id, row.item, row.touched)))

    def settled(self, row: AgendaRow, keys: Sequence[str]) -> int:
        """Takes out what the row does not have to wait for any more, and returns how much is left."""

        def work(connection: sqlite3.Connection) -> int:
            connection.executemany(_SETTLED, [(row.request_id, row.item, key) for key in keys])
            return int(connection.execute(_LEFT, (row.request_id, row.item)).fetchone()[0])

        return self._write(work)

    def waiting(self, wake: str, limit: int, *, ready: bool = False) -> Sequence[AgendaRow]:
        """Returns the rows with this wake key, in the order of the log."""
        query = _READY if ready else _WAITING
        return self._read(lambda connection: _rows(connection.execute(query, (wake, limit)).fetchall()))

    def count(self) -> Sequence[AgendaCount]:
        """Returns how much there is of each kind."""
        found = self._read(lambda connection: connection.execute(_COUNT).fetchall())
        return [AgendaCount(kind=kind.decode(), rows=rows, oldest_due=oldest) for kind, rows, oldest in found]

    def listed(self, asked: AgendaListing) -> Sequence[AgendaRow]:
        """Returns rows in the order of their keys."""
        request_id, item = asked.after
        parameters = {**asked.model_dump(), "kinds": json.dumps(asked.kinds), "request_id": request_id, "item": item}
        return self._read(lambda connection: _rows(connection.execute(_LISTED, parameters).fetchall()))

    def waited_for(self, after: str, limit: int) -> Sequence[str]:
        """Returns the keys that rows wait for, in order, each once."""
        found = self._read(lambda connection: connection.execute(_WAITED_FOR, (after, limit)).fetchall())
        return [key.decode() for (key,) in found]

    def waiters(self, key: str, limit: int) -> Sequence[AgendaRow]:
        """Returns the rows that wait for the key, in the order of the log."""
        return self._read(lambda connection: _rows(connection.execute(_WAITERS, (key, limit)).fetchall()))

    def forget(self) -> None:
        """Empties the agenda."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM governance_agenda")
            connection.execute("DELETE FROM governance_agenda_waits")
            connection.execute("UPDATE governance_agenda_position SET position = 0")

        self._write(work)

    def _read(self, ask: Callable[[sqlite3.Connection], Answer]) -> Answer:
        return self._connections.read(ask, Deadline.after(self._budget_seconds))

    def _write(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        try:
            return self._connections.write_derived(work, Deadline.after(self._budget_seconds))
        except sqlite3.Error as error:
            raise unavailable(error) from error


def _apply(connection: sqlite3.Connection, step: dict[str, Any]) -> None:
    lists = {name: json.dumps(value) for name, value in step.items() if isinstance(value, list)}
    parameters = {**_DEFAULTS, **step, **lists}
    for statement in _STEPS[step["do"]]:
        connection.execute(statement, parameters)


def _due(connection: sqlite3.Connection, kinds: Sequence[str], now: int, limit: int) -> list[AgendaRow]:
    found: list[AgendaRow] = []
    for kind in kinds:
        parameters = {"kind": kind, "now": now, "clock": _clock(), "limit": max(0, limit)}
        found += _rows(connection.execute(_DUE, parameters).fetchall())
    return sorted(found, key=lambda each: (each.due_at or 0, each.position))[:limit]


def _rows(found: Sequence[Sequence[bytes | int | None]]) -> list[AgendaRow]:
    read: Iterator[list[Any]] = (
        [value.decode() if isinstance(value, bytes) else value for value in each] for each in found
    )
    return [AgendaRow(*each) for each in read]


def _position(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT position FROM governance_agenda_position").fetchone()[0])


def _clock() -> int:
    return round(_CLOCK[0]() * MICROSECONDS)
