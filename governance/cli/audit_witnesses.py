"""Giving checkpoints away: to files, to commands that take them on standard input, and to URLs by POST."""

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from governance.audit.keys import replace_file
from governance.audit.notes import Checkpoint, Note
from governance.domain.errors import GovernanceError

WITNESS_SECONDS: Final = 60
WEBHOOK_SECONDS: Final = 10.0
_URLS: Final = ("https://", "http://")


@dataclass(frozen=True)
class Witnesses:
    """Who gets every checkpoint: files or directories, and commands or URLs."""

    paths: Sequence[str] = ()
    others: Sequence[str] = ()
    allow_http: bool = False
    allow_private: bool = False

    def give(self, signed: str) -> list[dict[str, Any]]:
        """Return to whom the checkpoint was given, and what went wrong with whom; one that fails stops no other."""
        size = Checkpoint.parse(Note.parse(signed).text).size
        written = [_written(signed, path, size) for path in self.paths]
        return [*written, *(self._told(signed, other) for other in self.others)]

    def _told(self, signed: str, other: str) -> dict[str, Any]:
        problem = self._posted(signed, other) if other.lower().startswith(_URLS) else _run(signed, other)
        return {"to": other, "problem": problem}

    def _posted(self, signed: str, url: str) -> str | None:
        from governance.effects.webhooks import WebhookError, post

        headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "mutation-governance"}
        try:
            post(
                url,
                signed,
                headers,
                timeout_seconds=WEBHOOK_SECONDS,
                allow_http=self.allow_http,
                allow_private=self.allow_private,
            )
        except GovernanceError as error:
            return error.message
        except (WebhookError, OSError) as error:
            return str(error) or type(error).__name__
        return None


def _written(signed: str, path: str, size: int) -> dict[str, Any]:
    file = Path(path)
    file = file / f"{size:020d}.checkpoint" if file.is_dir() else file
    try:
        replace_file(file, signed)
    except OSError as error:
        return {"to": str(file), "problem": error.strerror or str(error)}
    return {"to": str(file), "problem": None}


def _run(signed: str, command: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, without a shell
            shlex.split(command), input=signed.encode(), capture_output=True, check=False, timeout=WITNESS_SECONDS
        )
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        return str(error) or type(error).__name__
    if done.returncode:
        return f"exit code {done.returncode}: {done.stderr.decode('utf-8', 'replace').strip()[-200:]}"
    return None
