"""The agenda on PostgreSQL."""

import json
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from psycopg import pq

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
from governance.event_store.postgres_binary import INT8_OID, TEXT_ARRAY_OID, TEXT_OID, int8, read_int8, text_array
from governance.event_store.postgres_connections import PostgresConnections
from governance.event_store.postgres_schema import fill
from governance.event_store.postgres_session import Session, Statement

Answer = TypeVar("Answer")

_COLUMNS: Final = "request_id, item, kind, state_id, wake, due_at, position, tries, touched"
_POSITION: Final = "SELECT position FROM {schema}.governance_agenda_position"
_TAKE_IN: Final = "SELECT {schema}.governance_agenda_take_in($1, $2, $3)::int::bigint"
_DUE_KINDS: Final = """
SELECT wanted.kind FROM unnest($1) AS wanted(kind) WHERE EXISTS (
    SELECT 1 FROM {schema}.governance_agenda due WHERE due.kind = wanted.kind AND due.due_at IS NOT NULL
    AND due.due_at <= $2)
"""
_CLAIM: Final = f"SELECT {_COLUMNS} FROM {{schema}}.governance_agenda_claim($1, $2, $3, $4)"  # noqa: S608
_PUT_OFF: Final = """
UPDATE {schema}.governance_agenda SET held_until = 0, due_at = CASE WHEN touched = $1 THEN $2 ELSE due_at END,
    tries = CASE WHEN touched = $1 THEN $3 ELSE tries END
WHERE request_id = $4 AND item = $5
"""
_SETTLED: Final = "SELECT {schema}.governance_agenda_settled($1, $2, $3)"
_REMOVE: Final = """
DELETE FROM {schema}.governance_agenda WHERE request_id = $1 AND item = $2 AND touched = $3
"""
_WAITING: Final = f"""
SELECT {_COLUMNS} FROM {{schema}}.governance_agenda WHERE wake = $1 AND wake <> '' ORDER BY position LIMIT $2
"""  # noqa: S608
_READY: Final = f"""
SELECT {_COLUMNS} FROM {{schema}}.governance_agenda
WHERE wake = $1 AND wake <> '' AND due_at IS NOT NULL ORDER BY position LIMIT $2
"""  # noqa: S608
_COUNT: Final = """
SELECT kind, count(*), min(due_at) FROM {schema}.governance_agenda GROUP BY kind ORDER BY kind COLLATE "C"
"""
_LISTED: Final = f"""
SELECT {_COLUMNS} FROM {{schema}}.governance_agenda WHERE (request_id, item) > ($1, $2)
AND kind = ANY ($3) AND (due_at IS NULL)::int::bigint = $4 AND tries >= $5 ORDER BY request_id, item LIMIT $6
"""  # noqa: S608
_WAITED_FOR: Final = """
SELECT DISTINCT key COLLATE "C" FROM {schema}.governance_agenda_waits WHERE key COLLATE "C" > $1 ORDER BY 1 LIMIT $2
"""
_WAITERS: Final = f"""
SELECT {_COLUMNS} FROM {{schema}}.governance_agenda WHERE (request_id, item) IN
    (SELECT request_id, item FROM {{schema}}.governance_agenda_waits WHERE key = $1) ORDER BY position LIMIT $2
"""  # noqa: S608
_FORGET: Final = """
WITH emptied AS (DELETE FROM {schema}.governance_agenda), waits AS (DELETE FROM {schema}.governance_agenda_waits)
UPDATE {schema}.governance_agenda_position SET position = 0
"""


