"""The event store on SQLite: one file, several threads and processes, every commit on the disk."""

import json
import os
import sqlite3
import time
import weakref
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, TypeVar
from uuid import UUID

from eventsourcing.persistence import Notification, StoredEvent

from governance.event_store.append import MAX_VERSION, Append, bounded, stored_form
from governance.event_store.deadline import Deadline
from governance.event_store.group_commit import GroupCommit
from governance.event_store.migrations import pending, statements, status
from governance.event_store.recorder import EventRecorder, OpenWriter, SchemaOutdated, SchemaStatus, Settled, StoreFacts
from governance.event_store.settings import RecorderSettings
from governance.event_store.signals import AppendSignal
from governance.event_store.sqlite_agenda import SqliteAgenda
from governance.event_store.sqlite_append import SqliteAppender
from governance.event_store.sqlite_connections import SqliteConnections, unavailable
from governance.event_store.sqlite_outbox import SqliteOutbox
from governance.event_store.sqlite_schema import sqlite_migrations
from governance.event_store.sqlite_snapshots import SqliteSnapshots
from governance.event_store.waiting import Outcome

_COLUMNS = "SELECT position, stream, version, topic, state FROM governance_events "
_FORWARDS = _COLUMNS + "WHERE stream = ? AND version > ? AND version <= ? ORDER BY version LIMIT ?"
_BACKWARDS = _COLUMNS + "WHERE stream = ? AND version > ? AND version <= ? ORDER BY version DESC LIMIT ?"
_BEGUN = """
SELECT position, stream, version, topic, state FROM json_each(?) AS wanted
JOIN governance_events ON stream = wanted.value AND version <= ?
"""
_LATEST = """
SELECT position, stream, version, topic, state FROM json_each(?) AS wanted
JOIN governance_events ON stream = wanted.value
AND version = (SELECT max(version) FROM governance_events WHERE stream = wanted.value)
"""
_FEED = _COLUMNS + "WHERE position >= ? AND position <= ? ORDER BY position LIMIT ?"
_FEED_OF_TOPICS = """
SELECT position, stream, version, topic, state FROM governance_events
WHERE position >= ? AND position <= ? AND topic IN (SELECT value FROM json_each(?))
ORDER BY position LIMIT ?
"""
_ENDING = """
SELECT stream FROM governance_events
WHERE version = 1 AND substr(stream, -4) = substr(?1, -4) AND topic = ?2 AND substr(stream, -length(?1)) = ?1 LIMIT 100
"""
_HEAD = "SELECT max(position) FROM governance_events"
_HAS_SCHEMA = "SELECT count(*) FROM sqlite_master WHERE name = 'governance_schema'"
_CURRENT = "SELECT coalesce(max(number), 0) FROM governance_schema"
_SCHEMA = "CREATE TABLE IF NOT EXISTS governance_schema (number INTEGER PRIMARY KEY, name TEXT NOT NULL)"
_RECORD = "INSERT INTO governance_schema (number, name) VALUES (?, ?)"
NO_LIMIT = -1
LONGEST_PAUSE = 5
"""How much longer than `file_poll_seconds` the pauses of a reader get that waits for long."""
_INHERITED: list[SqliteConnections] = []

Answer = TypeVar("Answer")


