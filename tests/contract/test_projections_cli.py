"""What `gov projections` shows and does, on SQLite and PostgreSQL alike."""

import json
from collections.abc import Callable, Iterator

import pytest
from typer.testing import CliRunner

from projections.cli import app
from tests.histories import Play

Gov = Callable[..., str]


@pytest.fixture
def gov(store_url: str) -> Iterator[Gov]:
    """Give the command on a store with a history."""
    with Play(store_url, 2) as play:
        play.commands(40)

        def call(*arguments: str, code: int = 0) -> str:
            result = CliRunner().invoke(app, list(arguments), env={"GOVERNANCE_URL": store_url})
            assert result.exit_code == code, (result.output, result.exception)
            return result.stdout

        yield call


def test_every_view_is_listed_with_its_columns(gov: Gov) -> None:
    listed = {each["view"]: each for each in json.loads(gov("list", "--json"))}
    assert set(listed) == {
        "requests", "approvals", "decisions", "states", "changes", "executions", "agenda", "activity",
    }  # fmt: skip
    assert "requester" in listed["requests"]["tables"]["requests"]


def test_status_follows_the_log(gov: Gov) -> None:
    assert {each["health"] for each in json.loads(gov("status", "--json"))} == {"not built"}
    assert "at position" in gov("run", "--once")
    assert {each["lag_events"] for each in json.loads(gov("status", "--json"))} == {0}
    assert "up to date" in gov("status")


def test_a_rebuild_shows_the_difference_and_can_be_taken_back(gov: Gov) -> None:
    gov("run", "--once")
    assert "no row differs" in gov("rebuild", "requests", "--no-switch")
    assert "no row differs" in gov("diff", "requests")
    assert "generation 2 is live" in gov("switch", "requests")
    assert "generation 1 is live" in gov("rollback", "requests")
    assert "1 generations removed" in gov("drop", "requests")


def test_views_are_paused_and_resumed(gov: Gov) -> None:
    gov("run", "--once")
    gov("pause", "states")
    assert "paused" in gov("status")
    gov("resume", "states")
    assert "paused" not in gov("status")
    assert gov("parked") == "nothing is parked\n"
    gov("skip", "requests", "1", code=1)
    gov("retry", "requests", "1", code=1)
