"""Run functions in operating system processes of their own: released at one instant, killed at a chosen one.

    endings = race("tests.torture.workers:execute", [{"url": url, "request_id": id}] * 2)

A function is named `module:function`, is called with keyword arguments and returns a value; both are JSON.
Where it calls `reach("name")` it stands still until the test lets it go on or kills it.

The test and a process speak in lines of JSON: down standard input, and up the pipe that was standard output.
"""

import importlib
import json
import os
import queue
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TextIO

from pydantic import JsonValue

from tests import PROJECT

GO = "go\n"
Message = dict[str, JsonValue]


@dataclass(frozen=True)
class Ending:
    """How a process ended: it returned a value, or raised an error, or was killed (then neither is there)."""

    returned: JsonValue = None
    error: str | None = None
    traceback: str = ""
    exit_code: int = 0


class Process:
    """One process, waiting to be started."""

    def __init__(self, target: str, arguments: Mapping[str, JsonValue]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.processes"],
            env=os.environ | {"PYTHONPATH": str(PROJECT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._messages: queue.Queue[Message] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._tell(json.dumps([target, dict(arguments)]) + "\n")

    def start(self) -> None:
        """Let a process that is ready call its function, or one that stands at a point go on."""
        self._tell(GO)

    def wait_until(self, point: str, seconds: float = 60) -> None:
        """Return when the function stands at `point`; refuses if it came elsewhere or ended."""
        message = self._messages.get(timeout=seconds)
        if message.get("reached") != point:
            raise AssertionError(f"expected the process to reach {point!r}, but: {message}")

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End the process at once, as SIGKILL does."""
        self._process.kill()

    def ending(self, seconds: float = 60) -> Ending:
        """Return how the process ended; refuses if it stands at a point or is not done in time."""
        message = self._messages.get(timeout=seconds)
        if "reached" in message:
            raise AssertionError(f"the process stands at {message['reached']!r}")
        code = self._process.wait(timeout=seconds)
        error = message.get("error")
        return Ending(
            returned=message.get("returned"),
            error=None if error is None else str(error),
            traceback=str(message.get("traceback", "")),
            exit_code=code,
        )

    def close(self) -> None:
        """Make sure that nothing of it is left."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                assert pipe is not None
                pipe.close()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # its ending says why
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            # A process that is killed while it writes leaves half a line.
            with suppress(json.JSONDecodeError):
                self._messages.put(json.loads(line))
        self._messages.put({})


@contextmanager
def processes(target: str, arguments: Iterable[Mapping[str, JsonValue]]) -> Iterator[list[Process]]:
    """Return a process for each set of arguments, all ready to start; none outlives the context."""
    made: list[Process] = []
    try:
        made.extend(Process(target, one) for one in arguments)
        for process in made:
            process.wait_until("ready")
        yield made
    finally:
        for process in made:
            process.close()


def race(target: str, arguments: Iterable[Mapping[str, JsonValue]], seconds: float = 60) -> list[Ending]:
    """Start a process for each set of arguments at one instant; return how they ended, in order."""
    with processes(target, arguments) as racers:
        for racer in racers:
            racer.start()
        return [racer.ending(seconds) for racer in racers]


_channel: TextIO | None = None


def reach(point: str) -> None:
    """Stand still until the test says go; does nothing in a function that is called in the usual way."""
    if _channel is None:
        return
    _say({"reached": point})
    if sys.stdin.readline() != GO:
        os._exit(1)  # the test is gone


def _say(message: Message) -> None:
    assert _channel is not None
    _channel.write(json.dumps(message) + "\n")
    _channel.flush()


def work() -> None:
    """Be the process: take a function and its arguments, wait for the start, call it, tell the outcome."""
    global _channel  # noqa: PLW0603 — a process has one channel
    _channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the function prints is for people
    target, arguments = json.loads(sys.stdin.readline())
    try:
        module, _, name = target.partition(":")
        function = getattr(importlib.import_module(module), name)
        reach("ready")
        _say({"returned": function(**arguments)})
    except Exception as error:
        _say({"error": type(error).__name__, "traceback": traceback.format_exc()})


if __name__ == "__main__":
    # Not the copy of this module that is called __main__: functions import the other one.
    from tests.processes import work as work_as_imported

    work_as_imported()
