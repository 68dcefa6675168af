"""`gov audit checkpoint --every`, and URLs as witnesses."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from governance.audit.notes import Checkpoint, Note
from tests import PROJECT
from tests.audit_stores import Intruder
from tests.commands import Gov

SUBMIT = ("submit", "grant_admin", "--state", "s:roles", "--reason", "r", "--as", "grace", "--data")


class Receiver(HTTPServer):
    """Takes what is posted, and answers as told."""

    taken: list[tuple[str, bytes]]
    answer: int


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.answer)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver(("127.0.0.1", 0), _Handler)
    server.taken, server.answer = [], 200
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def gov(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gov:
    monkeypatch.chdir(tmp_path)
    made = Gov(store_url)
    assert made(*SUBMIT, '{"user": "ada"}').code == 0
    assert made("keys", "generate", "example.com/log").code == 0
    return made


def url(receiver: Receiver) -> str:
    return f"http://127.0.0.1:{receiver.server_port}/log?x=1"


def test_a_url_gets_the_checkpoint(gov: Gov, receiver: Receiver) -> None:
    done = gov(
        "audit", "checkpoint", "--witness", url(receiver), "--allow-http", "--allow-private", "--json"
    )  # fmt: skip

    assert done.code == 0, done
    assert receiver.taken == [("/log?x=1", done.json["checkpoint"].encode())]


@pytest.mark.parametrize("allowed", [(), ("--allow-http",), ("--allow-private",)])
def test_a_url_has_to_be_https_and_public(gov: Gov, receiver: Receiver, allowed: tuple[str, ...]) -> None:
    done = gov("audit", "checkpoint", "--witness", url(receiver), *allowed, "--json")

    assert done.code == 1
    assert done.json["given"][0]["problem"]
    assert receiver.taken == []


@pytest.mark.parametrize("answer", [302, 307, 404, 500])
def test_a_url_that_does_not_take_it_is_a_failure_and_no_redirect_is_followed(
    gov: Gov, receiver: Receiver, answer: int
) -> None:
    receiver.answer = answer

    done = gov("audit", "checkpoint", "--witness", url(receiver), "--allow-http", "--allow-private", "--json")

    assert done.code == 1
    assert [path for path, _ in receiver.taken] == ["/log?x=1"]


def test_on_an_interval_there_is_one_for_whatever_is_new(gov: Gov) -> None:
    Path("kept").mkdir()
    arguments = ["audit", "checkpoint", "--every", "0.2", "--to", "kept", "--json"]
    with running(gov, arguments) as program:
        first = json.loads(program.stdout.readline())
        time.sleep(0.5)  # nothing is new
        assert gov(*SUBMIT, '{"user": "bob"}').code == 0
        second = json.loads(program.stdout.readline())
        program.send_signal(signal.SIGTERM)
        rest = program.communicate(timeout=20)[0]

    assert program.returncode == 0
    assert json.loads(rest) == {"checkpoints": 2, "failures": 0}
    sizes = [Checkpoint.parse(Note.parse(each["checkpoint"]).text).size for each in (first, second)]
    assert sizes[0] < sizes[1]
    assert len(list(Path("kept").iterdir())) == 2
    assert gov("audit", "verify", "--checkpoint", "kept").code == 0


def test_a_log_that_was_changed_ends_it(gov: Gov) -> None:
    assert gov("audit", "checkpoint").code == 0
    intruder = Intruder(gov.url)
    row = intruder.rows()[-1]
    intruder.do("UPDATE governance_events SET state = ? WHERE position = ?", row[4] + " ", row[0])
    intruder.close()

    assert gov("audit", "checkpoint", "--every", "0.2", "--times", "3").code == 6


def test_a_witness_that_fails_now_and_then_is_told_at_the_end(gov: Gov) -> None:
    done = gov("audit", "checkpoint", "--every", "0.1", "--times", "2", "--witness", "false")

    assert done.code == 1
    assert "1 checkpoints made, 1 times something failed" in done.out


class running:  # noqa: N801 - reads as a verb
    """A call of `gov` in a process of its own, ended with the block."""

    def __init__(self, gov: Gov, arguments: list[str]) -> None:
        command = [sys.executable, "-m", "governance", *arguments, "--url", gov.url]
        environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
        self.program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    def __enter__(self) -> Any:
        return self.program

    def __exit__(self, *_: object) -> None:
        self.program.kill()
        self.program.wait()
