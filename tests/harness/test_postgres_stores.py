"""Stores that tests are given one after the other: empty every time, and given up when they are not what they were."""

from collections.abc import Iterator

import psycopg
import pytest

from governance import Governance
from tests.cases import GRACE, MUTATIONS, Add
from tests.postgres_databases import Databases
from tests.postgres_stores import Stores


@pytest.fixture
def stores(postgres_databases: Databases) -> Iterator[Stores]:
    stores = Stores(postgres_databases)
    yield stores
    stores.close()


def used(stores: Stores, *statements: str) -> str:
    """Use a store and return its URL."""
    with stores.store() as store:
        with Governance.open(store.role_url, mutations=MUTATIONS) as gov:
            assert gov.log.head() == 0
            request = gov.submit(Add(amount=1), state_id="c", actor=GRACE, reason="r")
            assert (gov.request(request.id).version, gov.log.head()) == (3, 3)
            gov.run_due()
        with psycopg.connect(store.url, autocommit=True) as owner:
            for statement in statements:
                owner.execute(statement)
        return store.url


def test_store_is_empty_again_when_it_is_given_to_the_next(stores: Stores) -> None:
    assert used(stores) == used(stores) == used(stores)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE governance.another (id int)",
        "CREATE SCHEMA another",
        "DROP INDEX governance.governance_endings",
        "ALTER TABLE governance.governance_events DISABLE TRIGGER governance_refuse_change",
        "ALTER TABLE governance.governance_agenda ADD COLUMN more text",
        "GRANT SELECT ON governance.governance_events TO PUBLIC",
        "CREATE OR REPLACE FUNCTION governance.governance_settled() RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint'",
    ],
)
def test_store_in_which_more_was_changed_is_given_up(stores: Stores, statement: str) -> None:
    with stores.store() as other:  # so that the next one is another database, not the same made anew
        changed = used(stores, statement)
        assert changed != other.url
        with stores.store() as store, psycopg.connect(store.url) as owner:
            assert owner.execute("SELECT count(*) FROM governance.governance_events").fetchone() == (0,)
            assert owner.execute("SELECT to_regclass('governance.another')").fetchone() == (None,)


def test_store_that_somebody_still_uses_is_given_up(stores: Stores) -> None:
    with stores.store() as store:
        connection = psycopg.connect(store.url)
    with stores.store() as another:
        assert another.url != store.url
    connection.close()


def test_store_with_very_many_rows_is_given_up(stores: Stores) -> None:
    many = """
    INSERT INTO governance.governance_events (position, stream, version, topic, state)
    SELECT n, 's' || n, 1, 'Created', repeat('x', 300) FROM generate_series(1000, 21000) n
    """
    used(stores, many)
    assert stores._ready == []
