"""Hand out one empty PostgreSQL database after the other, quickly.

CREATE and DROP DATABASE cost 100 to 200 ms together, dropping and recreating a schema a fifth of that.
So a database that a test has left quiet is emptied and used again; one that still has sessions, which could
disturb the next test, is dropped with them.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import psycopg
from psycopg import sql

CREATE = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
USER_SCHEMAS = r"SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
OTHER_SESSIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""


class Databases:
    """The databases of one test session on one server."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._empty: list[str] = []

    @contextmanager
    def database(self) -> Iterator[str]:
        """Return the URL of an empty database that is the caller's alone inside the context."""
        name = self._empty.pop() if self._empty else self._create()
        try:
            yield with_database(self._server_url, name)
        finally:
            if self._emptied(name):
                self._empty.append(name)
            else:
                self._drop(name)

    def close(self) -> None:
        """Drop what is left."""
        while self._empty:
            self._drop(self._empty.pop())

    def _create(self) -> str:
        name = f"governance_test_{secrets.token_hex(6)}"
        self._administer(CREATE, name)
        return name

    def _drop(self, name: str) -> None:
        self._administer("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _administer(self, statement: str, name: str) -> None:
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))

    def _emptied(self, name: str) -> bool:
        """Remove everything that a test made; returns False if the database cannot be used again."""
        try:
            with psycopg.connect(with_database(self._server_url, name)) as connection:
                if connection.execute(OTHER_SESSIONS).fetchone() != (0,):
                    return False
                for (schema,) in connection.execute(USER_SCHEMAS).fetchall():
                    connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
                connection.execute("CREATE SCHEMA public")
        except psycopg.Error:
            return False
        return True


def with_database(server_url: str, name: str) -> str:
    """Return the URL with its database replaced; all else, as user, host and options, stays."""
    found = re.fullmatch(r"(?P<server>postgres(?:ql)?://[^/?#]*)(?:/[^?#]*)?(?P<options>\?.*)?", server_url)
    if found is None:
        raise ValueError("not a PostgreSQL URL; expected postgresql://user:password@host:port/database")
    return f"{found['server']}/{quote(name, safe='')}{found['options'] or ''}"
