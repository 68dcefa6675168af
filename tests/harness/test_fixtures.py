"""The fixtures give every test an empty store of its own."""

import sqlite3
from datetime import UTC, datetime

import psycopg
import pytest
from freezegun import freeze_time
from psycopg_pool import ConnectionPool

from tests.postgres_databases import Databases, with_database

TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"


def test_store_url_comes_once_for_each_kind_of_database(store_url: str, request: pytest.FixtureRequest) -> None:
    kind = request.node.callspec.params["store_url"]

    assert store_url.startswith({"sqlite": "sqlite:////", "postgres": "postgresql://"}[kind])


def test_sqlite_url_names_a_file_that_can_be_made(sqlite_url: str) -> None:
    connection = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))

    connection.execute("CREATE TABLE made (id INTEGER)")
    connection.close()


@pytest.mark.parametrize("attempt", ["first", "second"])
def test_a_database_is_empty_whatever_the_test_before_left_in_it(postgres_url: str, attempt: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute(TABLES).fetchone()
        connection.execute(f"CREATE TABLE {attempt} (id integer)")
        connection.execute('CREATE SCHEMA "another one" CREATE TABLE t (id integer)')

    assert tables == (0,)


def test_a_frozen_clock_does_not_stop_a_connection_pool(postgres_url: str) -> None:
    with freeze_time("2030-01-01"), ConnectionPool(postgres_url, min_size=2, open=True, timeout=10) as pool:
        with pool.connection() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert datetime.now(tz=UTC).year == 2030


def test_a_quiet_database_is_used_again_and_one_with_sessions_is_not(postgres_databases: Databases) -> None:
    with postgres_databases.database() as quiet:
        pass
    with postgres_databases.database() as busy:
        session = psycopg.connect(busy)
    with postgres_databases.database() as after, pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    session.close()

    assert (quiet == busy, busy == after) == (True, False)


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("postgresql://u:p@127.0.0.1:5432/postgres", "postgresql://u:p@127.0.0.1:5432/other"),
        ("postgres://127.0.0.1", "postgres://127.0.0.1/other"),
        ("postgresql:///postgres?host=/tmp/s", "postgresql:///other?host=/tmp/s"),
        ("postgresql://h/?sslmode=require", "postgresql://h/other?sslmode=require"),
    ],
)
def test_another_database_keeps_everything_else_of_the_url(server: str, expected: str) -> None:
    assert with_database(server, "other") == expected


def test_another_kind_of_url_is_refused() -> None:
    with pytest.raises(ValueError, match="not a PostgreSQL URL"):
        with_database("mysql://h/db", "other")
