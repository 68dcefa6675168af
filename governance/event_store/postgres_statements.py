"""The statements by which the event store on PostgreSQL reads."""

from governance.event_store.postgres_binary import INT8_OID, TEXT_ARRAY_OID, TEXT_OID
from governance.event_store.postgres_schema import fill
from governance.event_store.postgres_session import Statement

_STREAM = """
SELECT position, stream, version, topic, state FROM {schema}.governance_events
WHERE stream = $1 AND version > $2 AND version <= $3 ORDER BY version
"""
_BEGUN = """
SELECT position, stream, version, topic, state FROM unnest($1) AS wanted(name)
JOIN {schema}.governance_events ON stream = wanted.name COLLATE "C" AND version <= $2
"""
_LATEST = """
SELECT latest.* FROM unnest($1) AS wanted(name), LATERAL (
    SELECT position, stream, version, topic, state FROM {schema}.governance_events
    WHERE stream = wanted.name COLLATE "C" ORDER BY version DESC LIMIT 1) latest
"""
_ENDING = """
SELECT stream FROM {schema}.governance_events
WHERE version = 1 AND right(stream, 4) = right($1, 4) AND topic = $2 AND right(stream, length($1)) = $1 LIMIT 100
"""
_FEED = """
SELECT position, stream, version, topic, state FROM {schema}.governance_events
WHERE position >= $1 AND position <= $2
"""
_WRITERS = """
SELECT writer.process::bigint, coalesce(activity.application_name, ''), writer.bound,
    coalesce(extract(epoch FROM clock_timestamp() - activity.xact_start) * 1000, 0)::bigint
FROM {schema}.governance_open_writers writer LEFT JOIN pg_stat_activity activity ON activity.pid = writer.process
ORDER BY writer.bound
"""


_FACTS = b"""
SELECT name, reset_val FROM pg_catalog.pg_settings
WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND reset_val = 'off' ORDER BY name
"""
_CLOCK = b"SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"


class PostgresStatements:
    """The reading statements, with the schema's name in them."""

    def __init__(self, schema: str) -> None:
        stream, feed = fill(_STREAM, schema=schema).encode(), fill(_FEED, schema=schema).encode()
        stream_types = (TEXT_OID, INT8_OID, INT8_OID, INT8_OID)
        self.forwards = Statement(b"forwards", stream + b" LIMIT $4", stream_types)
        self.backwards = Statement(b"backwards", stream + b" DESC LIMIT $4", stream_types)
        self.begun = Statement(b"begun", fill(_BEGUN, schema=schema).encode(), (TEXT_ARRAY_OID, INT8_OID))
        self.latest = Statement(b"latest", fill(_LATEST, schema=schema).encode(), (TEXT_ARRAY_OID,))
        self.ending = Statement(b"ending", fill(_ENDING, schema=schema).encode(), (TEXT_OID, TEXT_OID))
        limits = (INT8_OID, INT8_OID, INT8_OID)
        self.feed = Statement(b"feed", feed + b" ORDER BY position LIMIT $3", limits)
        topics = b" AND topic = ANY ($4) ORDER BY position LIMIT $3"
        self.feed_of_topics = Statement(b"feed_of_topics", feed + topics, (*limits, TEXT_ARRAY_OID))
        settled = fill("SELECT {schema}.governance_settled()", schema=schema)
        self.settled = Statement(b"settled", settled.encode(), ())
        self.facts = Statement(b"facts", _FACTS, ())
        self.clock = Statement(b"clock", _CLOCK, ())
        self.writers = Statement(b"writers", fill(_WRITERS, schema=schema).encode(), ())
