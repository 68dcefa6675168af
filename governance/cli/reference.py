"""The reference of `gov` as a Markdown page, made from the commands: `python -m governance.cli.reference`."""

import sys
from collections.abc import Iterator
from typing import Any

import typer

from governance.cli.app import app
from governance.cli.groups import EPILOG
from governance.cli.options import ACTOR_HELP

_HEAD = f"""\
# `gov`

This page is made from the program's own help; `python -m governance.cli.reference` prints it.

`--url` and `--json` work with every command, `--app` with all but those of `gov projections` and `gov plot`, which need
no application; these take `--schema` (PostgreSQL: the schema of the events) and `--views` (a list of views of your own
as `MODULE:LIST`, also `GOVERNANCE_VIEWS`). The store is `sqlite:///governance.db` in the working directory
unless `--url` or `GOVERNANCE_URL` says otherwise. `--json` prints one JSON document on standard output, and errors as
`{{"error": {{"rule", "message", "ids", "exit_code", "next"}}}}` on standard error.

`--as` and `GOVERNANCE_ACTOR`: {ACTOR_HELP}
It is taken as given: who can write to the store can act in any name, so let only those do it who may.

```text
{EPILOG.strip()}
```
"""
_SHARED = {"app", "url", "as_json", "help", "schema", "views"}


def reference() -> str:
    """Return the page."""
    root: Any = typer.main.get_command(app)
    return "\n".join([_HEAD, *_commands(root, "gov")]).rstrip() + "\n"


def _commands(group: Any, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{path} {name}")
        else:
            yield from _command(command, f"{path} {name}")


def _command(command: Any, path: str) -> Iterator[str]:
    parameters = [each for each in command.params if each.name not in _SHARED]
    arguments = "".join(f" {_placeholder(each)}" for each in parameters if each.param_type_name == "argument")
    yield f"## `{path}{arguments}`\n"
    yield f"{command.help.strip()}\n"
    if parameters:
        yield "| | |\n|---|---|"
        yield from (f"| {_name(each)} | {_told(each)} |" for each in parameters)
        yield ""


def _placeholder(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{_placeholder(parameter)}`"
    names = ", ".join((*parameter.opts, *parameter.secondary_opts))
    value = "" if parameter.is_flag else f" {_cell(_placeholder(parameter))}"
    return f"`{names}{value}`"


def _told(parameter: Any) -> str:
    return "Who acts, see above." if parameter.help == ACTOR_HELP else _cell(parameter.help or "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.stdout.write(reference())
