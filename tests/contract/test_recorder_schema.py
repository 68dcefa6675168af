"""What the tables of the event store promise, on SQLite and PostgreSQL alike."""

import sqlite3
from typing import Any

import psycopg
import pytest
from eventsourcing.persistence import ProgrammingError, StoredEvent

from governance.event_store.connect import open_recorder
from governance.event_store.recorder import SchemaOutdated, UnsafeStore
from governance.event_store.settings import RecorderSettings
from tests.processes import race

pytestmark = pytest.mark.without_tables
EVENT = StoredEvent(originator_id="s", originator_version=1, topic="Created", state=b'{"a": 1}')


def run_sql(url: str, statement: str) -> list[Any]:
    """Return the rows of a statement that someone types into the database's own shell."""
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as file:
            rows = file.execute(statement).fetchall()
        file.close()
        return rows
    with psycopg.connect(url) as server:
        cursor = server.execute("SET search_path = governance").execute(statement)
        return cursor.fetchall() if cursor.description else []


def start_and_append(url: str, number: int) -> int:
    recorder = open_recorder(url)
    event = StoredEvent(originator_id=f"s-{number}", originator_version=1, topic="Created", state=b"{}")
    [position] = recorder.insert_events([event])
    recorder.close()
    return position


def test_new_store_is_up_to_date(store_url: str) -> None:
    recorder = open_recorder(store_url)
    status = recorder.schema_status()
    assert status.current == status.target > 0
    assert status.pending == ()
    assert recorder.migrate() == []
    recorder.close()


def test_store_without_tables_is_refused_unless_they_may_be_made(store_url: str) -> None:
    with pytest.raises(SchemaOutdated, match="schema 0 of"):
        open_recorder(store_url, settings=RecorderSettings(create_schema=False))
    open_recorder(store_url).close()
    open_recorder(store_url, settings=RecorderSettings(create_schema=False)).close()


def test_store_of_newer_code_is_refused(store_url: str) -> None:
    open_recorder(store_url).close()
    run_sql(store_url, "INSERT INTO governance_schema (number, name) VALUES (999, 'from the future')")
    with pytest.raises(SchemaOutdated, match="newer"):
        open_recorder(store_url)


def test_dry_run_shows_the_statements_and_changes_nothing(store_url: str) -> None:
    recorder = open_recorder(store_url)
    run_sql(store_url, "DELETE FROM governance_schema WHERE number > 1")
    planned = recorder.migrate(dry_run=True)
    assert planned
    assert "UNIQUE (stream, version)" not in " ".join(planned), "the first step was applied"
    assert recorder.schema_status().current == 1
    recorder.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE governance_events SET state = '{}'",
        "DELETE FROM governance_events",
        "DELETE FROM governance_events WHERE false",
    ],
)
def test_database_itself_refuses_to_change_events(store_url: str, change: str) -> None:
    recorder = open_recorder(store_url)
    recorder.insert_events([EVENT])
    if store_url.startswith("sqlite") and "false" in change:
        change = "INSERT OR REPLACE INTO governance_events VALUES (1, 's', 1, 'Forged', '{}')"
    with pytest.raises((psycopg.Error, sqlite3.Error), match="events are never changed or removed"):
        run_sql(store_url, change)
    assert recorder.select_events("s")[0].state == EVENT.state
    recorder.close()


def test_state_is_readable_as_it_is_in_the_databases_own_shell(store_url: str) -> None:
    recorder = open_recorder(store_url)
    recorder.insert_events([EVENT])
    recorder.close()
    assert run_sql(store_url, "SELECT stream, version, state FROM governance_events") == [("s", 1, '{"a": 1}')]


def test_eight_processes_start_at_once(store_url: str) -> None:
    endings = race(
        "tests.contract.test_recorder_schema:start_and_append",
        [{"url": store_url, "number": number} for number in range(8)],
    )
    assert [ending.traceback for ending in endings] == [""] * 8
    assert len({ending.returned for ending in endings}) == 8


@pytest.mark.parametrize("value", ["y", "TRUE", "1", "on"])
def test_librarys_unordered_fast_path_is_refused(store_url: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_ENABLE_DB_FUNCTIONS", value)
    with pytest.raises(UnsafeStore, match="POSTGRES_ENABLE_DB_FUNCTIONS"):
        open_recorder(store_url)


@pytest.mark.parametrize("url", ["mysql://x/y", "events.db", "sqlite://events.db"])
def test_unknown_urls_are_refused(url: str) -> None:
    with pytest.raises(ProgrammingError):
        open_recorder(url)


def test_store_in_memory_works_from_several_threads() -> None:
    recorder = open_recorder("sqlite://")
    from concurrent.futures import ThreadPoolExecutor

    def append(number: int) -> int:
        event = StoredEvent(originator_id=f"s-{number}", originator_version=1, topic="Created", state=b"{}")
        [position] = recorder.insert_events([event])
        return len(recorder.select_notifications(position, 1))

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(append, range(100))) == 100
    recorder.close()
