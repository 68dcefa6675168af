"""What `gov` prints: nothing that steers a terminal, no traceback, and the end of a pipe is no error."""

import json
import os
import shlex
import signal
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from tests.commands import DEMO_APP, Gov, Shell, Terminal

HOSTILE = "\x1b[31mred\x07\x9b \u202egnp.exe\u2066 \u2028line\rback [bold]markup[/bold] :smile: \U000e0041"
STATE = "[red]s[/red]"


@pytest.fixture
def call(sqlite_url: str) -> Gov:
    return Gov(sqlite_url)


def unseen(text: str) -> list[str]:
    """Return every character that a terminal would act on or hide."""
    return [char for char in text.replace("\n", "") if unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp", "Cs"}]


@pytest.fixture
def hostile(call: Gov) -> str:
    asked = ("submit", "grant_admin", "--data", json.dumps({"user": HOSTILE}), "--state", STATE)
    request = call.id(*asked, "--reason", HOSTILE, "--as", "grace", "--metadata", json.dumps({HOSTILE: HOSTILE}))
    call("comment", request, HOSTILE, "--as", "[link=x]bob[/link]")
    call("approve", request, "--as", "alan:security-lead", "--comment", HOSTILE)
    call("approve", request, "--as", "edsger:security-lead")
    call("execute", request, "--as", "worker")
    return request


@pytest.mark.parametrize("tty", [False, True])
@pytest.mark.parametrize("how", ["text", "json"])
def test_text_of_others_cannot_steer_the_terminal(call: Gov, hostile: str, how: str, tty: bool) -> None:
    commands: list[tuple[str, ...]] = [("show", hostile), ("why", hostile), ("history", hostile), ("list",)]
    commands += [("state", STATE), ("history", "--state", STATE), ("comment", hostile, HOSTILE, "--as", "x")]
    for command in commands:
        ended = call(*command, *(["--json"] if how == "json" else []), tty=tty)
        assert ended.code == 0
        if not tty:
            assert unseen(ended.out) == [], command
        assert "\x1b[31mred" not in ended.out
        assert "\u202e" not in ended.out


def test_what_would_not_be_seen_is_shown(call: Gov, hostile: str) -> None:
    shown = call("history", hostile).out

    assert "\\x1b[31mred\\x07" in shown
    assert "\\u202egnp.exe" in shown
    assert "[bold]markup[/bold] :smile:" in shown.replace("\n", " ").replace("  ", "")


def test_json_holds_every_text_as_it_was_given(call: Gov, hostile: str) -> None:
    assert call("show", hostile, "--json").json["request"]["reason"] == HOSTILE


def test_errors_cannot_steer_the_terminal_either(call: Gov) -> None:
    call.grant()
    for given in (("show", HOSTILE), (HOSTILE,), ("show", "--" + HOSTILE), ("list", "--status", HOSTILE)):
        for more in ((), ("--json",)):
            ended = call(*given, *more)
            assert ended.code == 2
            assert unseen(ended.err) == []


def test_long_texts_are_shortened_for_people_and_complete_in_json(call: Gov) -> None:
    reason = "long " * 1000
    asked = ("submit", "grant_admin", "--data", '{"user":"a"}', "--state", "s", "--as", "g", "--reason", reason)
    request = call.id(*asked)

    assert "(5,000 characters)" in call("show", request).out
    assert call("show", request, "--json").json["request"]["reason"] == reason


def test_no_color_is_heeded_and_a_pipe_gets_no_colours(call: Gov, monkeypatch: pytest.MonkeyPatch) -> None:
    request = call.grant()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    assert "\x1b[" in call("show", request, tty=True).out
    assert "\x1b[" not in call("show", request).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in call("show", request, tty=True).out


def test_a_terminal_that_cannot_show_a_character_is_no_error(
    call: Gov, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = call.grant("Ada 🎉 Ελένη")
    ascii_only = Terminal(encoding="ascii")
    monkeypatch.setattr(sys, "stdout", ascii_only)

    from governance.cli import main

    assert main(["show", request, "--url", call.url]) == 0
    assert main(["show", request, "--url", call.url, "--json"]) == 0
    assert "Ada" in ascii_only.text()


def test_an_error_that_nobody_foresaw_is_one_line(call: Gov, monkeypatch: pytest.MonkeyPatch) -> None:
    request = call.grant()
    monkeypatch.setattr("governance.application.Governance.explain", lambda *_, **__: 1 / 0)

    shown = call("why", request)

    assert shown.code == 1
    assert "unexpected ZeroDivisionError" in shown.err
    assert "GOVERNANCE_DEBUG=1" in shown.err


def test_where_an_error_came_from_is_shown_on_demand(tmp_path: Path) -> None:
    shell = Shell(tmp_path, {"GOVERNANCE_DEBUG": "1"})

    assert "Traceback" in shell("list").err
    assert "Traceback" not in Shell(tmp_path)("list").err


def test_a_pipe_that_is_closed_early_is_no_error(call: Gov, tmp_path: Path) -> None:
    call.grant()
    command = f"{shlex.quote(sys.executable)} -m governance list --json --url {call.url} | head -c 1"
    done = subprocess.run(
        ["/bin/sh", "-c", command], env=Shell(tmp_path).environment(), capture_output=True, check=False, timeout=60
    )

    assert done.stderr == b""


def test_an_interruption_ends_with_130_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")

    ended = Shell(tmp_path)("mutations", "--app", "slow:app")

    assert ended.code == 130
    assert "Traceback" not in ended.err


def test_an_interrupted_file_tells_so_and_can_go_on(call: Gov, tmp_path: Path) -> None:
    asked = {"mutation": "grant_admin", "state": "s", "data": {"user": "a"}, "reason": "r", "as": "g"}
    process = subprocess.Popen(
        [sys.executable, "-m", "governance", "submit", "--file", "-", "--url", call.url, "--app", DEMO_APP],
        env=Shell(tmp_path).environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(asked).encode() + b"\n")
    process.stdin.flush()
    assert process.stdout.readline().startswith(b"line 1: pending")

    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert b"Run the same command again to go on" in out
    assert b"Traceback" not in err


def test_the_command_runs_as_a_program(tmp_path: Path) -> None:
    shell = Shell(tmp_path)

    assert shell("db", "init").code == 0
    assert shell("list", "--json").json == {"items": [], "next": None, "position": 0}
    assert shell("nonsense").code == 2
