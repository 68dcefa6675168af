"""Hand out one store on PostgreSQL after the other, all tables made and nothing in them, quickly.

Making the tables takes ten times as long as emptying them. So a store that a test has left as it was made, but for some
rows, is emptied and used again; one in which it has changed anything else, or left very many, is given up.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from tests.postgres_databases import OTHER_SESSIONS, Databases
from tests.postgres_roles import application_role

SCHEMA = "governance"
# What there is besides rows: schemas, tables with their columns and rights, indexes, functions, triggers, settings.
MADE = """
SELECT md5(concat_ws('|',
    (SELECT string_agg(nspname || coalesce(nspacl::text, ''), ',' ORDER BY nspname) FROM pg_namespace
        WHERE nspname !~ '^pg_(toast|temp)'),
    (SELECT string_agg(concat_ws(' ', relname, relkind, relacl, reloptions, relnatts), ',' ORDER BY relname)
        FROM pg_class WHERE relnamespace IN ('governance'::regnamespace, 'public'::regnamespace)),
    (SELECT string_agg(concat_ws(' ', attrelid::regclass, attname, atttypid, attnotnull), ',' ORDER BY attrelid, attnum)
        FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid
        WHERE relnamespace = 'governance'::regnamespace AND attnum > 0),
    (SELECT string_agg(concat_ws(' ', oid::regprocedure, prosrc, proacl, prosecdef), ',' ORDER BY oid)
        FROM pg_proc WHERE pronamespace = 'governance'::regnamespace),
    (SELECT string_agg(concat_ws(' ', tgname, tgenabled, tgrelid::regclass), ',' ORDER BY tgname)
        FROM pg_trigger WHERE NOT tgisinternal),
    (SELECT string_agg(concat_ws(' ', setdatabase, setrole, setconfig), ',' ORDER BY setdatabase, setrole)
        FROM pg_db_role_setting)))
"""
LARGE = "SELECT pg_total_relation_size('governance.governance_events') > 8000000"
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'governance'::regnamespace AND relkind = 'r' ORDER BY 1"
EVENTS = sql.Identifier(SCHEMA, "governance_events")
TRIGGER = sql.Identifier("governance_refuse_change")
Rows = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Store:
    """A store with its tables: for its owner, and for the role that applications are to have."""

    url: str
    role_url: str
    made: str
    first_rows: Rows
    """What stands in the tables from the beginning on."""
    given_up: ExitStack


class Stores:
    """The stores of one test session on one server."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._ready: list[Store] = []

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Give a store that is the caller's alone inside the context."""
        store = self._ready.pop() if self._ready else self._made()
        try:
            yield store
        finally:
            if emptied(store):
                self._ready.append(store)
            else:
                store.given_up.close()

    def close(self) -> None:
        """Give up what is left."""
        while self._ready:
            self._ready.pop().given_up.close()

    def _made(self) -> Store:
        with ExitStack() as stack:
            url = stack.enter_context(self._databases.database())
            role_url = stack.enter_context(application_role(url))
            with psycopg.connect(url) as connection:
                rows = {table: _rows(connection, table) for table in _tables(connection)}
                return Store(url, role_url, _fingerprint(connection), rows, stack.pop_all())


def emptied(store: Store) -> bool:
    """Remove all rows but the first; returns False if the store cannot be used again."""
    try:
        with psycopg.connect(store.url) as connection:
            if connection.execute(OTHER_SESSIONS).fetchone() != (0,) or connection.execute(LARGE).fetchone() != (
                False,
            ):
                return False
            if _fingerprint(connection) != store.made:
                return False
            _empty(connection, store.first_rows)
    except psycopg.Error:
        return False
    return True


def _empty(connection: "psycopg.Connection[Any]", first_rows: Rows) -> None:
    trigger = sql.SQL("ALTER TABLE {} {} TRIGGER {}")
    connection.execute(trigger.format(EVENTS, sql.SQL("DISABLE"), TRIGGER))
    for table in first_rows:
        connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(SCHEMA, table)))
    connection.execute(trigger.format(EVENTS, sql.SQL("ENABLE ALWAYS"), TRIGGER))
    connection.execute(sql.SQL("ALTER SEQUENCE {} RESTART").format(sql.Identifier(SCHEMA, "governance_positions")))
    for table, rows in first_rows.items():
        for row in rows:
            places = sql.SQL(", ").join(sql.Placeholder() for _ in row)
            insert = sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(SCHEMA, table), places)
            connection.execute(insert, row)


def _tables(connection: "psycopg.Connection[Any]") -> list[str]:
    return [name for (name,) in connection.execute(TABLES).fetchall()]


def _rows(connection: "psycopg.Connection[Any]", table: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(SCHEMA, table))).fetchall()


def _fingerprint(connection: "psycopg.Connection[Any]") -> str:
    found = connection.execute(MADE).fetchone()
    return str(found[0]) if found is not None else ""
