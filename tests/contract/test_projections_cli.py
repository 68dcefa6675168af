"""What `gov projections` and `gov plot` show and do, on SQLite and PostgreSQL alike."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from projections import Views
from tests import PROJECT
from tests.commands import gov
from tests.histories import Play


@dataclass(frozen=True)
class Shown:
    """`gov projections` on one store; answers with what is printed."""

    url: str

    def __call__(self, *arguments: str, code: int = 0) -> str:
        ended = gov("projections", *arguments, "--url", self.url)
        assert ended.code == code, ended
        return ended.out or ended.err

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", code=code))


@pytest.fixture
def shown(store_url: str) -> Iterator[Shown]:
    """Give the command on a store with a history."""
    with Play(store_url, 2) as play:
        play.commands(40)
        yield Shown(store_url)


def test_every_view_is_listed_with_its_columns(shown: Shown) -> None:
    listed = {each["view"]: each for each in shown.json("list")}
    assert set(listed) == {
        "requests", "approvals", "decisions", "states", "changes", "executions", "agenda", "activity",
    }  # fmt: skip
    assert "requester" in listed["requests"]["tables"]["requests"]


def test_status_follows_the_log(shown: Shown) -> None:
    assert {each["health"] for each in shown.json("status")} == {"not built"}
    assert "at position" in shown("run", "--once")
    assert {each["lag_events"] for each in shown.json("status")} == {0}
    assert "up to date" in shown("status")


def test_a_rebuild_shows_the_difference_and_can_be_taken_back(shown: Shown) -> None:
    shown("run", "--once")
    assert "no row differs" in shown("rebuild", "requests", "--no-switch")
    assert "no row differs" in shown("diff", "requests")
    assert "generation 2 is live" in shown("switch", "requests")
    assert "generation 1 is live" in shown("rollback", "requests")
    assert "1 generations removed" in shown("drop", "requests")


def test_views_are_paused_and_resumed(shown: Shown) -> None:
    shown("run", "--once")
    shown("pause", "states")
    assert "paused" in shown("status")
    shown("resume", "states")
    assert "paused" not in shown("status")
    assert shown("parked") == "nothing is parked\n"


def test_what_was_done_is_told_to_programs(shown: Shown) -> None:
    position = shown.json("run", "--once")["position"]
    assert {each["position"] for each in shown.json("status")} == {position}
    assert shown.json("pause", "states") == {"view": "states", "paused": True}
    assert shown.json("resume", "states") == {"view": "states", "paused": False}
    built = shown.json("rebuild", "states", "--no-switch")
    assert (built["built"][0]["generation"], built["built"][0]["switched"]) == (2, False)
    assert shown.json("switch", "states") == {"view": "states", "generation": 2}
    assert shown.json("rollback", "states") == {"view": "states", "generation": 1}
    assert shown.json("drop", "states") == {"view": "states", "removed": 1}
    assert shown.json("parked") == []


def test_refusals_are_told_as_those_of_other_commands(shown: Shown) -> None:
    assert "view-not-built" in shown("switch", "requests", code=1)
    assert shown.json("pause", "no such view", code=1)["error"]["rule"] == "unknown-view"
    shown("run", "--once")
    for command in ("skip", "retry"):
        told = shown.json(command, "requests", "1", code=1)["error"]
        assert (told["rule"], told["exit_code"]) == ("projection", 1)
    assert gov("projections", "status", "--url", "sqlite:////no/such/file.db").code == 2
    assert gov("projections", "status", "--url", "postgresql://nobody@127.0.0.1:1/nowhere").code == 1
    assert "no:such" in gov("projections", "list", "--views", "no:such").err


def test_run_follows_the_log_until_it_is_told_to_stop(shown: Shown) -> None:
    command = [sys.executable, "-m", "governance", "projections", "run", "--json", "--url", shown.url]
    variables = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as running:
        try:
            with Views.open(shown.url) as views:
                views.wait_for(1, timeout=20)
            running.send_signal(signal.SIGTERM)
            out, _ = running.communicate(timeout=20)
        finally:
            running.kill()
    assert running.returncode == 0
    assert json.loads(out) == {"stopped": True}


@pytest.mark.parametrize("what", ["activity", "lead-times"])
@pytest.mark.parametrize(("ending", "begins"), [(".svg", b"<?xml"), (".png", b"\x89PNG")])
def test_a_plot_is_a_picture(shown: Shown, tmp_path: Path, what: str, ending: str, begins: bytes) -> None:
    shown("run", "--once")
    target = tmp_path / f"picture{ending}"
    ended = gov("plot", what, str(target), "--by", "hour", "--url", shown.url, "--json")
    assert ended.json == {"written": str(target)}
    assert target.read_bytes().startswith(begins)


def test_a_plot_that_cannot_be_drawn_says_why(shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "has to end with" in gov("plot", "activity", "picture.txt", "--url", shown.url).err
    unbuilt = gov("plot", "activity", str(tmp_path / "a.svg"), "--url", shown.url)
    assert (unbuilt.code, "view-not-built" in unbuilt.err) == (1, True)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    missing = gov("plot", "activity", str(tmp_path / "a.svg"), "--url", shown.url)
    assert (missing.code, "mutation-governance[plot]" in missing.err) == (2, True)
