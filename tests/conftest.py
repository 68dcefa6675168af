"""Fixtures that every test may use: a store on SQLite, a store on PostgreSQL, and one on each in turn."""

import os
from collections.abc import Iterator
from pathlib import Path

import freezegun
import hypothesis
import pytest

from tests.clocks import Clock
from tests.postgres_binaries import PostgresUnavailableError
from tests.postgres_databases import Databases
from tests.postgres_server import running_server
from tests.postgres_stores import Store, Stores

# How wide somebody's terminal is, or what a test runner takes it for, is nothing that answers may depend on.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

# Frozen clocks make the connection pool's threads wait for ever.
freezegun.configure(extend_ignore_list=["psycopg_pool", "threading", "queue"])

hypothesis.settings.register_profile("dev", deadline=None, max_examples=50)
hypothesis.settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Give the URL of a PostgreSQL server; where none can be had, tests fail and say why."""
    try:
        with running_server() as url:
            yield url
    except PostgresUnavailableError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def postgres_databases(postgres_server: str) -> Iterator[Databases]:
    """Give the maker of empty databases; a test that needs a second one asks it."""
    databases = Databases(postgres_server)
    yield databases
    databases.close()


@pytest.fixture
def postgres_url(postgres_databases: Databases) -> Iterator[str]:
    """Give the URL of an empty PostgreSQL database."""
    with postgres_databases.database() as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Give the URL of an SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'governance.db'}"


@pytest.fixture(scope="session")
def postgres_stores(postgres_databases: Databases) -> Iterator[Stores]:
    """Give the maker of stores on PostgreSQL that have their tables."""
    stores = Stores(postgres_databases)
    yield stores
    stores.close()


@pytest.fixture
def postgres_store(postgres_stores: Stores) -> Iterator[Store]:
    """Give an empty store on PostgreSQL that has its tables."""
    with postgres_stores.store() as store:
        yield store


@pytest.fixture
def role_url(postgres_store: Store) -> str:
    """Give the URL of an empty store for a role that may append and read, and nothing else."""
    return postgres_store.role_url


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of an empty store, on each kind of database in turn.

    With the mark `as_application` the one on PostgreSQL is used under the role that applications are to have, with
    `without_tables` it has none yet, as a file of SQLite that does not exist.
    """
    marked = request.node.get_closest_marker
    if request.param == "sqlite" or marked("without_tables"):
        url: str = request.getfixturevalue(f"{request.param}_url")
        return url
    store: Store = request.getfixturevalue("postgres_store")
    return store.role_url if marked("as_application") else store.url


@pytest.fixture
def owner_url(store_url: str, request: pytest.FixtureRequest) -> str:
    """Give the URL of the same store for the owner of its tables."""
    if store_url.startswith("sqlite"):
        return store_url
    store: Store = request.getfixturevalue("postgres_store")
    return store.url


@pytest.fixture
def clock() -> Clock:
    """Give a clock that the test sets."""
    return Clock()
