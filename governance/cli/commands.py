"""Turning functions into commands: each gets a session and returns an answer, printed in one place."""

import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from governance.cli import options
from governance.cli.session import Answer, Session

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Function = TypeVar("Function", bound=Callable[..., Answer])
PIPED_WIDTH = 120


def command(group: typer.Typer, name: str, panel: str | None = None) -> Callable[[Function], Function]:
    """Make a function a command of the group, with --app, --url and --json besides its own arguments."""

    def decorate(function: Function) -> Function:
        def run(*, app: str | None, url: str, as_json: bool, **given: Any) -> int:
            answer = function(Session(url=url, app=app, as_json=as_json), **given)
            show(answer, as_json=as_json)
            return int(answer.code)

        own = list(inspect.signature(function).parameters.values())[1:]
        every = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*own, *_shared())]
        run.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in every}
        group.command(name, help=inspect.getdoc(function), rich_help_panel=panel)(run)
        return function

    return decorate


def show(answer: Answer, *, as_json: bool) -> None:
    """Print an answer as the caller wants to have it."""
    if as_json:
        print_json(answer.data)
    else:
        print_view(answer.view())


def print_json(data: Any) -> None:
    """Print one JSON document on standard output."""
    from governance.cli.text import document

    sys.stdout.write(document(data) + "\n")
    sys.stdout.flush()


def print_view(view: "RenderableType", *, stderr: bool = False) -> None:
    """Print something for people, without trailing blanks."""
    target = console(stderr=stderr)
    unwrapped = stderr and not target.is_terminal
    with target.capture() as captured:
        target.print(view, crop=False, soft_wrap=unwrapped)
    lines = (line.rstrip() for line in captured.get().strip("\n").split("\n"))
    target.file.write("\n".join(lines) + "\n")
    target.file.flush()


def console(*, stderr: bool = False) -> "Console":
    """Return a console that takes every text as it is: no markup, no emoji codes, no highlighting."""
    import os

    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else PIPED_WIDTH
    return Console(file=stream, markup=False, highlight=False, emoji=False, width=width, soft_wrap=False)


def _shared() -> list[inspect.Parameter]:
    def template(
        *, app: options.App = None, url: options.Url = options.DEFAULT_URL, as_json: options.Json = False
    ) -> None: ...

    return list(inspect.signature(template).parameters.values())
