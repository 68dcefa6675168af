"""`gov db`: the store made, looked at and migrated, and the rights of the role that uses it."""

from pathlib import Path

import psycopg
import pytest

from tests.commands import gov


def test_store_is_outdated_until_it_is_migrated(tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    file.touch()
    url = f"sqlite:///{file}"

    before = gov("db", "status", "--url", url, "--json").json
    would = gov("db", "migrate", "--dry-run", "--url", url, "--json").json
    still = gov("db", "status", "--url", url, "--json").json
    done = gov("db", "migrate", "--url", url, "--json").json
    after = gov("db", "status", "--url", url, "--json").json
    again = gov("db", "migrate", "--url", url, "--json").json

    assert before == still
    assert (before["schema"]["current"], before["head"]) == (0, None)
    assert would["steps"] == done["steps"] == before["schema"]["pending"]
    assert would["statements"] == done["statements"]
    assert (would["applied"], done["applied"]) == (False, True)
    assert (after["schema"]["pending"], after["head"]) == ([], 0)
    assert (again["steps"], again["statements"]) == ([], [])


def test_postgres_store_that_does_not_exist_is_shown_and_migrated(postgres_url: str) -> None:
    status = gov("db", "status", "--url", postgres_url).out
    would = gov("db", "migrate", "--dry-run", "--url", postgres_url).out
    with psycopg.connect(postgres_url) as connection:
        absent = connection.execute("SELECT to_regnamespace('governance') IS NULL").fetchone()
    done = gov("db", "migrate", "--url", postgres_url).out

    assert "outdated" in status
    assert "CREATE TABLE" in would
    assert absent == (True,)
    assert "applied: events table" in done
    assert "up to date" in gov("db", "migrate", "--url", postgres_url).out


def test_role_is_given_what_it_needs(postgres_url: str) -> None:
    gov("db", "init", "--url", postgres_url)
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute('CREATE ROLE "app of test_role"')
        try:
            owner.execute(gov("db", "role", "app of test_role", "--url", postgres_url).out.encode())
            rights = owner.execute(
                "SELECT has_table_privilege('app of test_role', 'governance.governance_events', each)"
                " FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS each"
            ).fetchall()
        finally:
            owner.execute('DROP OWNED BY "app of test_role"')
            owner.execute('DROP ROLE "app of test_role"')

    assert [each for (each,) in rights] == [True, False, False, False, False]


def test_schema_of_the_url_is_the_one_that_rights_are_given_in() -> None:
    told = gov("db", "role", "app", "--url", "postgresql://127.0.0.1/nowhere?schema=other", "--json").json

    assert told["schema"] == "other"
    assert '"other".governance_events' in told["sql"]


@pytest.mark.parametrize("command", [("db", "role", "app"), ("db", "migrate")])
def test_what_makes_no_sense_is_refused(command: tuple[str, ...], tmp_path: Path) -> None:
    ended = gov(*command, "--url", f"sqlite:///{tmp_path}/none.db", "--json")

    assert ended.code in (1, 2)
    assert ended.error["rule"] in ("input", "not-found")
