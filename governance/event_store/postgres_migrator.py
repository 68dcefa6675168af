"""Bringing the tables of a PostgreSQL store up to date, safely when many processes start at once."""

from collections.abc import Callable
from typing import Final, TypeVar

from psycopg import sql

from governance.event_store.deadline import Deadline
from governance.event_store.migrations import Migration, pending, statements, status
from governance.event_store.postgres_connections import PostgresConnections, unavailable
from governance.event_store.postgres_schema import fill, postgres_migrations
from governance.event_store.postgres_session import Session, SessionLost, StatementRefused
from governance.event_store.recorder import SchemaOutdated, SchemaStatus
from governance.event_store.settings import RecorderSettings

Answer = TypeVar("Answer")

MIGRATION_SECONDS: Final = 60.0
"""How long a migration may take, in all; a start must not fail because another process builds a large index."""

_SCHEMA: Final = "CREATE SCHEMA {schema}"
_SCHEMA_EXISTS: Final = "SELECT to_regnamespace('{schema}') IS NOT NULL"
_TABLE: Final = "CREATE TABLE {schema}.governance_schema (number integer PRIMARY KEY, name text NOT NULL)"
_EXISTS: Final = "SELECT to_regclass('{schema}.governance_schema') IS NOT NULL"
_CURRENT: Final = "SELECT coalesce(max(number), 0) FROM {schema}.governance_schema"
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('migration of {schema}', 0))"
_RECORD: Final = "INSERT INTO {schema}.governance_schema (number, name) VALUES ({number}, {name})"


class PostgresMigrator:
    """Reads and raises the schema number of one store."""

    def __init__(self, connections: PostgresConnections, settings: RecorderSettings) -> None:
        self._connections = connections
        self._settings = settings
        self._schema = settings.database_schema
        self._steps = postgres_migrations(self._schema)

    def prepare(self) -> None:
        """Makes sure that the store is up to date; raises SchemaOutdated if it is not and may not be changed."""
        here = self.status()
        pending(self._steps, here.current)
        if not here.pending or self._settings.accept_outdated:
            return
        if not self._settings.create_schema:
            msg = f"the store is at schema {here.current} of {here.target}: run the migrations first"
            raise SchemaOutdated(msg)
        self.migrate()

    def status(self) -> SchemaStatus:
        """Returns which migrations the store has and needs."""
        return status(self._steps, self._connections.read(self._current, self._deadline()))

    def migrate(self, *, dry_run: bool = False) -> list[str]:
        """Applies what is pending in one transaction, under a lock, and returns the statements."""
        if dry_run:
            return statements(pending(self._steps, self.status().current))
        return self._on_own_session(self._apply)

    def _on_own_session(self, work: Callable[[Session, Deadline], Answer]) -> Answer:
        deadline = Deadline.after(MIGRATION_SECONDS)
        try:
            session = self._connections.open(deadline)
            try:
                return work(session, deadline)
            finally:
                session.close()
        except StatementRefused as error:
            msg = f"the store could not be migrated: {error}"
            raise SchemaOutdated(msg) from error
        except SessionLost as error:
            raise unavailable(error) from error

    def _apply(self, session: Session, deadline: Deadline) -> list[str]:
        session.script(f"BEGIN; SET LOCAL statement_timeout = {MIGRATION_SECONDS * 1000:.0f}", deadline)
        session.script(fill(_LOCK, schema=self._schema), deadline)
        steps = pending(self._steps, self._current(session, deadline))
        if steps and not self._has_table(session, deadline):
            # Asked first: creating it "if not exists" needs the right to create schemas even where it exists.
            if not self._holds(_SCHEMA_EXISTS, session, deadline):
                session.script(fill(_SCHEMA, schema=self._schema), deadline)
            session.script(fill(_TABLE, schema=self._schema), deadline)
        for step in steps:
            self._take(step, session, deadline)
        session.script("COMMIT", deadline)
        return statements(steps)

    def _take(self, step: Migration, session: Session, deadline: Deadline) -> None:
        for statement in step.statements:
            session.script(statement, deadline)
        record = sql_record(self._schema, step)
        session.script(record, deadline)

    def _current(self, session: Session, deadline: Deadline) -> int:
        if not self._has_table(session, deadline):
            return 0
        return int(session.script(fill(_CURRENT, schema=self._schema), deadline)[-1].get_value(0, 0) or 0)

    def _has_table(self, session: Session, deadline: Deadline) -> bool:
        return self._holds(_EXISTS, session, deadline)

    def _holds(self, question: str, session: Session, deadline: Deadline) -> bool:
        return session.script(fill(question, schema=self._schema), deadline)[-1].get_value(0, 0) == b"t"

    def _deadline(self) -> Deadline:
        return Deadline.after(self._settings.budget_seconds)


def sql_record(schema: str, step: Migration) -> str:
    """Returns the statement that notes a step as applied."""
    return (
        sql.SQL(_RECORD)
        .format(schema=sql.Identifier(schema), number=sql.Literal(step.number), name=sql.Literal(step.name))
        .as_string(None)
    )
