"""The event store on PostgreSQL: appends in one round trip, and readers that no writer can slip past."""

import os
import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from eventsourcing.persistence import Notification, StoredEvent
from psycopg import pq

from governance.event_store.append import MAX_VERSION, Append, bounded, stored_form
from governance.event_store.deadline import Deadline, now
from governance.event_store.group_commit import GroupCommit
from governance.event_store.postgres_agenda import PostgresAgenda
from governance.event_store.postgres_append import PostgresAppender
from governance.event_store.postgres_binary import int8, read_int8, text_array
from governance.event_store.postgres_connections import PostgresConnections
from governance.event_store.postgres_migrator import PostgresMigrator
from governance.event_store.postgres_outbox import PostgresOutbox
from governance.event_store.postgres_session import Session, Statement
from governance.event_store.postgres_signals import Announcer, Listeners
from governance.event_store.postgres_snapshots import PostgresSnapshots
from governance.event_store.postgres_statements import PostgresStatements
from governance.event_store.recorder import EventRecorder, OpenWriter, SchemaStatus, Settled, StoreFacts
from governance.event_store.settings import RecorderSettings
from governance.event_store.waiting import Outcome


class Head(NamedTuple):
    """A position up to which all is settled, and how many connections had been lost when that was learned."""

    position: int
    losses: int


