"""`gov submit --file`: many requests, reported line by line, that can be run again to go on."""

import json
from pathlib import Path
from typing import Any

import pytest

from governance import StoreUnavailableError
from governance.cli.submit import ask
from tests.commands import Gov


@pytest.fixture
def gov(store_url: str) -> Gov:
    return Gov(store_url)


def line(user: object = "ada", **more: Any) -> str:
    asked = {"mutation": "grant_admin", "state": "s", "data": {"user": user}, "reason": "r", "as": "grace"}
    return json.dumps({**asked, **more})


def written(tmp_path: Path, *lines: str | bytes) -> str:
    file = tmp_path / "requests.jsonl"
    file.write_bytes(b"".join((each.encode() if isinstance(each, str) else each) + b"\n" for each in lines))
    return str(file)


def test_every_line_is_a_request(gov: Gov, tmp_path: Path) -> None:
    file = written(
        tmp_path, line("a"), "", line("b", **{"as": {"id": "user:ada"}}), line("c", state_id="t", state=None)[:0]
    )

    done = gov("submit", "--file", file, "--json")

    assert done.code == 0, done
    assert [each["line"] for each in done.json["results"]] == [1, 3]
    shown = gov("show", done.json["results"][1]["request_id"], "--json").json["request"]
    assert shown["requester"]["id"] == "user:ada"


def test_the_same_file_again_stores_nothing_again(gov: Gov, tmp_path: Path) -> None:
    file = written(tmp_path, line("a"), line("b"), line("a"))
    first = gov("submit", "--file", file, "--json").json
    head = gov("db", "status", "--json").json["head"]

    again = gov("submit", "--file", file, "--json").json

    ids = [each["request_id"] for each in first["results"]]
    assert len(set(ids)) == 3
    assert [each["request_id"] for each in again["results"]] == ids
    assert again["counts"] == {"already there": 3}
    assert gov("db", "status", "--json").json["head"] == head


def test_a_file_that_was_broken_off_goes_on_where_it_stopped(
    gov: Gov, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, *(line(f"user-{number}") for number in range(5)))
    with monkeypatch.context() as patched:
        break_after(patched, 2)
        broken = gov("submit", "--file", file, "--json")
    assert broken.code == 1
    assert "before line 3" in broken.json["stopped"]

    done = gov("submit", "--file", file, "--json")

    assert done.code == 0
    assert done.json["counts"] == {"already there": 2, "pending": 3}


def break_after(patched: pytest.MonkeyPatch, lines: int) -> None:
    left = [lines]

    def failing(*given: Any, **more: Any) -> Any:
        if not left[0]:
            raise StoreUnavailableError("the store did not answer in time")
        left[0] -= 1
        return ask(*given, **more)

    patched.setattr("governance.cli.lines.ask", failing)


def test_what_was_refused_is_reported_by_line_number_and_the_rest_is_stored(gov: Gov, tmp_path: Path) -> None:
    wrong: dict[int, str | bytes] = {
        2: "{",
        3: "[]",
        4: b"\xff\xfe",
        5: '{"a":1,"a":2}',
        6: line(5),
        7: line(colour="red"),
        8: line(state_id="s"),
        9: line(mutation="no_such"),
        10: line(mutation=7),
        11: line(reason=None),
        12: line(expires_at="soon"),
        13: line(expected_version=9),
        14: line("b", key="k", reason="other"),
        15: line(key=7),
        16: line(**{"as": "a:colour=red"}),
        17: line(data=[]),
        18: line(requires=[{"role": "x", "quorum": 0}]),
    }
    file = written(tmp_path, line("a", key="k"), *wrong.values(), line("last"))

    done = gov("submit", "--file", file, "--json")

    assert done.code == 4
    assert [each["line"] for each in done.json["refused"]] == list(wrong)
    assert [each["line"] for each in done.json["results"]] == [1, 19]
    assert {each["rule"] for each in done.json["refused"]} == {
        "input",
        "unknown-mutation",
        "stale",
        "idempotency-key",
    } | {"configuration"}
    shown = gov("submit", "--file", file).out
    assert "line 2: refused (input)" in shown
    assert "line 7" in shown


