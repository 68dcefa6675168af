"""The event store under a role that may append and read, and nothing else."""

from urllib.parse import urlsplit

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent
from psycopg import sql

from governance.event_store.connect import open_recorder
from governance.event_store.recorder import SchemaOutdated
from governance.event_store.settings import RecorderSettings
from tests.postgres_stores import Store


def event(version: int) -> StoredEvent:
    return StoredEvent(originator_id="s", originator_version=version, topic="Created", state=b"{}")


def test_role_appends_and_reads_and_sees_who_is_writing(role_url: str) -> None:
    recorder = open_recorder(role_url, settings=RecorderSettings(create_schema=False))
    recorder.insert_events([event(1), event(2)])
    assert len(recorder.select_events("s")) == len(recorder.select_notifications(1, 10)) == 2
    assert recorder.wait_for_append(0, 1)
    assert recorder.open_writers() == ()
    assert recorder.schema_status().pending == ()
    recorder.close()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO governance.governance_events VALUES (99, 's', 99, 'Forged', '{}')",
        "UPDATE governance.governance_events SET state = '{}'",
        "DELETE FROM governance.governance_events",
        "TRUNCATE governance.governance_events",
        "ALTER TABLE governance.governance_events DISABLE TRIGGER ALL",
        "DROP TABLE governance.governance_events",
        "SELECT nextval('governance.governance_positions')",
        "SELECT setval('governance.governance_positions', 1)",
        "INSERT INTO governance.governance_schema VALUES (99, 'forged')",
        "CREATE TABLE governance.mine (x int)",
        "SELECT governance.governance_outcome(NULL, NULL, NULL, NULL, NULL, NULL)",
    ],
)
def test_role_may_do_nothing_else(role_url: str, statement: str) -> None:
    with psycopg.connect(role_url, autocommit=True) as role, pytest.raises(psycopg.Error) as caught:
        role.execute(statement)
    assert caught.value.sqlstate == "42501"


def test_owner_is_refused_too(postgres_url: str) -> None:
    recorder = open_recorder(postgres_url)
    recorder.insert_events([event(1)])
    for change in ("UPDATE {} SET state = '{{}}'", "DELETE FROM {}", "TRUNCATE {}"):
        with psycopg.connect(postgres_url) as owner, pytest.raises(psycopg.Error, match="never changed"):
            owner.execute(sql.SQL(change).format(sql.Identifier("governance", "governance_events")))
    recorder.close()


def test_role_cannot_migrate_and_is_told_so(postgres_store: Store) -> None:
    with psycopg.connect(postgres_store.url, autocommit=True) as owner:
        owner.execute("DELETE FROM governance.governance_schema WHERE number > 1")
    with pytest.raises(SchemaOutdated, match="could not be migrated"):
        open_recorder(postgres_store.role_url)


def test_role_cannot_put_its_own_functions_in_the_way(postgres_store: Store) -> None:
    role = urlsplit(postgres_store.role_url).username
    assert role is not None
    with psycopg.connect(postgres_store.url, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE SCHEMA trap AUTHORIZATION {}").format(sql.Identifier(role)))
    with psycopg.connect(postgres_store.role_url, autocommit=True) as attacker:
        attacker.execute(
            "CREATE FUNCTION trap.cardinality(text[]) RETURNS int LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'trapped'; END $$"
        )
        attacker.execute(
            "CREATE FUNCTION trap.same(int, int) RETURNS bool LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'trapped'; END $$"
        )
        attacker.execute("CREATE OPERATOR trap.= (LEFTARG = int, RIGHTARG = int, FUNCTION = trap.same)")
        attacker.execute("SET search_path = trap, pg_catalog")
        row = attacker.execute("SELECT governance.governance_append('{s}', '{1}', '{T}', '{\"x\"}', NULL)").fetchone()
    assert row is not None
    with psycopg.connect(postgres_store.url, autocommit=True) as owner:
        owner.execute("DROP SCHEMA trap CASCADE")
