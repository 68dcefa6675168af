"""Calls of `gov` in this process or in one of its own, and what they end with."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from governance.cli import main
from tests import PROJECT

DEMO_APP = "governance.cli.demo_case:app"


@dataclass(frozen=True)
class Ended:
    """How a call ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What was printed, which must be one JSON document."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The error that was told as JSON."""
        return json.loads(self.err)["error"]


class Terminal(io.TextIOWrapper):
    """A stream that says that it is a terminal, or that it is none."""

    def __init__(self, *, tty: bool = False, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty

    def text(self) -> str:
        self.flush()
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode(self.encoding)


@dataclass(frozen=True)
class Gov:
    """`gov` with a store and an application."""

    url: str
    app: str | None = DEMO_APP

    def __call__(self, *given: str, stdin: bytes = b"", tty: bool = False) -> Ended:
        """Call it in this process."""
        where = ["--url", self.url, *(["--app", self.app] if self.app else [])]
        return gov(*given, *where, stdin=stdin, tty=tty)

    def id(self, *given: str) -> str:
        """Call it, and return the id of the request that it tells of."""
        ended = self(*given, "--json")
        assert ended.code == 0, ended
        return str(ended.json["request"]["id"])

    def grant(self, user: str = "ada", *more: str, state: str = "tenant-42:roles") -> str:
        """Ask for an administrator more and return the request's id."""
        data = json.dumps({"user": user})
        return self.id(
            "submit", "grant_admin", "--state", state, "--data", data, "--reason", "r", "--as", "grace", *more
        )

    def approved(self, user: str = "ada", *more: str, state: str = "tenant-42:roles") -> str:
        """Return the id of a request for an administrator more that two leads have approved."""
        request = self.grant(user, *more, state=state)
        for lead in ("alan", "edsger"):
            assert self("approve", request, "--as", f"{lead}:security-lead").code == 0
        return request

    def executed(self, user: str = "ada", *more: str, state: str = "tenant-42:roles") -> str:
        """Return the id of such a request that has run."""
        request = self.approved(user, *more, state=state)
        assert self("execute", request, "--as", "worker").code == 0
        return request


def gov(*given: str, stdin: bytes = b"", tty: bool = False) -> Ended:
    """Call `gov` in this process; no traceback may come of it."""
    out, err, before = Terminal(tty=tty), Terminal(tty=tty), sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = main(given)
    finally:
        sys.stdin = before
    ended = Ended(code, out.text(), err.text())
    assert "Traceback" not in ended.err, ended.err
    return ended


@dataclass(frozen=True)
class Shell:
    """`gov` as a process of its own."""

    directory: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return the variables that the process has."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("GOVERNANCE_")}
        return {**ours, "PYTHONPATH": str(PROJECT), "COLUMNS": "100", **self.variables}

    def __call__(self, *given: str, stdin: bytes = b"") -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "governance", *given],
            cwd=self.directory,
            env=self.environment(),
            input=stdin,
            capture_output=True,
            check=False,
            timeout=60,
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())
