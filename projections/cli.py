"""`gov projections`: run, watch, rebuild and repair the views of a store."""

import signal
from dataclasses import asdict
from threading import Event as Flag
from typing import Annotated

import typer

from projections.commands import Told, Where, command

app = typer.Typer(
    help="The views of the store: run them, watch them, rebuild them beside the live ones.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
)

Name = Annotated[str, typer.Argument(metavar="VIEW", help="The view.")]
OneOrAll = Annotated[str | None, typer.Argument(metavar="[VIEW]", help="Only this view.")]
Position = Annotated[int, typer.Argument(metavar="POSITION", help="The position of the parked event.")]
Once = Annotated[bool, typer.Option("--once", help="Catch up with the log and end.", show_default=False)]
Switch = Annotated[bool, typer.Option(help="Make the new rows the live ones at the end.")]
Jobs = Annotated[int, typer.Option("--jobs", metavar="N", min=1, help="PostgreSQL: share the views among N processes.")]
Diff = Annotated[bool, typer.Option(help="Show how the new rows differ from the live ones.")]


@command(app, "list")
def list_views(where: Where) -> Told:
    """List the views, what they are for, and their tables with columns."""
    from projections.loading import all_views

    data = [
        {
            "view": view.name,
            "version": view.version,
            "about": (view.__doc__ or "").strip().partition("\n")[0],
            "tables": {table.name: list(table.column_names()) for table in view.tables},
        }
        for view in all_views(where.own)
    ]
    return Told(data, [f"{each['view']:<12} {each['about']}" for each in data])


@command(app, "status")
def status(where: Where) -> Told:
    """Show where every view stands, how far it is behind, who works on it, and what is wrong. Exit code 1 if any is."""
    from projections.reports import status_lines

    with where.projections() as projections:
        found = projections.status()
    wrong = any(each.health in {"stuck", "outdated"} for each in found)
    return Told([each.model_dump(mode="json") for each in found], status_lines(found), int(wrong))


@command(app, "run")
def run(where: Where, name: OneOrAll = None, once: Once = False) -> Told:
    """Follow the log and keep the views up to date, until Ctrl-C or SIGTERM."""
    with where.projections() as projections:
        if once:
            position = projections.catch_up(name)
            return Told({"position": position}, [f"at position {position}"])
        stop = Flag()
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, lambda *_: stop.set())
        projections.run(stop, name=name)
    return Told({"stopped": True}, [])


@command(app, "rebuild")
def rebuild(
    where: Where,
    names: Annotated[list[str] | None, typer.Argument(metavar="[VIEW]...", help="Which views; all if none.")] = None,
    switch: Switch = True,
    diff: Diff = True,
    jobs: Jobs = 1,
) -> Told:
    """Build views anew beside the live ones, show the difference, and switch. Can be stopped and taken up again."""
    from projections.reports import difference_lines, progress

    with where.projections() as projections:
        with progress() as report:
            built = projections.rebuild(*(names or ()), switch=False, report=report, jobs=jobs)
        live = {each.view for each in projections.status() if each.health != "not built"}
        differences = [projections.diff(each.view) for each in built if diff and each.view in live]
        for each in built if switch else ():
            projections.switch(each.view)
    lines = [line for each in differences for line in difference_lines(each)]
    done = "live now" if switch else "beside the live one; gov projections switch makes it live"
    lines += [f"{each.view}: generation {each.generation} at position {each.position}, {done}" for each in built]
    data = {
        "built": [{**asdict(each), "switched": switch} for each in built],
        "differences": [asdict(each) for each in differences],
    }
    return Told(data, lines)


@command(app, "switch")
def switch_view(where: Where, name: Name) -> Told:
    """Make the rows that were built beside the live ones the live ones."""
    with where.projections() as projections:
        return _live(name, projections.switch(name).generation)


@command(app, "rollback")
def rollback(where: Where, name: Name) -> Told:
    """Make the rows that were live before the last switch the live ones again."""
    with where.projections() as projections:
        return _live(name, projections.rollback(name).generation)


@command(app, "drop")
def drop(where: Where, name: Name) -> Told:
    """Remove all generations of a view that are not live."""
    with where.projections() as projections:
        removed = projections.drop(name)
    return Told({"view": name, "removed": removed}, [f"{name}: {removed} generations removed"])


@command(app, "diff")
def diff_view(where: Where, name: Name) -> Told:
    """Show how the generation beside the live one differs from it."""
    from projections.reports import difference_lines

    with where.projections() as projections:
        found = projections.diff(name)
    return Told(asdict(found), difference_lines(found))


@command(app, "pause")
def pause(where: Where, name: Name) -> Told:
    """Hold a view where it is."""
    with where.projections() as projections:
        projections.pause(name)
    return Told({"view": name, "paused": True}, [f"{name}: paused"])


@command(app, "resume")
def resume(where: Where, name: Name) -> Told:
    """Let a paused view go on."""
    with where.projections() as projections:
        projections.resume(name)
    return Told({"view": name, "paused": False}, [f"{name}: goes on when the projections run"])


@command(app, "parked")
def parked(where: Where, name: OneOrAll = None) -> Told:
    """List the events that views could not take in, with the errors."""
    with where.projections() as projections:
        found = projections.parked(name)
    lines = [
        f"{each.view} {each.position}{' (skipped)' if each.skipped else ''} {each.topic} of {each.stream}: {each.error}"
        for each in found
    ]
    return Told([asdict(each) for each in found], lines or ["nothing is parked"])


@command(app, "retry")
def retry(where: Where, name: Name, position: Position) -> Told:
    """Take a parked event into its view after all."""
    with where.projections() as projections:
        projections.retry(name, position)
    return Told({"view": name, "position": position, "taken_in": True}, [f"{name}: event {position} taken in"])


@command(app, "skip")
def skip(where: Where, name: Name, position: Position) -> Told:
    """Leave a parked event out of its view for good."""
    with where.projections() as projections:
        projections.skip(name, position)
    return Told({"view": name, "position": position, "taken_in": False}, [f"{name}: event {position} is left out"])


def _live(name: str, generation: int) -> Told:
    return Told({"view": name, "generation": generation}, [f"{name}: generation {generation} is live"])
