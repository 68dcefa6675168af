"""The help of `gov`: quick, complete, and the same as the reference."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from governance.cli.app import app
from governance.cli.exits import Exit, exit_of
from governance.cli.reference import reference
from governance.domain import errors
from tests import PROJECT
from tests.commands import Shell, gov

WITHOUT_APPLICATION = {"projections", "plot"}
HEAVY = ("pydantic", "eventsourcing", "sqlalchemy", "psycopg", "matplotlib", "governance.application")


def commands(group: Any = None, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    group = group or typer.main.get_command(app)
    found: list[tuple[tuple[str, ...], Any]] = []
    for name, command in group.commands.items():
        here = (*path, name)
        found += commands(command, here) if hasattr(command, "commands") else [(here, command)]
    return found


def test_the_reference_is_what_the_commands_say() -> None:
    written = (PROJECT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")

    assert written == reference(), "run: python -m governance.cli.reference > docs/reference/cli.md"


@pytest.mark.parametrize("command", commands(), ids=lambda each: " ".join(each[0]) if isinstance(each, tuple) else "")
def test_every_command_has_help_and_takes_json_url_and_an_application_if_it_needs_one(
    command: tuple[tuple[str, ...], Any],
) -> None:
    path, described = command
    options = {name for parameter in described.params for name in parameter.opts}

    assert {"--json", "--url"} <= options
    assert ("--app" in options) != (path[0] in WITHOUT_APPLICATION)
    assert all(parameter.help for parameter in described.params if parameter.name != "help")
    shown = gov(*path, "--help")
    assert shown.code == 0
    assert shown.out.strip()


def test_help_does_not_wait_for_what_it_does_not_need(tmp_path: Path) -> None:
    code = f"""
import sys
from governance.cli import main
assert main(["--help"]) == 0
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=Shell(tmp_path).environment(), capture_output=True, text=True, check=True
    )

    assert done.stderr.strip() == "[]"


def test_the_help_explains_the_exit_codes() -> None:
    told = gov("--help").out

    for code in (Exit.DONE, Exit.ERROR, Exit.USAGE, Exit.PENDING, Exit.REFUSED, Exit.CONFLICT):
        assert f" {int(code)}  " in told


def test_without_a_command_there_is_help() -> None:
    ended = gov()

    assert ended.code in {0, 2}
    assert "submit" in ended.out + ended.err


def test_the_version_is_told() -> None:
    assert gov("--version").out.startswith("gov")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.AlreadyExecutedError, 4),
        (errors.SelfApprovalError, 4),
        (errors.InvalidTransitionError, 4),
        (errors.ConcurrencyError, 5),
        (errors.StaleError, 5),
        (errors.IdempotencyConflictError, 5),
        (errors.InputError, 2),
        (errors.ConfigurationError, 2),
        (errors.UnknownMutationError, 2),
        (errors.NotFoundError, 1),
        (errors.StoreUnavailableError, 1),
        (errors.OutcomeUnknownError, 1),
        (errors.DirectoryUnavailableError, 1),
        (errors.DigestMismatchError, 1),
    ],
)
def test_every_refusal_has_its_exit_code(error: type[errors.GovernanceError], code: int) -> None:
    assert exit_of(error("no")) == code