def test_a_line_that_a_rule_refuses_is_stored_and_reported(gov: Gov, tmp_path: Path) -> None:
    refused = line("nobody", mutation="revoke_admin")

    done = gov("submit", "--file", written(tmp_path, refused), "--json")

    assert done.code == 4
    assert done.json["refused"][0]["rule"] == "validation-failed"
    assert done.json["results"][0]["status"] == "rejected"


def test_what_is_given_beside_the_file_holds_where_a_line_does_not_say(gov: Gov, tmp_path: Path) -> None:
    file = written(tmp_path, '{"data": {"user": "a"}}', '{"data": {"user": "b"}, "as": "linus"}')

    done = gov("submit", "grant_admin", "--file", file, "--state", "s", "--reason", "r", "--as", "grace", "--json")

    ids = [each["request_id"] for each in done.json["results"]]
    assert [gov("show", each, "--json").json["request"]["requester"]["id"] for each in ids] == ["grace", "linus"]


def test_a_key_beside_the_file_makes_the_same_lines_new_ones(gov: Gov, tmp_path: Path) -> None:
    file = written(tmp_path, line("a"))
    gov("submit", "--file", file, "--key", "monday")

    assert gov("submit", "--file", file, "--key", "tuesday", "--json").json["counts"] == {"pending": 1}
    assert gov("submit", "--file", file, "--key", "monday", "--json").json["counts"] == {"already there": 1}


def test_lines_can_run_at_once_and_what_waits_is_told_by_the_exit_code(gov: Gov, tmp_path: Path) -> None:
    roles = line(mutation="import_roles", data={"admins": ["bob"]})

    assert gov("submit", "--file", written(tmp_path, roles), "--run").code == 0
    assert gov("submit", "--file", written(tmp_path, line("a")), "--run").code == 3
    assert gov("state", "s", "--json").json["value"]["admins"] == ["bob"]


def test_a_dry_run_of_a_file_stores_nothing(gov: Gov, tmp_path: Path) -> None:
    gov("db", "init")

    assert gov("submit", "--file", written(tmp_path, line("a")), "--dry-run").code == 0
    assert gov("db", "status", "--json").json["head"] == 0


def test_lines_come_from_standard_input_too(gov: Gov) -> None:
    assert gov("submit", "--file", "-", stdin=line("a").encode()).code == 0
    assert gov("submit", "--file", "-").code == 2
    assert gov("submit", "--file", "-", stdin=b"\n \n").code == 2


@pytest.mark.parametrize("name", ["missing.jsonl", ".", "", "a\0b"])
def test_a_file_that_is_none_is_named(gov: Gov, name: str) -> None:
    refused = gov("submit", "--file", name, "--json")

    assert refused.code == 2
    assert "cannot read" in refused.error["message"]


def test_a_line_that_is_too_long_is_refused_and_the_next_one_is_read(gov: Gov, tmp_path: Path) -> None:
    file = written(tmp_path, b"{" + b" " * 40_000_000 + b"}", line("a"))

    done = gov("submit", "--file", file, "--json")

    assert [each["line"] for each in done.json["refused"]] == [1]
    assert [each["line"] for each in done.json["results"]] == [2]


def test_a_terminal_shows_a_bar_and_a_pipe_plain_lines(gov: Gov, tmp_path: Path) -> None:
    file = written(tmp_path, line("a"), line("b"))

    piped, shown = gov("submit", "--file", file), gov("submit", "--file", file, tty=True)

    assert piped.out.startswith("line 1: pending ")
    assert "2 pending" in piped.out
    assert "line 1" not in shown.out
    assert "2 already there" in shown.out