class PostgresRecorder(EventRecorder):
    """Stores events in PostgreSQL."""

    def __init__(self, conninfo: str, settings: RecorderSettings) -> None:
        self.settings = settings
        self._conninfo = conninfo
        self._statements = PostgresStatements(settings.database_schema)
        self._connect()
        PostgresMigrator(self._connections, settings).prepare()
        reopen = weakref.WeakMethod(self._connect)
        os.register_at_fork(after_in_child=lambda: (method := reopen()) and method())

    def _connect(self) -> None:
        """Starts afresh, also in a forked child, whose copies of the parent's connections must not be used."""
        self._connections = PostgresConnections(self._conninfo, self.settings)
        self._appender = PostgresAppender(self._connections, self.settings)
        self._announcer = Announcer(self._connections, self.settings)
        self._listeners = Listeners(self._connections, self.settings)
        self._lane = GroupCommit(self._flush, self.settings)
        self._known_head = Head(0, 0)
        schema, seconds = self.settings.database_schema, self.settings.budget_seconds
        self._snapshots = PostgresSnapshots(self._connections, schema, seconds)
        self._outbox = PostgresOutbox(self._connections, schema, seconds)
        self._agenda = PostgresAgenda(self._connections, schema, seconds)

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
        statement = self._statements.backwards if desc else self._statements.forwards
        stream = stored_form(originator_id)
        if stream is None:
            return []
        parameters = [
            stream,
            int8(-1 if gt is None else bounded(gt)),
            int8(MAX_VERSION if lte is None else bounded(lte)),
            None if limit is None else int8(max(0, limit)),
        ]
        return self._notifications(statement, parameters)

    def select_several(self, streams: Sequence[str], upto: int | None = None) -> Sequence[Notification]:
        """Returns the last event of each of several streams, or all of each up to a version."""
        names = text_array([each.encode() for each in streams])
        if upto is None:
            return self._notifications(self._statements.latest, [names])
        return self._notifications(self._statements.begun, [names, int8(bounded(upto))])

    def streams_ending(self, ending: str, topic: str) -> Sequence[str]:
        """Returns the names with this ending of streams that begin with the topic."""
        parameters = [ending.encode(), topic.encode()]

        def ask(session: Session, deadline: Deadline) -> list[str]:
            result = session.run(self._statements.ending, parameters, deadline)
            return [(result.get_value(row, 0) or b"").decode() for row in range(result.ntuples)]

        return self._connections.read(ask, self._deadline())

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
        first = 1 if start is None else start + (not inclusive_of_start)
        # What was settled once stays so: a page below the known head needs no look at the writers.
        known = self._known_head
        if known.losses == self._connections.losses and known.position >= first:
            page = self._page(first, limit, stop, topics, known.position)
            if len(page) == limit or (stop is not None and stop <= known.position):
                return page
        head = self.max_notification_id() or 0
        return self._page(first, limit, stop, topics, head) if head >= first else []

    def max_notification_id(self) -> int | None:
        """Returns the position of the last settled event, or None if there is none."""

        def ask(session: Session, deadline: Deadline) -> int:
            return read_int8(session.run(self._statements.settled, (), deadline).get_value(0, 0))

        losses = self._connections.losses
        head = self._connections.read(ask, self._deadline())
        self._known_head = Head(head, losses)
        return head or None

    def wait_for_append(self, after: int, timeout: float) -> bool:
        """Waits up to `timeout` seconds for a settled event above the position."""
        deadline = Deadline.after(timeout)
        # It listens before it looks, so that no append falls between the two.
        with self._listeners.lend(self._deadline()) as ear:
            while (self.max_notification_id() or 0) <= after:
                if deadline.passed():
                    return False
                ear.wait(deadline)
        return True

    def open_writers(self) -> tuple[OpenWriter, ...]:
        """Returns the transactions that are appending now, the one that holds readers back most first."""

        def ask(session: Session, deadline: Deadline) -> tuple[OpenWriter, ...]:
            result = session.run(self._statements.writers, (), deadline)
            return tuple(_writer(result, row) for row in range(result.ntuples))

        return self._connections.read(ask, self._deadline())

    def schema_status(self) -> SchemaStatus:
        """Returns which migrations the store has and needs."""
        return PostgresMigrator(self._connections, self.settings).status()

    def migrate(self, *, dry_run: bool = False) -> list[str]:
        """Applies the pending migrations in one transaction and returns their statements."""
        return PostgresMigrator(self._connections, self.settings).migrate(dry_run=dry_run)

    def facts(self) -> StoreFacts:
        """Returns how the server is set up for everybody: our own sessions switch `synchronous_commit` on."""

        def ask(session: Session, deadline: Deadline) -> StoreFacts:
            result = session.run(self._statements.facts, (), deadline)
            rows = [[(result.get_value(row, at) or b"").decode() for at in (0, 1)] for row in range(result.ntuples)]
            unsafe = tuple(f"{name} = {value}" for name, value in rows)
            return StoreFacts(
                unsafe=unsafe, clock=read_int8(session.run(self._statements.clock, (), deadline).get_value(0, 0))
            )

        return self._connections.read(ask, self._deadline())

    def outbox(self) -> PostgresOutbox:
        """Returns the outbox of the store."""
        return self._outbox

    def agenda(self) -> PostgresAgenda:
        """Returns the agenda of the store."""
        return self._agenda

    def snapshots(self) -> PostgresSnapshots:
        """Returns the snapshots of the store."""
        return self._snapshots

    def close(self) -> None:
        """Stores what is waiting, then lets go of every connection."""
        self._lane.close(self._deadline())
        self._announcer.close()
        self._listeners.close()
        self._appender.close()
        self._connections.close()

    def _deadline(self) -> Deadline:
        return Deadline(now() + self.settings.budget_seconds)

    def _flush(self, appends: Sequence[Append], deadline: Deadline) -> Sequence[Outcome]:
        outcomes = self._appender.flush(appends, deadline)
        self._announcer.announce()
        return outcomes

    def _page(
        self, first: int, limit: int, stop: int | None, topics: Sequence[str], head: int
    ) -> Sequence[Notification]:
        last = head if stop is None else min(stop, head)
        parameters: list[bytes | None] = [int8(bounded(first)), int8(bounded(last)), int8(max(0, limit))]
        if not topics:
            return self._notifications(self._statements.feed, parameters)
        parameters.append(text_array([topic.encode() for topic in topics]))
        return self._notifications(self._statements.feed_of_topics, parameters)

    def _notifications(self, statement: Statement, parameters: Sequence[bytes | None]) -> Sequence[Notification]:
        def ask(session: Session, deadline: Deadline) -> list[Notification]:
            result = session.run(statement, parameters, deadline)
            return [_notification(result, row) for row in range(result.ntuples)]

        return self._connections.read(ask, self._deadline())


def _notification(result: pq.abc.PGresult, row: int) -> Notification:
    value = result.get_value
    return Notification(
        id=read_int8(value(row, 0)),
        originator_id=(value(row, 1) or b"").decode(),
        originator_version=read_int8(value(row, 2)),
        topic=(value(row, 3) or b"").decode(),
        state=value(row, 4) or b"",
    )


def _writer(result: pq.abc.PGresult, row: int) -> OpenWriter:
    return OpenWriter(
        process=read_int8(result.get_value(row, 0)),
        application=(result.get_value(row, 1) or b"").decode(),
        bound=read_int8(result.get_value(row, 2)),
        seconds=read_int8(result.get_value(row, 3)) / 1000,
    )
