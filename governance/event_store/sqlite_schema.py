"""The tables of the event store on SQLite, as numbered steps."""

from typing import Final

from governance.event_store.migrations import Migration
from governance.event_store.sqlite_agenda import AGENDA_TABLES
from governance.event_store.sqlite_outbox import OUTBOX_TABLES
from governance.event_store.sqlite_snapshots import SNAPSHOT_TABLES

# AUTOINCREMENT, because a plain rowid would use the position of a removed last event again.
_EVENTS: Final = """
CREATE TABLE governance_events (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL,
    version INTEGER NOT NULL,
    topic TEXT NOT NULL,
    state TEXT NOT NULL,
    UNIQUE (stream, version)
)
"""

_NO_UPDATE: Final = """
CREATE TRIGGER governance_refuse_update BEFORE UPDATE ON governance_events
BEGIN SELECT RAISE(ABORT, 'events are never changed or removed: UPDATE is refused'); END
"""

_NO_DELETE: Final = """
CREATE TRIGGER governance_refuse_delete BEFORE DELETE ON governance_events
BEGIN SELECT RAISE(ABORT, 'events are never changed or removed: DELETE is refused'); END
"""

# INSERT OR REPLACE removes the old row without asking the trigger on DELETE.
_NO_REPLACE: Final = """
CREATE TRIGGER governance_refuse_replace BEFORE INSERT ON governance_events
WHEN EXISTS (SELECT 1 FROM governance_events WHERE stream = NEW.stream AND version = NEW.version)
    OR EXISTS (SELECT 1 FROM governance_events WHERE position = NEW.position)
BEGIN SELECT RAISE(ABORT, 'events are never changed or removed: REPLACE is refused'); END
"""

# A key whose secret is gone says that what was sealed under it is erased.
_PERSONAL_KEYS: Final = """
CREATE TABLE governance_personal_keys (
    id TEXT NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    secret BLOB,
    made_at TEXT NOT NULL,
    destroyed_at TEXT
)
"""

_ONE_PERSONAL_KEY: Final = """
CREATE UNIQUE INDEX governance_one_personal_key ON governance_personal_keys (subject) WHERE secret IS NOT NULL
"""

# People name a request by how its id ends.
_ENDINGS: Final = "CREATE INDEX governance_endings ON governance_events (substr(stream, -4)) WHERE version = 1"

_STEPS: Final = (
    ("events table", (_EVENTS,)),
    ("events are never changed", (_NO_UPDATE, _NO_DELETE, _NO_REPLACE)),
    ("keys of personal data", (_PERSONAL_KEYS, _ONE_PERSONAL_KEY)),
    ("outbox of effects", OUTBOX_TABLES),
    ("agenda of what is due", AGENDA_TABLES),
    ("streams by how their names end", (_ENDINGS,)),
    ("snapshots of long streams", SNAPSHOT_TABLES),
)


def sqlite_migrations() -> tuple[Migration, ...]:
    """Returns the steps that build the event store, in order."""
    return tuple(
        Migration(number=number, name=name, statements=tuple(text.strip() for text in texts))
        for number, (name, texts) in enumerate(_STEPS, start=1)
    )
