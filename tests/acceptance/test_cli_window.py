"""`gov window` and `gov due`, and conditions in lines of a file."""

import json
from pathlib import Path

import pytest

from tests.commands import Gov

ROOT = "root:kind=administrator"


@pytest.fixture
def gov(tmp_path: Path) -> Gov:
    gov = Gov(f"sqlite:///{tmp_path / 'store.db'}")
    assert gov("db", "init").code == 0
    return gov


def nightly(gov: Gov, *more: str) -> None:
    ended = gov(
        "window", "add", "nightly", "--zone", "Europe/Berlin", "--open", "30 2 * * * for 2h", *more, "--as", ROOT
    )
    assert ended.code == 0, ended


def waiting(gov: Gov, requires: list[dict[str, object]], user: str = "ada") -> str:
    """Ask for an administrator more by a line of a file, and return the request's id."""
    line = {
        "mutation": "grant_admin", "data": {"user": user}, "state": "tenant-42:roles", "reason": "r", "as": "grace",
        "requires": requires,
    }  # fmt: skip
    ended = gov("submit", "--file", "-", "--json", stdin=json.dumps(line).encode())
    assert ended.code == 0, ended
    return str(ended.json["results"][0]["request_id"])


def test_calendar_is_added_listed_and_told_when_it_opens_next(gov: Gov) -> None:
    assert "no calendar" in gov("window", "list").out
    nightly(gov, "--closed-on", "2026-12-24", "--description", "nights")
    listed = gov("window", "list")
    assert "30 2 * * * (Europe/Berlin) for 2:00:00" in listed.out
    assert "2026-12-24" in listed.out
    following = gov("window", "next", "nightly", "--from", "2026-03-28T12:00:00Z", "--count", "2")
    assert "Sun 2026-03-29 03:00 CEST" in following.out
    assert "Mon 2026-03-30 04:30 CEST" in following.out
    told = gov("window", "next", "nightly", "--from", "2026-10-24T12:00:00Z", "--count", "1", "--json").json
    assert told["windows"] == [{"begins": "2026-10-25T00:30:00Z", "ends": "2026-10-25T02:30:00Z"}]


def test_freeze_holds_until_it_is_lifted(gov: Gov) -> None:
    request = gov.approved()
    frozen = gov("window", "freeze", "all", "--reason", "outage", "--as", ROOT)
    assert "freeze f1" in frozen.out
    held = gov("execute", request, "--as", "worker")
    assert held.code == 3
    assert "outage" in gov("show", request).out
    assert "freeze" in gov("why", request).out
    assert gov("due").code == 0
    assert gov("window", "lift", "all", "f1", "--as", ROOT).code == 0
    due = gov("due")
    assert "released" in due.out
    assert "executed" in due.out
    assert "Nothing is due" in gov("due").out


def test_override_is_for_who_has_the_right(gov: Gov) -> None:
    request = gov.approved()
    gov("window", "freeze", "all", "--reason", "outage", "--as", ROOT)
    gov("execute", request, "--as", "worker")
    assert gov("window", "override", request, "--reason", "fire", "--as", "eve").code == 4
    assert gov("window", "override", request, "--reason", "fire", "--as", "grace:window-override").code == 4
    assert gov("window", "override", request, "--reason", "fire", "--as", "olga:window-override").code == 0
    assert gov("execute", request, "--as", "worker").code == 0


@pytest.mark.parametrize(
    "given",
    [
        ["--zone", "Mars/Olympus", "--open", "30 2 * * * for 2h"],
        ["--zone", "UTC", "--open", "30 2 * * *"],
        ["--zone", "UTC", "--open", "30 2 * * * for ever"],
        ["--zone", "UTC", "--open", "99 2 * * * for 2h"],
        ["--zone", "UTC"],
        ["--zone", "UTC", "--open", "30 2 * * * for 2h", "--closed-on", "christmas"],
        ["--zone", "UTC", "--open", "30 2 * * * for 2h", "--also-open", "2026-03-02T10:00:00Z"],
    ],
)
def test_wrong_calendars_are_refused_by_field(gov: Gov, given: list[str]) -> None:
    ended = gov("window", "add", "nightly", *given, "--as", ROOT, "--json")
    assert ended.code == 2
    assert ended.error["ids"]["field"]
    assert gov("window", "list", "--json").json == {"calendars": []}


def test_calendars_are_for_their_keepers_and_have_to_exist(gov: Gov) -> None:
    add = ["window", "add", "nightly", "--zone", "UTC", "--open", "0 1 * * * for 30m", "--as"]
    assert gov(*add, "eve").code == 4
    assert gov(*add, "kay:calendar-keeper").code == 0
    assert gov("window", "next", "nowhere").code == 1
    assert gov("window", "freeze", "nowhere", "--reason", "r", "--as", ROOT).code == 1


def test_lines_of_a_file_ask_for_conditions(gov: Gov) -> None:
    nightly(gov)
    first = waiting(gov, [{"kind": "schedule", "window": "nightly", "not_before": "2026-03-02T09:00:00Z"}])
    second = waiting(gov, [{"kind": "dependency", "requests": [first], "on_failure": "wait"}], "bob")
    shown = gov("show", first)
    assert "calendar nightly" in shown.out
    assert first in gov("show", second).out
    assert "schedule" in gov("show", first, "--json").json["request"]["pending_reasons"]


@pytest.mark.parametrize(
    "requires",
    [
        [{"kind": "wish"}],
        [{"kind": "schedule", "at": "noon"}],
        [{"kind": "schedule", "not_before": "noon"}],
        [{"kind": "schedule"}],
        [{"kind": "dependency", "requests": "x"}],
        [{"kind": "quota", "key": "k", "tokens": 0}],
        [{"kind": "external_check", "name": "x", "timeout": "soon"}],
    ],
)
def test_wrong_conditions_are_refused(gov: Gov, requires: list[dict[str, object]]) -> None:
    line = {
        "mutation": "grant_admin", "data": {"user": "ada"}, "state": "s", "reason": "r", "as": "grace",
        "requires": requires,
    }  # fmt: skip
    ended = gov("submit", "--file", "-", "--json", stdin=json.dumps(line).encode())
    assert ended.code == 2, ended


def test_what_would_hold_a_request_is_shown_by_a_dry_run_a_preview_and_why(gov: Gov) -> None:
    asked = ("submit", "grant_admin", "--state", "s", "--data", '{"user": "ada"}', "--reason", "r", "--as", "grace")
    assert gov(*asked, "--dry-run", "--json").json["held"] == []
    assert "hold it" not in gov(*asked, "--dry-run").out
    gov("window", "freeze", "all", "--reason", "audit", "--until", "2099-01-01T00:00:00Z", "--as", ROOT)
    frozen = "everything is frozen until 2099-01-01T00:00:00+00:00: audit"
    (held,) = gov(*asked, "--dry-run", "--json").json["held"]
    assert (held["because"], held["until"]) == (frozen, "2099-01-01T00:00:00Z")
    dry = gov(*asked, "--dry-run").out
    assert "What would hold it now" in dry
    assert frozen in " ".join(dry.split())
    request = gov.id(*asked)
    for command in ("preview", "why", "show"):
        assert f"held: {frozen}" in " ".join(gov(command, request).out.split())
    assert gov("why", request, "--json").json["held"] == [held]
    assert "held" not in gov("submit", "--json", *asked[1:], "--key", "k").json
