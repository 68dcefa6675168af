"""The tables and functions of the agenda on PostgreSQL."""

from typing import Final

_TABLE: Final = """
CREATE TABLE {schema}.governance_agenda (
    request_id text COLLATE "C" NOT NULL,
    item text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    state_id text COLLATE "C" NOT NULL DEFAULT '',
    wake text COLLATE "C" NOT NULL DEFAULT '',
    due_at bigint,
    position bigint NOT NULL,
    tries bigint NOT NULL DEFAULT 0,
    touched bigint NOT NULL,
    held_until bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (request_id, item)
)
"""

_DUE: Final = """
CREATE INDEX governance_agenda_due ON {schema}.governance_agenda (kind, due_at, position) WHERE due_at IS NOT NULL
"""

_WAKE: Final = "CREATE INDEX governance_agenda_wake ON {schema}.governance_agenda (wake, position) WHERE wake <> ''"

_HELD: Final = """
CREATE INDEX governance_agenda_held ON {schema}.governance_agenda (state_id, position)
WHERE kind = 'execution' AND held_until > 0
"""

_WAITS: Final = """
CREATE TABLE {schema}.governance_agenda_waits (
    request_id text COLLATE "C" NOT NULL,
    item text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    PRIMARY KEY (request_id, item, key)
)
"""

_WAITED: Final = "CREATE INDEX governance_agenda_waited ON {schema}.governance_agenda_waits (key)"

_POSITION: Final = "CREATE TABLE {schema}.governance_agenda_position (position bigint NOT NULL)"

_BEGINNING: Final = "INSERT INTO {schema}.governance_agenda_position VALUES (0)"

# Whoever moves the position takes the page in; the others change nothing.
# What is derived need not be on the disk when it is answered: lost by a crash, it is derived again, position and rows
# together, and a lost claim is a free one. So these transactions do not wait for it; appends always do.
# Most requests are waited for by nothing: which are is asked once for a page, not with every step.
_TAKE_IN: Final = """
CREATE OR REPLACE FUNCTION {schema}.governance_agenda_take_in(before bigint, after bigint, steps text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    page jsonb := steps::jsonb;
    step record;
    waiting record;
    known text[];
    waiters text[];
BEGIN
    PERFORM pg_catalog.set_config('synchronous_commit', 'off', true);
    UPDATE {schema}.governance_agenda_position SET position = after WHERE position = before;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    known := ARRAY(SELECT DISTINCT w.key FROM {schema}.governance_agenda_waits w WHERE w.key = ANY (ARRAY(
        SELECT each ->> 'key' FROM jsonb_array_elements(page) each WHERE each ->> 'do' IN ('finish', 'stir'))));
    waiters := ARRAY(SELECT DISTINCT w.request_id FROM {schema}.governance_agenda_waits w
        WHERE w.request_id = ANY (ARRAY(
        SELECT each ->> 'request_id' FROM jsonb_array_elements(page) each WHERE each ->> 'do' IN ('drop', 'clear'))));
    FOR step IN SELECT * FROM ROWS FROM (jsonb_to_recordset(page) AS (
        "do" text, request_id text, item text, kind text, "to" text, state_id text, wake text, due_at bigint,
        "position" bigint, earliest int, kinds text[], keys text[], key text)) WITH ORDINALITY ORDER BY ordinality
    LOOP
        CASE step.do
        WHEN 'put' THEN
            INSERT INTO {schema}.governance_agenda AS kept
                (request_id, item, kind, state_id, wake, due_at, position, touched)
            VALUES (step.request_id, step.item, step.kind, coalesce(step.state_id, ''), coalesce(step.wake, ''),
                step.due_at, step.position, step.position)
            ON CONFLICT (request_id, item) DO UPDATE SET kind = excluded.kind, wake = excluded.wake,
                due_at = CASE WHEN coalesce(step.earliest, 0) = 1
                    THEN least(kept.due_at, excluded.due_at) ELSE excluded.due_at END,
                position = excluded.position, touched = excluded.touched, tries = 0, held_until = 0;
        WHEN 'wait' THEN
            DELETE FROM {schema}.governance_agenda_waits w
            WHERE w.request_id = step.request_id AND w.item = step.item;
            INSERT INTO {schema}.governance_agenda_waits (request_id, item, key)
            SELECT DISTINCT step.request_id, step.item, unnest(step.keys);
            known := known || step.keys;
            waiters := waiters || step.request_id;
        WHEN 'drop' THEN
            DELETE FROM {schema}.governance_agenda a WHERE a.request_id = step.request_id AND a.item = step.item;
            IF step.request_id = ANY (waiters) THEN
                DELETE FROM {schema}.governance_agenda_waits w
                WHERE w.request_id = step.request_id AND w.item = step.item;
            END IF;
        WHEN 'touch' THEN
            UPDATE {schema}.governance_agenda a SET due_at = step.due_at, touched = step.position, held_until = 0
            WHERE a.request_id = step.request_id AND a.kind = ANY (step.kinds);
        WHEN 'change' THEN
            UPDATE {schema}.governance_agenda a SET kind = coalesce(step."to", a.kind), due_at = step.due_at,
                position = step.position, touched = step.position, tries = 0, held_until = 0
            WHERE a.request_id = step.request_id AND a.kind = ANY (step.kinds);
        WHEN 'clear' THEN
            DELETE FROM {schema}.governance_agenda a
            WHERE a.request_id = step.request_id AND a.kind <> ALL (step.kinds);
            IF step.request_id = ANY (waiters) THEN
                DELETE FROM {schema}.governance_agenda_waits w WHERE w.request_id = step.request_id;
            END IF;
        WHEN 'wake by key' THEN
            UPDATE {schema}.governance_agenda a SET due_at = step.due_at, touched = step.position, held_until = 0
            WHERE a.wake = step.key AND a.wake <> '';
        WHEN 'wake by kind' THEN
            UPDATE {schema}.governance_agenda a SET due_at = step.due_at, touched = step.position, held_until = 0
            WHERE a.kind = step.kind;
        WHEN 'finish' THEN
            CONTINUE WHEN NOT step.key = ANY (known);
            FOR waiting IN SELECT a.request_id, a.item FROM {schema}.governance_agenda a
                JOIN {schema}.governance_agenda_waits w ON w.request_id = a.request_id AND w.item = a.item
                WHERE w.key = step.key ORDER BY a.request_id, a.item FOR UPDATE OF a
            LOOP
                DELETE FROM {schema}.governance_agenda_waits w
                WHERE w.request_id = waiting.request_id AND w.item = waiting.item AND w.key = step.key;
                UPDATE {schema}.governance_agenda a SET due_at = step.due_at, touched = step.position, held_until = 0
                WHERE a.request_id = waiting.request_id AND a.item = waiting.item
                AND NOT EXISTS (SELECT 1 FROM {schema}.governance_agenda_waits other
                    WHERE other.request_id = a.request_id AND other.item = a.item);
            END LOOP;
        WHEN 'stir' THEN
            CONTINUE WHEN NOT step.key = ANY (known);
            UPDATE {schema}.governance_agenda a SET due_at = step.due_at, touched = step.position, held_until = 0
            FROM {schema}.governance_agenda_waits w
            WHERE w.key = step.key AND a.request_id = w.request_id AND a.item = w.item;
        END CASE;
    END LOOP;
    RETURN true;
END $$
"""

