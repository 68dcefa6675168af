"""Turning functions into commands that look at views: each is told where the store is, and answers in one place."""

import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from projections.queries import Views
    from projections.runner import Projections

DEFAULT_URL = "sqlite:///governance.db"
DEFAULT_SCHEMA = "governance"

Url = Annotated[
    str,
    typer.Option(
        "--url",
        envvar="GOVERNANCE_URL",
        help="The store: sqlite:///FILE, sqlite:////ABSOLUTE/FILE or postgresql://…",
        rich_help_panel="Where",
    ),
]
Schema = Annotated[
    str,
    typer.Option(
        "--schema",
        envvar="GOVERNANCE_DATABASE_SCHEMA",
        metavar="NAME",
        help="PostgreSQL: the schema of the events.",
        rich_help_panel="Where",
    ),
]
Own = Annotated[
    str | None,
    typer.Option(
        "--views",
        envvar="GOVERNANCE_VIEWS",
        metavar="MODULE:LIST",
        help="Views of your own, besides those of the product.",
        rich_help_panel="Where",
    ),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document instead of text; errors too, on stderr.", show_default=False),
]


@dataclass(frozen=True)
class Told:
    """What a command found out or did: for programs, for people, and as exit code."""

    data: Any
    lines: Sequence[str]
    code: int = 0


@dataclass(frozen=True)
class Where:
    """Which store, and which views besides those of the product."""

    url: str
    schema: str
    own: str | None

    @contextmanager
    def projections(self) -> "Iterator[Projections]":
        """Give what runs the views."""
        from governance.event_store.settings import RecorderSettings
        from projections.loading import all_views
        from projections.runner import Projections

        settings = RecorderSettings(create_schema=False, database_schema=self.schema)
        with Projections.open(self.url, views=all_views(self.own), settings=settings) as projections:
            yield projections

    @contextmanager
    def views(self) -> "Iterator[Views]":
        """Give what reads the views."""
        from projections.loading import all_views
        from projections.queries import Views

        with Views.open(self.url, views=all_views(self.own), database_schema=self.schema) as views:
            yield views


Function = TypeVar("Function", bound=Callable[..., Told])


def command(group: typer.Typer, name: str) -> Callable[[Function], Function]:
    """Make a function a command of the group, with --url, --schema, --views and --json besides its own arguments."""

    def decorate(function: Function) -> Function:
        def run(*, url: str, schema: str, views: str | None, as_json: bool, **given: Any) -> None:
            told = function(Where(url, schema, views), **given)
            show(told, as_json=as_json)
            if told.code:
                raise typer.Exit(told.code)

        own = list(inspect.signature(function).parameters.values())[1:]
        every = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*own, *_shared())]
        run.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in every}
        group.command(name, help=inspect.getdoc(function))(run)
        return function

    return decorate


def show(told: Told, *, as_json: bool) -> None:
    """Print what a command has to tell as the caller wants to have it."""
    if as_json:
        typer.echo(json.dumps(told.data, default=str, ensure_ascii=False, indent=2))
    elif told.lines:
        typer.echo("\n".join(told.lines))


def _shared() -> list[inspect.Parameter]:
    def template(
        *, url: Url = DEFAULT_URL, schema: Schema = DEFAULT_SCHEMA, views: Own = None, as_json: AsJson = False
    ) -> None: ...

    return list(inspect.signature(template).parameters.values())
