"""The tables of the event store on SQLite, as numbered steps."""

from typing import Final

from governance.event_store.migrations import Migration

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

_STEPS: Final = (
    ("events table", (_EVENTS,)),
    ("events are never changed", (_NO_UPDATE, _NO_DELETE, _NO_REPLACE)),
)


def sqlite_migrations() -> tuple[Migration, ...]:
    """Returns the steps that build the event store, in order."""
    return tuple(
        Migration(number=number, name=name, statements=tuple(text.strip() for text in texts))
        for number, (name, texts) in enumerate(_STEPS, start=1)
    )