_NO_STEP: Final = "DROP FUNCTION IF EXISTS {schema}.governance_agenda_step(jsonb)"

# The row is locked first, here and by `finish`, so that of two who take the last keys out one sees that none is left.
_SETTLED: Final = """
CREATE FUNCTION {schema}.governance_agenda_settled(request text, named text, keys text[]) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM 1 FROM {schema}.governance_agenda a WHERE a.request_id = request AND a.item = named FOR UPDATE;
    DELETE FROM {schema}.governance_agenda_waits w
    WHERE w.request_id = request AND w.item = named AND w.key = ANY (keys);
    RETURN (SELECT count(*) FROM {schema}.governance_agenda_waits w WHERE w.request_id = request AND w.item = named);
END $$
"""

# Claims of executions take turns, so that none is handed out while somebody is being handed an earlier one.
_CLAIM: Final = """
CREATE FUNCTION {schema}.governance_agenda_claim(kinds text[], moment bigint, most bigint, lease bigint)
RETURNS SETOF {schema}.governance_agenda LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    clock bigint;
BEGIN
    PERFORM pg_catalog.set_config('synchronous_commit', 'off', true);
    IF 'execution' = ANY (kinds) THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('governance executions', 0));
    END IF;
    clock := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
    RETURN QUERY UPDATE {schema}.governance_agenda claimed SET held_until = clock + lease
    FROM (
        SELECT a.request_id, a.item FROM unnest(kinds) AS wanted(kind), LATERAL (
            SELECT due.request_id, due.item, due.due_at, due.position FROM {schema}.governance_agenda due
            WHERE due.kind = wanted.kind AND due.due_at IS NOT NULL AND due.due_at <= moment AND due.held_until < clock
            AND (due.kind <> 'execution' OR NOT EXISTS (
                SELECT 1 FROM {schema}.governance_agenda earlier
                WHERE earlier.kind = 'execution' AND earlier.held_until > 0 AND earlier.held_until >= clock
                AND earlier.state_id = due.state_id AND earlier.position < due.position))
            ORDER BY due.due_at, due.position LIMIT most FOR UPDATE SKIP LOCKED) a
        ORDER BY a.due_at, a.position LIMIT most
    ) found
    WHERE claimed.request_id = found.request_id AND claimed.item = found.item
    RETURNING claimed.*;
END $$
"""

_CLOSED_BY_DEFAULT: Final = """
REVOKE EXECUTE ON FUNCTION {schema}.governance_agenda_take_in(bigint, bigint, text),
    {schema}.governance_agenda_settled(text, text, text[]),
    {schema}.governance_agenda_claim(text[], bigint, bigint, bigint) FROM PUBLIC
"""

AGENDA_TABLES: Final = (
    _TABLE, _DUE, _WAKE, _HELD, _WAITS, _WAITED, _POSITION, _BEGINNING, _TAKE_IN, _SETTLED,
    _CLAIM, _CLOSED_BY_DEFAULT,
)  # fmt: skip

AGENDA_QUICKER: Final = (_TAKE_IN, _NO_STEP)
"""For stores that were made with a function for each step."""

AGENDA_RIGHTS: Final = """
GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.governance_agenda, {schema}.governance_agenda_waits,
    {schema}.governance_agenda_position TO {role};
GRANT EXECUTE ON FUNCTION {schema}.governance_agenda_take_in(bigint, bigint, text),
    {schema}.governance_agenda_settled(text, text, text[]),
    {schema}.governance_agenda_claim(text[], bigint, bigint, bigint) TO {role};
"""
