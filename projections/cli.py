"""`gov projections`: run, watch, rebuild and repair the views of a store."""

import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from threading import Event as Flag
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from projections.runner import Projections

app = typer.Typer(
    help="The views of the store: run them, watch them, rebuild them beside the live ones.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
)

Url = Annotated[str, typer.Option("--url", envvar="GOVERNANCE_URL", metavar="URL", help="The store.")]
Schema = Annotated[
    str, typer.Option("--schema", envvar="GOVERNANCE_DATABASE_SCHEMA", help="PostgreSQL: the schema of the events.")
]
Own = Annotated[
    str | None,
    typer.Option("--views", envvar="GOVERNANCE_VIEWS", metavar="MODULE:LIST", help="Views of your own, run as well."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(metavar="VIEW", help="The view.")]
Position = Annotated[int, typer.Argument(metavar="POSITION", help="The position of the parked event.")]
DEFAULT_URL = "sqlite:///governance.db"
DEFAULT_SCHEMA = "governance"


@contextmanager
def _opened(url: str, own: str | None, schema: str) -> "Iterator[Projections]":
    from governance.event_store.settings import RecorderSettings
    from projections.loading import all_views
    from projections.runner import Projections

    settings = RecorderSettings(create_schema=False, database_schema=schema)
    with Projections.open(url, views=all_views(own), settings=settings) as projections:
        yield projections


def _print(data: Any, lines: Sequence[str], as_json: bool) -> None:
    text = json.dumps(data, default=str, ensure_ascii=False, indent=2) if as_json else "\n".join(lines)
    typer.echo(text)


@app.command("list")
def list_views(own: Own = None, as_json: AsJson = False) -> None:
    """List the views, what they are for, and their tables with columns."""
    from projections.loading import all_views

    views = all_views(own)
    data = [
        {
            "view": view.name,
            "version": view.version,
            "about": (view.__doc__ or "").strip().splitlines()[0],
            "tables": {table.name: list(table.column_names()) for table in view.tables},
        }
        for view in views
    ]
    _print(data, [f"{each['view']:<12} {each['about']}" for each in data], as_json)


@app.command("status")
def status(url: Url = DEFAULT_URL, own: Own = None, schema: Schema = DEFAULT_SCHEMA, as_json: AsJson = False) -> None:
    """Show where every view stands, how far it is behind, who works on it, and what is wrong. Exit code 1 if any is."""
    from projections.reports import status_lines

    with _opened(url, own, schema) as projections:
        found = projections.status()
    _print([each.model_dump(mode="json") for each in found], status_lines(found), as_json)
    if any(each.health in {"stuck", "outdated"} for each in found):
        raise typer.Exit(1)


@app.command("run")
def run(
    name: Annotated[str | None, typer.Argument(metavar="[VIEW]", help="Only this view.")] = None,
    url: Url = DEFAULT_URL,
    own: Own = None,
    schema: Schema = DEFAULT_SCHEMA,
    once: Annotated[bool, typer.Option("--once", help="Catch up with the log and end.")] = False,
) -> None:
    """Follow the log and keep the views up to date, until Ctrl-C or SIGTERM."""
    with _opened(url, own, schema) as projections:
        if once:
            typer.echo(f"at position {projections.catch_up(name)}")
            return
        stop = Flag()
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, lambda *_: stop.set())
        projections.run(stop, name=name)


@app.command("rebuild")
def rebuild(
    names: Annotated[list[str] | None, typer.Argument(metavar="[VIEW]...", help="Which views; all if none.")] = None,
    url: Url = DEFAULT_URL,
    own: Own = None,
    schema: Schema = DEFAULT_SCHEMA,
    switch: Annotated[bool, typer.Option(help="Make the new rows the live ones at the end.")] = True,
    diff: Annotated[bool, typer.Option(help="Show how the new rows differ from the live ones.")] = True,
    as_json: AsJson = False,
) -> None:
    """Build views anew beside the live ones, show the difference, and switch. Can be stopped and taken up again."""
    from projections.reports import difference_lines, progress

    with _opened(url, own, schema) as projections:
        with progress() as report:
            built = projections.rebuild(*(names or ()), switch=False, report=report)
        live = {each.view for each in projections.status() if each.health != "not built"}
        differences = [projections.diff(each.view) for each in built if diff and each.view in live]
        for each in built if switch else ():
            projections.switch(each.view)
    lines = [line for each in differences for line in difference_lines(each)]
    done = "live now" if switch else "beside the live one; gov projections switch makes it live"
    lines += [f"{each.view}: generation {each.generation} at position {each.position}, {done}" for each in built]
    data = {"built": [asdict(each) for each in built], "differences": [asdict(each) for each in differences]}
    _print(data, lines, as_json)


