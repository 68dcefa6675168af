"""The tables and functions of the event store on PostgreSQL, as numbered steps, and the rights they need.

Readers may trust a position because of two functions: `governance_append` takes a shared lock that names the
last position drawn before it, then draws its own; `governance_settled` looks at the last position drawn, then at
the lowest such lock, then at the rows. See docs/adr/0005-global-order.md for why nothing can slip between.
"""

from typing import Final

from psycopg import sql

from governance.event_store.migrations import Migration
from governance.event_store.postgres_agenda_tables import AGENDA_QUICKER, AGENDA_RIGHTS, AGENDA_TABLES
from governance.event_store.postgres_outbox_tables import OUTBOX_RIGHTS, OUTBOX_TABLES
from governance.event_store.postgres_snapshot_tables import SNAPSHOT_RIGHTS, SNAPSHOT_TABLES

_EVENTS: Final = """
CREATE TABLE {schema}.governance_events (
    position bigint NOT NULL PRIMARY KEY,
    stream text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    topic text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    UNIQUE (stream, version)
)
"""

_POSITIONS: Final = """
CREATE SEQUENCE {schema}.governance_positions AS bigint MINVALUE 1 CACHE 1 NO CYCLE
OWNED BY {schema}.governance_events.position
"""

_REFUSE: Final = """
CREATE FUNCTION {schema}.governance_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are never changed or removed: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$
"""

_TRIGGER: Final = """
CREATE TRIGGER governance_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.governance_events
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.governance_refuse_change()
"""

_TRIGGER_ALWAYS: Final = """
ALTER TABLE {schema}.governance_events ENABLE ALWAYS TRIGGER governance_refuse_change
"""

# Answers an array with one element per event: its position if it is stored with these very bytes (now or by an
# earlier attempt), 0 if another event has its place, NULL if it was held back because of others of its group.
# Rows are inserted in the order of their unique key, so that two flushes cannot wait for each other in a circle.
# A single event goes its own way, because the general one costs it several times as much.
# It has no search path of its own, because setting one costs as much as the insert: every name and operator
# in it is qualified instead, so that a caller's search path cannot put another in its place.
_APPEND: Final = """
CREATE FUNCTION {schema}.governance_append(
    streams text[], versions bigint[], topics text[], states text[], groups integer[]
) RETURNS bigint[] LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
DECLARE
    bound bigint := coalesce(
        pg_catalog.pg_sequence_last_value('{schema}.governance_positions'::pg_catalog.regclass), 0);
    events integer := pg_catalog.cardinality(streams);
    held integer[] := ARRAY[]::integer[];
    drawn bigint[];
    written bigint;
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock_shared(
        '{schema}.governance_events'::pg_catalog.regclass::pg_catalog.oid::bigint::bit(32)::integer,
        bound::bit(32)::integer);
    IF groups IS NOT NULL THEN
        held := {schema}.governance_rivals(streams, versions, groups);
    END IF;
    IF events OPERATOR(pg_catalog.=) 1 THEN
        drawn := ARRAY[pg_catalog.nextval('{schema}.governance_positions'::pg_catalog.regclass)];
        INSERT INTO {schema}.governance_events (position, stream, version, topic, state)
        VALUES (drawn[1], streams[1], versions[1], topics[1], states[1])
        ON CONFLICT (stream, version) DO NOTHING;
    ELSE
        drawn := ARRAY(
            SELECT pg_catalog.nextval('{schema}.governance_positions'::pg_catalog.regclass)
            FROM pg_catalog.generate_series(1, events));
        INSERT INTO {schema}.governance_events (position, stream, version, topic, state)
        SELECT i.position, i.stream, i.version, i.topic, i.state
        FROM ROWS FROM (
            pg_catalog.unnest(drawn), pg_catalog.unnest(streams), pg_catalog.unnest(versions),
            pg_catalog.unnest(topics), pg_catalog.unnest(states), pg_catalog.unnest(groups)
        ) AS i(position, stream, version, topic, state, member)
        WHERE i.member IS NULL OR i.member OPERATOR(pg_catalog.<>) ALL (held)
        ORDER BY i.stream COLLATE pg_catalog."C", i.version
        ON CONFLICT (stream, version) DO NOTHING;
    END IF;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written OPERATOR(pg_catalog.=) events THEN
        RETURN drawn;
    END IF;
    RETURN {schema}.governance_outcome(drawn, streams, versions, topics, states, groups);
END $$
"""

_RIVALS: Final = """
CREATE FUNCTION {schema}.governance_rivals(streams text[], versions bigint[], groups integer[])
RETURNS integer[] LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    WITH item AS MATERIALIZED (
        SELECT * FROM unnest(streams, versions, groups) AS i(stream, version, member)
    )
    SELECT coalesce(array_agg(rival.member), ARRAY[]::integer[]) FROM (
        SELECT item.member FROM item
        JOIN {schema}.governance_events stored USING (stream, version)
        UNION
        SELECT later.member FROM item later
        JOIN item earlier USING (stream, version)
        WHERE earlier.member < later.member
    ) AS rival
$$
"""