class PostgresAgenda(AgendaTables):
    """The agenda beside the events; claims run by the server's clock, which is the same for all workers."""

    def __init__(self, connections: PostgresConnections, schema: str, budget_seconds: float) -> None:
        self._connections = connections
        self._budget_seconds = budget_seconds

        def statement(name: str, text: str, *types: int) -> Statement:
            return Statement(f"agenda_{name}".encode(), fill(text, schema=schema).encode(), types)

        self._position = statement("position", _POSITION)
        self._take_in = statement("take_in", _TAKE_IN, INT8_OID, INT8_OID, TEXT_OID)
        self._due_kinds = statement("due_kinds", _DUE_KINDS, TEXT_ARRAY_OID, INT8_OID)
        self._claim = statement("claim", _CLAIM, TEXT_ARRAY_OID, INT8_OID, INT8_OID, INT8_OID)
        self._put_off = statement("put_off", _PUT_OFF, INT8_OID, INT8_OID, INT8_OID, TEXT_OID, TEXT_OID)
        self._remove = statement("remove", _REMOVE, TEXT_OID, TEXT_OID, INT8_OID)
        self._settled = statement("settled", _SETTLED, TEXT_OID, TEXT_OID, TEXT_ARRAY_OID)
        self._waiting = statement("waiting", _WAITING, TEXT_OID, INT8_OID)
        self._ready = statement("ready", _READY, TEXT_OID, INT8_OID)
        self._count = statement("count", _COUNT)
        self._listed = statement("listed", _LISTED, TEXT_OID, TEXT_OID, TEXT_ARRAY_OID, INT8_OID, INT8_OID, INT8_OID)
        self._waited_for = statement("waited_for", _WAITED_FOR, TEXT_OID, INT8_OID)
        self._waiters = statement("waiters", _WAITERS, TEXT_OID, INT8_OID)
        self._forget = statement("forget", _FORGET)

    def position(self) -> int:
        """Returns up to which position of the log the agenda is derived."""
        return self._ask(self._position, (), _number)

    def take_in(self, page: AgendaPage) -> bool:
        """Returns whether the page was taken in."""
        steps = json.dumps(page.steps, ensure_ascii=False).encode()
        return self._ask(self._take_in, (int8(page.before), int8(page.after), steps), _number) == 1

    def due_kinds(self, kinds: Sequence[str], now: int) -> Sequence[str]:
        """Returns of which of these kinds there are rows that are due."""
        return self._ask(self._due_kinds, (text_array([each.encode() for each in kinds]), int8(now)), _texts)

    def claim(self, asked: AgendaClaim) -> Sequence[AgendaRow]:
        """Returns rows that are due and that nobody holds."""
        if not self.due_kinds(asked.kinds, asked.now):
            return []
        kinds, moment = text_array([each.encode() for each in asked.kinds]), int8(asked.now)
        parameters = (kinds, moment, int8(max(0, asked.limit)), int8(round(asked.seconds * MICROSECONDS)))
        found = self._ask(self._claim, parameters, _rows)
        return sorted(found, key=lambda each: (each.due_at or 0, each.position))

    def put_off(self, row: AgendaRow, until: int | None, tries: int) -> None:
        """Gives a row back, due at another time."""
        due_at = None if until is None else int8(until)
        key = (row.request_id.encode(), row.item.encode())
        self._ask(self._put_off, (int8(row.touched), due_at, int8(tries), *key), lambda _: None)

    def remove(self, row: AgendaRow) -> None:
        """Takes a row away, unless an event has touched it meanwhile."""
        parameters = (row.request_id.encode(), row.item.encode(), int8(row.touched))
        self._ask(self._remove, parameters, lambda _: None)

    def settled(self, row: AgendaRow, keys: Sequence[str]) -> int:
        """Takes out what the row does not have to wait for any more, and returns how much is left."""
        named = text_array([each.encode() for each in keys])
        return self._ask(self._settled, (row.request_id.encode(), row.item.encode(), named), _number)

    def waiting(self, wake: str, limit: int, *, ready: bool = False) -> Sequence[AgendaRow]:
        """Returns the rows with this wake key, in the order of the log."""
        return self._ask(self._ready if ready else self._waiting, (wake.encode(), int8(limit)), _rows)

    def count(self) -> Sequence[AgendaCount]:
        """Returns how much there is of each kind."""
        return self._ask(self._count, (), _counts)

    def listed(self, asked: AgendaListing) -> Sequence[AgendaRow]:
        """Returns rows in the order of their keys."""
        after, kinds = [each.encode() for each in asked.after], text_array([each.encode() for each in asked.kinds])
        parameters = (*after, kinds, int8(asked.asleep), int8(asked.tries), int8(asked.limit))
        return self._ask(self._listed, parameters, _rows)

    def waited_for(self, after: str, limit: int) -> Sequence[str]:
        """Returns the keys that rows wait for, in order, each once."""
        return self._ask(self._waited_for, (after.encode(), int8(limit)), _texts)

    def waiters(self, key: str, limit: int) -> Sequence[AgendaRow]:
        """Returns the rows that wait for the key, in the order of the log."""
        return self._ask(self._waiters, (key.encode(), int8(limit)), _rows)

    def forget(self) -> None:
        """Empties the agenda."""
        self._ask(self._forget, (), lambda _: None)

    def _ask(
        self, statement: Statement, parameters: Sequence[bytes | None], read: Callable[[pq.abc.PGresult], Answer]
    ) -> Answer:
        def ask(session: Session, deadline: Deadline) -> Answer:
            return read(session.run(statement, parameters, deadline))

        return self._connections.read(ask, Deadline.after(self._budget_seconds))


def _number(result: pq.abc.PGresult) -> int:
    return read_int8(result.get_value(0, 0))


def _rows(result: pq.abc.PGresult) -> list[AgendaRow]:
    return [_row(result, row) for row in range(result.ntuples)]


def _row(result: pq.abc.PGresult, row: int) -> AgendaRow:
    value = result.get_value
    request_id, item, kind, state_id, wake = ((value(row, column) or b"").decode() for column in range(5))
    due_at = value(row, 5)
    position, tries, touched = (read_int8(value(row, column)) for column in range(6, 9))
    when = None if due_at is None else read_int8(due_at)
    return AgendaRow(request_id, item, kind, state_id, wake, when, position, tries, touched)


def _texts(result: pq.abc.PGresult) -> list[str]:
    return [(result.get_value(row, 0) or b"").decode() for row in range(result.ntuples)]


def _counts(result: pq.abc.PGresult) -> list[AgendaCount]:
    counts = []
    for row in range(result.ntuples):
        oldest = result.get_value(row, 2)
        kind = (result.get_value(row, 0) or b"").decode()
        rows = read_int8(result.get_value(row, 1))
        counts.append(AgendaCount(kind=kind, rows=rows, oldest_due=None if oldest is None else read_int8(oldest)))
    return counts
