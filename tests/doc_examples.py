"""Run the examples of a Markdown file, in order, in a directory of their own.

    ```python            is executed; the blocks of one file share their names
    ```text output       is what the python block before it must have printed
    ```python file=a.py  is saved under that name (any language), for the blocks that follow
    ```console           (or sh) with a line `$ gov …`: sh runs the lines that begin with `$ `, variables
                         last to the end of the file; the lines below are what it must print
    ```python no-run     is left alone

Output may leave things out with `...`, as in doctest. A command whose output is not shown must succeed.
"""

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import PROJECT

FENCE = re.compile(r"^(?P<indent> *)(?P<marks>`{3,}|~{3,})(?P<info>[^`]*)$")
FILE = re.compile(r"\bfile=(\S+)")
CALLS_GOV = re.compile(r"^\$ (.*[ (;|])?gov\b", re.MULTILINE)
COMMAND = re.compile(r"^\$ (?P<command>(?:.*\\\n)*.*)\n?(?P<shown>(?:(?!\$ ).*(?:\n|\Z))*)", re.MULTILINE)
MODULE = "example"
# Not `python -m`, which would put the working directory on the path, as the installed command does not.
GOV = 'import sys; from governance.cli import main; sys.argv[0] = "gov"; sys.exit(main())'
KEEP_VARIABLES = """set -a; . "$EXAMPLE_VARIABLES"; trap 'export -p > "$EXAMPLE_VARIABLES"' EXIT"""
LIKE_DOCTEST = doctest.ELLIPSIS | doctest.DONT_ACCEPT_BLANKLINE


@dataclass(frozen=True)
class Block:
    """A fenced block: where its text begins, the words behind the fence, and the text."""

    path: Path
    line: int
    words: tuple[str, ...]
    text: str

    @property
    def place(self) -> str:
        return f"{self.path.name}:{self.line}"

    @property
    def kind(self) -> str:
        """How the block is treated: python, shell, output, file, no-run or other."""
        match self.words:
            case (_, *marks) if "no-run" in marks:
                return "no-run"
            case (_, *marks) if FILE.search(" ".join(marks)):
                return "file"
            case ("text", "output"):
                return "output"
            case ("sh" | "console",) if CALLS_GOV.search(self.text):
                return "shell"
            case ("python", *_):
                return "python"
        return "other"


def blocks(path: Path) -> Iterator[Block]:
    """Return the fenced blocks of a Markdown file."""
    lines = iter(enumerate(path.read_text(encoding="utf-8").splitlines(), start=1))
    for number, line in lines:
        fence = FENCE.match(line)
        if fence is None:
            continue
        text = ""
        for _, inner in lines:
            if inner.strip().startswith(fence["marks"]) and not inner.strip(" `~"):
                break
            text += inner.removeprefix(fence["indent"]) + "\n"
        yield Block(path, number + 1, tuple(fence["info"].split()), text)


class Examples:
    """The examples of one file, run in `directory`, which must be the working directory."""

    def __init__(self, directory: Path) -> None:
        self._module = types.ModuleType(MODULE)
        self._printed = ""
        self._directory = directory
        self._programs = directory / ".examples"
        self._programs.mkdir()
        gov = self._programs / "gov"
        gov.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -c {shlex.quote(GOV)} "$@"\n')
        gov.chmod(0o755)
        (self._programs / "variables").touch()

    def run(self, block: Block) -> None:
        """Run a block; raises AssertionError if it does not do what is shown."""
        match block.kind:
            case "python":
                self._execute(block)
            case "output":
                _compare(block, "the block before", block.text, self._printed)
            case "file":
                name, *_ = FILE.findall(" ".join(block.words))
                (self._directory / name).write_text(block.text, encoding="utf-8")
            case "shell":
                for found in COMMAND.finditer(block.text):
                    self._command(block, found["command"], found["shown"])

    def _execute(self, block: Block) -> None:
        code = compile("\n" * (block.line - 1) + block.text, str(block.path), "exec")
        # Classes look up their annotations in the module that they were defined in.
        sys.modules[MODULE] = self._module
        try:
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(code, self._module.__dict__)  # noqa: S102 — our own documentation
        finally:
            del sys.modules[MODULE]
        self._printed = printed.getvalue()

    def _command(self, block: Block, command: str, shown: str) -> None:
        done = subprocess.run(
            ["/bin/sh", "-c", f"{KEEP_VARIABLES}\n{command}\n"],
            cwd=self._directory,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if shown.strip():
            _compare(block, command, shown, done.stdout)
        elif done.returncode:
            raise AssertionError(f"{block.place}: {command}\nexit code {done.returncode}\n{done.stdout}")

    def _environment(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("GOVERNANCE_")}
        path = f"{self._programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        looks = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "PYTHONUTF8": "1", "PATH": path}
        variables = str(self._programs / "variables")
        return ours | looks | {"PYTHONPATH": str(PROJECT), "EXAMPLE_VARIABLES": variables}


def _compare(block: Block, source: str, shown: str, printed: str) -> None:
    wanted, got = ("".join(f"{line.rstrip()}\n" for line in text.strip().splitlines()) for text in (shown, printed))
    if not doctest.OutputChecker().check_output(wanted, got, LIKE_DOCTEST):
        raise AssertionError(f"{block.place}: {source}\n--- shown\n{wanted}--- printed\n{got}")