_OUTCOME: Final = """
CREATE FUNCTION {schema}.governance_outcome(
    drawn bigint[], streams text[], versions bigint[], topics text[], states text[], groups integer[]
) RETURNS bigint[] LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    answer bigint[];
    torn boolean;
BEGIN
    WITH item AS (
        SELECT i.nth, i.drawn, coalesce(i.member, i.nth) AS member, stored.position,
            stored.topic = i.topic AND stored.state = i.state AS same
        FROM unnest(drawn, streams, versions, topics, states, groups) WITH ORDINALITY
            AS i(drawn, stream, version, topic, state, member, nth)
        LEFT JOIN {schema}.governance_events stored ON stored.stream = i.stream AND stored.version = i.version
    ), whole AS (
        SELECT count(*) FILTER (WHERE position = item.drawn) NOT IN (0, count(*)) AS torn
        FROM item GROUP BY member
    )
    SELECT (SELECT array_agg(CASE WHEN same THEN position WHEN position IS NOT NULL THEN 0 END ORDER BY nth)
            FROM item),
        (SELECT bool_or(whole.torn) FROM whole)
    INTO answer, torn;
    IF torn THEN
        RAISE EXCEPTION 'another process stored part of an append at the same time'
            USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN answer;
END $$
"""

# Every statement of a volatile function sees what was committed before that statement: the order of the three
# reads is what makes the answer safe.
_SETTLED: Final = """
CREATE FUNCTION {schema}.governance_settled() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    head bigint;
    lowest bigint;
    last bigint;
BEGIN
    head := coalesce(pg_sequence_last_value('{schema}.governance_positions'::regclass), 0);
    SELECT min(writer.bound) INTO lowest FROM {schema}.governance_open_writers writer;
    SELECT max(stored.position) INTO last FROM {schema}.governance_events stored
    WHERE stored.position <= least(head, lowest);
    RETURN coalesce(last, 0);
END $$
"""

# A lock holds the lower 32 bits of its bound; the rest follows, because no writer is 2^32 positions behind.
_OPEN_WRITERS: Final = """
CREATE VIEW {schema}.governance_open_writers AS
SELECT held.pid AS process, held.last - ((held.last - held.objid::bigint) & 4294967295) AS bound
FROM (
    SELECT pid, objid, coalesce(pg_sequence_last_value('{schema}.governance_positions'::regclass), 0) AS last
    FROM pg_catalog.pg_locks
    WHERE locktype = 'advisory' AND objsubid = 2
        AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
        AND classid = '{schema}.governance_events'::regclass::oid
) AS held
"""

_CLOSED_BY_DEFAULT: Final = """
REVOKE ALL ON FUNCTION {schema}.governance_append(text[], bigint[], text[], text[], integer[]),
    {schema}.governance_rivals(text[], bigint[], integer[]),
    {schema}.governance_outcome(bigint[], text[], bigint[], text[], text[], integer[]),
    {schema}.governance_settled() FROM PUBLIC
"""

# A key whose secret is gone says that what was sealed under it is erased.
_PERSONAL_KEYS: Final = """
CREATE TABLE {schema}.governance_personal_keys (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    subject text COLLATE "C" NOT NULL,
    secret bytea,
    made_at text NOT NULL,
    destroyed_at text
)
"""

_ONE_PERSONAL_KEY: Final = """
CREATE UNIQUE INDEX governance_one_personal_key ON {schema}.governance_personal_keys (subject)
WHERE secret IS NOT NULL
"""

# People name a request by how its id ends.
_ENDINGS: Final = """
CREATE INDEX governance_endings ON {schema}.governance_events ((right(stream, 4))) WHERE version = 1
"""

_STEPS: Final = (
    ("events table", (_EVENTS, _POSITIONS)),
    ("events are never changed", (_REFUSE, _TRIGGER, _TRIGGER_ALWAYS)),
    ("append in global order", (_RIVALS, _OUTCOME, _APPEND)),
    ("settled positions", (_OPEN_WRITERS, _SETTLED, _CLOSED_BY_DEFAULT)),
    ("keys of personal data", (_PERSONAL_KEYS, _ONE_PERSONAL_KEY)),
    ("outbox of effects", OUTBOX_TABLES),
    ("agenda of what is due", AGENDA_TABLES),
    ("streams by how their names end", (_ENDINGS,)),
    ("snapshots of long streams", SNAPSHOT_TABLES),
    ("agenda taken in with fewer statements", AGENDA_QUICKER),
)

_ROLE: Final = """
GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT ON {schema}.governance_events, {schema}.governance_open_writers, {schema}.governance_schema TO {role};
GRANT SELECT ON SEQUENCE {schema}.governance_positions TO {role};
GRANT EXECUTE ON FUNCTION {schema}.governance_append(text[], bigint[], text[], text[], integer[]) TO {role};
GRANT EXECUTE ON FUNCTION {schema}.governance_settled() TO {role};
GRANT SELECT, INSERT, UPDATE ON {schema}.governance_personal_keys TO {role};
"""


def fill(template: str, **names: str) -> str:
    """Returns the SQL text with the names put in as quoted identifiers."""
    identifiers = {key: sql.Identifier(name) for key, name in names.items()}
    return sql.SQL(template).format(**identifiers).as_string(None).strip()


def postgres_migrations(schema: str) -> tuple[Migration, ...]:
    """Returns the steps that build the event store in the schema, in order."""
    return tuple(
        Migration(number=number, name=name, statements=tuple(fill(text, schema=schema) for text in texts))
        for number, (name, texts) in enumerate(_STEPS, start=1)
    )


def role_sql(schema: str, role: str) -> str:
    """Returns the SQL by which an operator gives a role the rights to append and to read, and no others."""
    return fill(_ROLE + OUTBOX_RIGHTS + AGENDA_RIGHTS + SNAPSHOT_RIGHTS, schema=schema, role=role) + "\n"
