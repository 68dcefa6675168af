"""The role under which applications are to run: it may append and read, and nothing else."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from governance.event_store.connect import open_recorder
from governance.event_store.postgres_schema import role_sql


@contextmanager
def application_role(url: str) -> Iterator[str]:
    """Make the tables and a role that has only the rights it needs; give the URL for that role."""
    open_recorder(url).close()
    role, password = f"app_{secrets.token_hex(6)}", secrets.token_hex(12)
    with psycopg.connect(url, autocommit=True) as owner:
        create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
        owner.execute(create)
        owner.execute(role_sql("governance", role))
    try:
        parts = urlsplit(url)
        place = parts.netloc.rpartition("@")[2]
        yield urlunsplit(parts._replace(netloc=f"{role}:{password}@{place}"))
    finally:
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
            owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
