"""Giving checkpoints away: to files, and to commands that take them on standard input."""

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from governance.audit.keys import replace_file
from governance.audit.notes import Checkpoint, Note

WITNESS_SECONDS: Final = 60


def give(signed: str, paths: Sequence[str], commands: Sequence[str]) -> list[dict[str, Any]]:
    """Return to whom the checkpoint was given, and what went wrong with whom; one that fails stops no other."""
    size = Checkpoint.parse(Note.parse(signed).text).size
    written = [_written(signed, path, size) for path in paths]
    return [*written, *(_told(signed, command) for command in commands)]


def _written(signed: str, path: str, size: int) -> dict[str, Any]:
    file = Path(path)
    file = file / f"{size:020d}.checkpoint" if file.is_dir() else file
    try:
        replace_file(file, signed)
    except OSError as error:
        return {"to": str(file), "problem": error.strerror or str(error)}
    return {"to": str(file), "problem": None}


def _told(signed: str, command: str) -> dict[str, Any]:
    problem: str | None = None
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, without a shell
            shlex.split(command), input=signed.encode(), capture_output=True, check=False, timeout=WITNESS_SECONDS
        )
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()[-200:]
            problem = f"exit code {done.returncode}: {said}"
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        problem = str(error) or type(error).__name__
    return {"to": command, "problem": problem}