class SqliteRecorder(EventRecorder):
    """Stores events in SQLite."""

    def __init__(self, path: str, settings: RecorderSettings) -> None:
        self.settings = settings
        self._path = path
        self._steps = sqlite_migrations()
        self._connect()
        self._prepare()
        reopen = weakref.WeakMethod(self._connect)
        os.register_at_fork(after_in_child=lambda: (method := reopen()) and method())

    def _connect(self) -> None:
        """Starts afresh, also in a forked child, whose copies of the parent's connections must not be used."""
        # Even closing a connection in a forked child could release what the parent holds.
        _INHERITED.extend(one for one in vars(self).values() if isinstance(one, SqliteConnections))
        self._connections = SqliteConnections(self._path, self.settings)
        self._appender = SqliteAppender(self._connections)
        self._signal = AppendSignal()
        self._lane = GroupCommit(self._flush, self.settings)

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        """Stores all of the events or none and returns their positions."""
        if not stored_events:
            return []
        append = Append(stored_events, self._deadline(), self.settings.append_bytes)
        return self._lane.append(append)

    def insert_each(self, appends: Sequence[Sequence[StoredEvent]]) -> Sequence[Settled]:
        """Stores each of several lists of events by itself, and returns what became of each."""
        deadline, most = self._deadline(), self.settings.append_bytes
        return self._lane.append_each([Append(each, deadline, most) for each in appends])

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[Notification]:
        """Returns the events of one stream, by version."""
        stream = stored_form(originator_id)
        if stream is None:
            return []
        first = -1 if gt is None else bounded(gt)
        last = MAX_VERSION if lte is None else bounded(lte)
        parameters = (stream.decode(), first, last, NO_LIMIT if limit is None else max(0, limit))
        return self._notifications(_BACKWARDS if desc else _FORWARDS, parameters)

    def select_several(self, streams: Sequence[str], upto: int | None = None) -> Sequence[Notification]:
        """Returns the last event of each of several streams, or all of each up to a version."""
        names = json.dumps(list(streams))
        if upto is None:
            return self._notifications(_LATEST, (names,))
        return self._notifications(_BEGUN, (names, bounded(upto)))

    def streams_ending(self, ending: str, topic: str) -> Sequence[str]:
        """Returns the names with this ending of streams that begin with the topic."""
        return [
            stream.decode() for (stream,) in self._ask(lambda one: one.execute(_ENDING, (ending, topic)).fetchall())
        ]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Returns settled events in global order."""
        first = 1 if start is None else bounded(start + (not inclusive_of_start))
        last = MAX_VERSION if stop is None else bounded(stop)
        limit = max(0, limit)
        if topics:
            return self._notifications(_FEED_OF_TOPICS, (first, last, json.dumps(list(topics)), limit))
        return self._notifications(_FEED, (first, last, limit))

    def max_notification_id(self) -> int | None:
        """Returns the position of the last event; with one writer at a time, all below it are settled."""
        return self._ask(lambda connection: self._number(connection, _HEAD)) or None

    def wait_for_append(self, after: int, timeout: float) -> bool:
        """Waits up to `timeout` seconds for an event above the position."""
        deadline, pause = Deadline.after(timeout), self.settings.file_poll_seconds
        while True:
            seen = self._signal.seen()
            if (self.max_notification_id() or 0) > after:
                return True
            if deadline.passed():
                return False
            # This process is woken by its own appends and looks for those of others, less often the longer it waits.
            look_again = Deadline.after(pause)
            pause = min(pause * 1.3, self.settings.file_poll_seconds * LONGEST_PAUSE)
            self._signal.wait(seen, min(deadline, look_again, key=attrgetter("at")))

    def open_writers(self) -> tuple[OpenWriter, ...]:
        """Returns nothing: a writer in SQLite holds no reader back."""
        return ()

    def schema_status(self) -> SchemaStatus:
        """Returns which migrations the store has and needs."""
        return status(self._steps, self._ask(self._current))

    def migrate(self, *, dry_run: bool = False) -> list[str]:
        """Applies the pending migrations in one transaction and returns their statements."""
        if dry_run:
            return statements(pending(self._steps, self.schema_status().current))
        try:
            return self._connections.write(self._apply, self._deadline())
        except sqlite3.Error as error:
            raise unavailable(error) from error

    def facts(self) -> StoreFacts:
        """Returns how the database is set up: every connection of ours waits for the disk, whoever made the file."""
        mode = self._ask(lambda connection: connection.execute("PRAGMA journal_mode").fetchone()[0].decode())
        unsafe = () if mode in {"wal", "memory"} else (f"journal_mode = {mode}",)
        return StoreFacts(unsafe=unsafe, clock=time.time_ns() // 1_000)

    def outbox(self) -> SqliteOutbox:
        """Returns the outbox of the store."""
        return SqliteOutbox(self._connections, self.settings.budget_seconds)

    def agenda(self) -> SqliteAgenda:
        """Returns the agenda of the store."""
        return SqliteAgenda(self._connections, self.settings.budget_seconds)

    def snapshots(self) -> SqliteSnapshots:
        """Returns the snapshots of the store."""
        return SqliteSnapshots(self._connections, self.settings.budget_seconds)

    def close(self) -> None:
        """Stores what is waiting, then lets go of every connection."""
        self._lane.close(self._deadline())
        self._connections.close()

    def _flush(self, appends: Sequence[Append], deadline: Deadline) -> Sequence[Outcome]:
        outcomes = self._appender.flush(appends, deadline)
        self._signal.announce()
        return outcomes

    def _prepare(self) -> None:
        here = self.schema_status()
        pending(self._steps, here.current)
        if not here.pending or self.settings.accept_outdated:
            return
        if not self.settings.create_schema:
            msg = f"the store is at schema {here.current} of {here.target}: run the migrations first"
            raise SchemaOutdated(msg)
        self.migrate()

    def _apply(self, connection: sqlite3.Connection) -> list[str]:
        steps = pending(self._steps, self._current(connection))
        connection.execute(_SCHEMA)
        for step in steps:
            for statement in step.statements:
                connection.execute(statement)
            connection.execute(_RECORD, (step.number, step.name))
        return statements(steps)

    def _current(self, connection: sqlite3.Connection) -> int:
        return self._number(connection, _CURRENT) if self._number(connection, _HAS_SCHEMA) else 0

    @staticmethod
    def _number(connection: sqlite3.Connection, query: str) -> int:
        return int(connection.execute(query).fetchone()[0] or 0)

    def _ask(self, ask: Callable[[sqlite3.Connection], Answer]) -> Answer:
        return self._connections.read(ask, self._deadline())

    def _notifications(self, query: str, parameters: tuple[int | str, ...]) -> Sequence[Notification]:
        rows = self._ask(lambda connection: connection.execute(query, parameters).fetchall())
        return [
            Notification(
                id=position,
                originator_id=stream.decode(),
                originator_version=version,
                topic=topic.decode(),
                state=state,
            )
            for position, stream, version, topic, state in rows
        ]

    def _deadline(self) -> Deadline:
        return Deadline.after(self.settings.budget_seconds)
