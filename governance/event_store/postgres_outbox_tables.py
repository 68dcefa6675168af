"""The tables and the one function of the outbox on PostgreSQL."""

from typing import Final

_TABLE: Final = """
CREATE TABLE {schema}.governance_outbox (
    effect_id text COLLATE "C" NOT NULL PRIMARY KEY,
    request_id text COLLATE "C" NOT NULL,
    state_id text COLLATE "C" NOT NULL,
    contract text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    number integer NOT NULL,
    status text COLLATE "C" NOT NULL,
    attempts integer NOT NULL,
    due_at bigint NOT NULL,
    head boolean NOT NULL DEFAULT false,
    holder text,
    token bigint NOT NULL DEFAULT 0,
    held_until bigint NOT NULL DEFAULT 0
)
"""

_LANES: Final = """
CREATE INDEX governance_outbox_lanes ON {schema}.governance_outbox (state_id, position, number)
WHERE status = 'waiting'
"""

_HEADS: Final = "CREATE INDEX governance_outbox_heads ON {schema}.governance_outbox (state_id) WHERE head"

_DUE: Final = "CREATE INDEX governance_outbox_due ON {schema}.governance_outbox (due_at) WHERE head"

_POSITION: Final = "CREATE TABLE {schema}.governance_outbox_position (position bigint NOT NULL)"

_BEGINNING: Final = "INSERT INTO {schema}.governance_outbox_position VALUES (0)"

# What is derived need not be on the disk when it is answered: lost by a crash, it is derived again, position and rows
# together, and a lost claim is a free one. So these transactions do not wait for it; appends always do.
# Whoever moves the position takes the page in; the others change nothing. The first of each state's waiting effects
# is its head, and only heads are handed out.
_TAKE_IN: Final = """
CREATE FUNCTION {schema}.governance_outbox_take_in(
    before bigint, after bigint, put text, noted text, gone text[]
) RETURNS boolean LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    named text[];
    touched text[];
BEGIN
    PERFORM pg_catalog.set_config('synchronous_commit', 'off', true);
    UPDATE {schema}.governance_outbox_position SET position = after WHERE position = before;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO {schema}.governance_outbox AS known
        (effect_id, request_id, state_id, contract, position, number, status, attempts, due_at)
    SELECT p.effect_id, p.request_id, p.state_id, p.contract, p.position, p.number, p.status, p.attempts, p.due_at
    FROM jsonb_to_recordset(put::jsonb) AS p(effect_id text, request_id text, state_id text, contract text,
        position bigint, number integer, status text, attempts integer, due_at bigint)
    ON CONFLICT (effect_id) DO UPDATE SET status = excluded.status, attempts = excluded.attempts,
        due_at = excluded.due_at, holder = NULL, held_until = 0;
    UPDATE {schema}.governance_outbox known
    SET status = n.status, attempts = n.attempts, due_at = n.due_at, holder = NULL, held_until = 0
    FROM jsonb_to_recordset(noted::jsonb) AS n(effect_id text, status text, attempts integer, due_at bigint)
    WHERE known.effect_id = n.effect_id;
    SELECT array_agg(each.value ->> 'effect_id') || gone INTO named
    FROM jsonb_array_elements(put::jsonb || noted::jsonb) each;
    SELECT array_agg(DISTINCT known.state_id) INTO touched
    FROM {schema}.governance_outbox known WHERE known.effect_id = ANY (named);
    DELETE FROM {schema}.governance_outbox known WHERE known.effect_id = ANY (gone);
    UPDATE {schema}.governance_outbox known SET head = false
    WHERE known.head AND known.state_id = ANY (touched) AND known.effect_id IS DISTINCT FROM (
        SELECT first.effect_id FROM {schema}.governance_outbox first
        WHERE first.state_id = known.state_id AND first.status = 'waiting'
        ORDER BY first.position, first.number LIMIT 1);
    UPDATE {schema}.governance_outbox known SET head = true
    FROM unnest(touched) AS lane(state_id), LATERAL (
        SELECT first.effect_id FROM {schema}.governance_outbox first
        WHERE first.state_id = lane.state_id AND first.status = 'waiting'
        ORDER BY first.position, first.number LIMIT 1) AS first
    WHERE known.effect_id = first.effect_id AND NOT known.head;
    RETURN true;
END $$
"""

OUTBOX_TABLES: Final = (_TABLE, _LANES, _HEADS, _DUE, _POSITION, _BEGINNING, _TAKE_IN)

OUTBOX_RIGHTS: Final = """
GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.governance_outbox, {schema}.governance_outbox_position TO {role};
"""
