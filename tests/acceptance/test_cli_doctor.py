"""What `gov doctor` finds besides requests that wait in vain."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from governance import Governance, schedule
from governance.cli.exits import Exit
from governance.domain.errors import ConfigurationError
from governance.event_store.connect import open_recorder
from governance.event_store.log import EventLog
from governance.event_store.settings import RecorderSettings
from governance.settings import Settings
from tests.commands import gov
from tests.effect_cases import GRACE, Clock, Receiver, Write, delivered, executed, opened
from tests.postgres_server import own_server

ONE_ATTEMPT = Settings(effect_attempts=1)
APP = """
from governance import App
from tests.effect_cases import Receiver, Write
app = App(mutations=[Write], effect_handlers=[Receiver().handler])
"""


@pytest.fixture(autouse=True)
def store(store_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("GOVERNANCE_URL", store_url)
    monkeypatch.delenv("GOVERNANCE_APP", raising=False)
    open_recorder(store_url).close()
    return store_url


def kinds(*arguments: str) -> dict[str, str]:
    """Return what the doctor found, by kind."""
    found = gov("doctor", "--json", *arguments)
    assert found.code == (1 if found.json["findings"] else 0)
    return {each["kind"]: each["what"] for each in found.json["findings"]}


def test_doctor_finds_nothing_in_a_store_where_all_is_well(store: str) -> None:
    receiver = Receiver()
    with opened(store, receiver.handler) as governance:
        executed(governance)
        delivered(governance)
    assert kinds() == {}


def test_doctor_finds_effects_that_are_parked_and_work_that_nobody_does(store: str) -> None:
    clock = Clock()
    with opened(store, Receiver(failures=1).handler, clock=clock, effect_attempts=1) as governance:
        request = executed(governance)
        delivered(governance)
        waits = schedule(not_before=clock.now + timedelta(hours=1))
        governance.submit(Write(), state_id="b", actor=GRACE, reason="r", requires=[waits])
    found = kinds()
    assert set(found) == {"parked-effects", "left-undone-schedule"}
    assert request in found["parked-effects"]
    assert "1 effects are parked" in gov("doctor").out


def test_doctor_finds_effects_without_a_handler(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "office.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    with opened(store, Receiver().handler) as governance:
        executed(governance, parcel=True)
        delivered(governance)
    assert "parcel" in kinds("--app", "office:app")["unhandled-effects"]
    assert "unhandled-effects" not in kinds()


def test_doctor_finds_a_view_that_does_not_go_on(store: str) -> None:
    with opened(store, Receiver().handler) as governance:
        executed(governance)
    gov("projections", "run", "--once")
    statement = "UPDATE {} SET error = 'the disk is full' WHERE view = 'requests'"
    _break(store, statement)
    assert "the disk is full" in kinds()["view"]


def test_doctor_finds_settings_by_which_events_could_be_lost(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOVERNANCE_URL", postgres_url)
    open_recorder(postgres_url).close()
    with psycopg.connect(postgres_url, autocommit=True) as server:
        [name] = server.execute("SELECT current_database()").fetchone() or [""]
        server.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    assert "synchronous_commit = off" in kinds()["unsafe-setting"]
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(f'ALTER DATABASE "{name}" RESET synchronous_commit')


@pytest.fixture(scope="module")
def careless_server() -> Iterator[str]:
    """Give the URL of a server that could lose what it has acknowledged."""
    with own_server("fsync = off", "full_page_writes = off", "synchronous_commit = off") as url:
        yield url


def test_doctor_reports_everything_on_a_server_that_could_lose_events(
    careless_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "office.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOVERNANCE_URL", careless_server)
    log = EventLog(open_recorder(careless_server, settings=RecorderSettings(require_durable=False)))
    clock, handlers = Clock(), [Receiver(failures=1).handler]
    with Governance(log, mutations=[Write], effect_handlers=handlers, clock=clock, settings=ONE_ATTEMPT) as governance:
        executed(governance)
        delivered(governance)
    for arguments in ((), ("--app", "office:app")):
        found = gov("doctor", "--json", *arguments).json["findings"]
        unsafe = {each["what"].partition(":")[0] for each in found if each["kind"] == "unsafe-setting"}
        assert unsafe == {
            f"the database has {setting} = off" for setting in ("fsync", "full_page_writes", "synchronous_commit")
        }
        assert "parked-effects" in {each["kind"] for each in found}
    with pytest.raises(ConfigurationError):
        Governance.open(careless_server, mutations=[Write])
    assert gov("effects", "list").code == Exit.USAGE


def test_doctor_finds_clocks_that_differ(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from governance.event_store.postgres import PostgresRecorder
    from governance.event_store.recorder import StoreFacts
    from governance.event_store.sqlite import SqliteRecorder

    for kind in (PostgresRecorder, SqliteRecorder):
        monkeypatch.setattr(kind, "facts", lambda _: StoreFacts(unsafe=(), clock=0))
    assert "clocks of this machine and of the database differ" in kinds()["clock-skew"]


def _break(url: str, statement: str) -> None:
    import sqlite3

    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as file:
            tables = [
                name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE name LIKE '%generations%'")
            ]
            file.execute(statement.format(tables[0]))
        file.close()
        return
    with psycopg.connect(url) as server:
        found = "SELECT schemaname || '.' || tablename FROM pg_tables WHERE tablename LIKE '%generations%'"
        [name] = server.execute(found).fetchone() or [""]
        server.execute(statement.format(name))
