"""The outbox on PostgreSQL."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from psycopg import pq

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
from governance.event_store.postgres_binary import INT8_OID, TEXT_ARRAY_OID, TEXT_OID, int8, read_int8, text_array
from governance.event_store.postgres_connections import PostgresConnections
from governance.event_store.postgres_schema import fill
from governance.event_store.postgres_session import Session, Statement

Answer = TypeVar("Answer")

_COLUMNS: Final = (
    "effect_id, request_id, state_id, contract, position, number::bigint, status, attempts::bigint, due_at"
)
_TEXTS: Final = frozenset({"effect_id", "request_id", "state_id", "contract", "status"})
_CLOCK: Final = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_QUICK: Final = "WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS set)"
"""A claim that a crash of the server loses is a free one: nobody waits for the disk because of it."""
_CLAIM: Final = f"""
{_QUICK}
UPDATE {{schema}}.governance_outbox claimed
SET holder = $1, token = claimed.token + 1, held_until = {_CLOCK} + $2
FROM (
    SELECT effect_id AS id FROM {{schema}}.governance_outbox
    WHERE head AND due_at <= $3 AND held_until < {_CLOCK} AND ($4 IS NULL OR contract = ANY ($4))
    ORDER BY due_at, position, number LIMIT $5 FOR UPDATE SKIP LOCKED
) due, quick
WHERE claimed.effect_id = due.id AND quick.set = 'off'
RETURNING {_COLUMNS}, token
"""  # noqa: S608
_HOLD: Final = f"""
{_QUICK}
UPDATE {{schema}}.governance_outbox SET held_until = CASE WHEN $1 = 0 THEN 0 ELSE {_CLOCK} + $1 END FROM quick
WHERE quick.set = 'off' AND effect_id = $2 AND holder = $3 AND token = $4 RETURNING token
"""  # noqa: S608
_ROWS: Final = f"""
SELECT {_COLUMNS} FROM {{schema}}.governance_outbox WHERE $1 IS NULL OR status = $1
ORDER BY position, number LIMIT $2
"""  # noqa: S608
_COUNT: Final = """
SELECT count(*) FILTER (WHERE status = 'waiting'), count(*) FILTER (WHERE status = 'parked'),
    min(due_at) FILTER (WHERE status = 'waiting')
FROM {schema}.governance_outbox
"""
_FORGET: Final = """
WITH emptied AS (DELETE FROM {schema}.governance_outbox)
UPDATE {schema}.governance_outbox_position SET position = 0
"""
_TAKE_IN: Final = "SELECT {schema}.governance_outbox_take_in($1, $2, $3, $4, $5)::int::bigint"


class PostgresOutbox(Outbox):
    """The outbox beside the events; claims run by the server's clock, which is the same for all workers."""

    def __init__(self, connections: PostgresConnections, schema: str, budget_seconds: float) -> None:
        self._connections = connections
        self._budget_seconds = budget_seconds

        def statement(name: str, text: str, *types: int) -> Statement:
            return Statement(f"outbox_{name}".encode(), fill(text, schema=schema).encode(), types)

        position = "SELECT position FROM {schema}.governance_outbox_position"
        self._position = statement("position", position)
        self._take_in = statement("take_in", _TAKE_IN, INT8_OID, INT8_OID, TEXT_OID, TEXT_OID, TEXT_ARRAY_OID)
        self._claim = statement("claim", _CLAIM, TEXT_OID, INT8_OID, INT8_OID, TEXT_ARRAY_OID, INT8_OID)
        self._hold = statement("hold", _HOLD, INT8_OID, TEXT_OID, TEXT_OID, INT8_OID)
        self._rows = statement("rows", _ROWS, TEXT_OID, INT8_OID)
        self._count = statement("count", _COUNT)
        self._forget = statement("forget", _FORGET)

    def position(self) -> int:
        """Returns up to which position of the log the outbox is derived."""
        return self._ask(self._position, (), lambda result: read_int8(result.get_value(0, 0)))

    def take_in(self, page: OutboxPage) -> bool:
        """Returns whether the page was taken in."""
        parameters = (
            int8(page.before),
            int8(page.after),
            _json([each.model_dump() for each in page.put]),
            _json([each.model_dump() for each in page.noted]),
            text_array([each.encode() for each in page.gone]),
        )
        return self._ask(self._take_in, parameters, lambda result: read_int8(result.get_value(0, 0)) == 1)

    def claim(self, asked: Asked) -> Sequence[Claim]:
        """Returns effects that are due and that nobody holds."""
        parameters = (
            asked.holder.encode(),
            int8(round(asked.seconds * MICROSECONDS)),
            int8(asked.now),
            None if asked.contracts is None else text_array([each.encode() for each in asked.contracts]),
            int8(max(0, asked.limit)),
        )
        claims = self._ask(self._claim, parameters, lambda result: [_claim(result, row) for row in _each(result)])
        return sorted(claims, key=lambda each: (each.row.due_at, each.row.position, each.row.number))

    def hold(self, claim: Claim, holder: str, seconds: float) -> bool:
        """Returns whether the claim still stands, and then prolongs it."""
        lasting = int8(round(seconds * MICROSECONDS))
        parameters = (lasting, claim.row.effect_id.encode(), holder.encode(), int8(claim.token))
        return self._ask(self._hold, parameters, lambda result: result.ntuples == 1)

    def rows(self, status: str | None, limit: int) -> Sequence[OutboxRow]:
        """Returns what is in the outbox, in the order of the log."""
        parameters = (None if status is None else status.encode(), int8(limit))
        return self._ask(self._rows, parameters, lambda result: [_row(result, row) for row in _each(result)])

    def count(self) -> OutboxCount:
        """Returns how much is in the outbox."""
        return self._ask(self._count, (), _counted)

    def forget(self) -> None:
        """Empties the outbox."""
        self._ask(self._forget, (), lambda _: None)

    def _ask(
        self, statement: Statement, parameters: Sequence[bytes | None], read: Callable[[pq.abc.PGresult], Answer]
    ) -> Answer:
        def ask(session: Session, deadline: Deadline) -> Answer:
            return read(session.run(statement, parameters, deadline))

        return self._connections.read(ask, Deadline.after(self._budget_seconds))


def _json(values: Any) -> bytes:
    return json.dumps(values, ensure_ascii=False).encode()


def _each(result: pq.abc.PGresult) -> range:
    return range(result.ntuples)


def _row(result: pq.abc.PGresult, row: int) -> OutboxRow:
    values: dict[str, Any] = {}
    for column, name in enumerate(OutboxRow.model_fields):
        value = result.get_value(row, column)
        values[name] = (value or b"").decode() if name in _TEXTS else read_int8(value)
    return OutboxRow.model_validate(values)


def _claim(result: pq.abc.PGresult, row: int) -> Claim:
    return Claim(row=_row(result, row), token=read_int8(result.get_value(row, len(OutboxRow.model_fields))))


def _counted(result: pq.abc.PGresult) -> OutboxCount:
    oldest = result.get_value(0, 2)
    return OutboxCount(
        waiting=read_int8(result.get_value(0, 0)),
        parked=read_int8(result.get_value(0, 1)),
        oldest_due=None if oldest is None else read_int8(oldest),
    )