@app.command("switch")
def switch_view(name: Name, url: Url = DEFAULT_URL, own: Own = None, schema: Schema = DEFAULT_SCHEMA) -> None:
    """Make the rows that were built beside the live ones the live ones."""
    with _opened(url, own, schema) as projections:
        typer.echo(f"{name}: generation {projections.switch(name).generation} is live")


@app.command("rollback")
def rollback(name: Name, url: Url = DEFAULT_URL, own: Own = None, schema: Schema = DEFAULT_SCHEMA) -> None:
    """Make the rows that were live before the last switch the live ones again."""
    with _opened(url, own, schema) as projections:
        typer.echo(f"{name}: generation {projections.rollback(name).generation} is live")


@app.command("drop")
def drop(name: Name, url: Url = DEFAULT_URL, own: Own = None, schema: Schema = DEFAULT_SCHEMA) -> None:
    """Remove all generations of a view that are not live."""
    with _opened(url, own, schema) as projections:
        typer.echo(f"{name}: {projections.drop(name)} generations removed")


@app.command("diff")
def diff_view(
    name: Name, url: Url = DEFAULT_URL, own: Own = None, schema: Schema = DEFAULT_SCHEMA, as_json: AsJson = False
) -> None:
    """Show how the generation beside the live one differs from it."""
    from projections.reports import difference_lines

    with _opened(url, own, schema) as projections:
        found = projections.diff(name)
    _print(asdict(found), difference_lines(found), as_json)


@app.command("pause")
def pause(name: Name, url: Url = DEFAULT_URL, own: Own = None, schema: Schema = DEFAULT_SCHEMA) -> None:
    """Hold a view where it is."""
    with _opened(url, own, schema) as projections:
        projections.pause(name)
    typer.echo(f"{name}: paused")


@app.command("resume")
def resume(name: Name, url: Url = DEFAULT_URL, own: Own = None, schema: Schema = DEFAULT_SCHEMA) -> None:
    """Let a paused view go on."""
    with _opened(url, own, schema) as projections:
        projections.resume(name)
    typer.echo(f"{name}: goes on when the projections run")


@app.command("parked")
def parked(
    name: Annotated[str | None, typer.Argument(metavar="[VIEW]", help="Only this view.")] = None,
    url: Url = DEFAULT_URL,
    own: Own = None,
    schema: Schema = DEFAULT_SCHEMA,
    as_json: AsJson = False,
) -> None:
    """List the events that views could not take in, with the errors."""
    with _opened(url, own, schema) as projections:
        found = projections.parked(name)
    lines = [
        f"{each.view} {each.position}{' (skipped)' if each.skipped else ''} {each.topic} of {each.stream}: {each.error}"
        for each in found
    ]
    _print([asdict(each) for each in found], lines or ["nothing is parked"], as_json)


@app.command("retry")
def retry(
    name: Name, position: Position, url: Url = DEFAULT_URL, own: Own = None, schema: Schema = DEFAULT_SCHEMA
) -> None:
    """Take a parked event into its view after all."""
    with _opened(url, own, schema) as projections:
        projections.retry(name, position)
    typer.echo(f"{name}: event {position} taken in")


@app.command("skip")
def skip(
    name: Name, position: Position, url: Url = DEFAULT_URL, own: Own = None, schema: Schema = DEFAULT_SCHEMA
) -> None:
    """Leave a parked event out of its view for good."""
    with _opened(url, own, schema) as projections:
        projections.skip(name, position)
    typer.echo(f"{name}: event {position} is left out")
