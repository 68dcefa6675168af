"""`gov plot`: pictures of what goes on, as SVG or PNG; needs the extra `plot`."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from governance.domain.errors import ConfigurationError, InputError
from projections.cli import DEFAULT_SCHEMA, DEFAULT_URL, Schema, Url

app = typer.Typer(
    help="Pictures of what goes on, as SVG or PNG.", no_args_is_help=True, rich_markup_mode="rich", add_completion=False
)

Target = Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it: a name that ends with .svg or .png.")]
By = Annotated[Literal["hour", "day"], typer.Option("--by", help="Per hour or per day (UTC).")]
SHOWN = ("submitted", "approved", "executed", "rejected")


@app.command("activity")
def plot_activity(target: Target, by: By = "day", url: Url = DEFAULT_URL, schema: Schema = DEFAULT_SCHEMA) -> None:
    """Draw how many requests were submitted, approved, executed and rejected."""
    from projections.queries import Views

    with Views.open(url, database_schema=schema) as views:
        found = views.activity(by)

    def draw(axes: Any) -> None:
        for milestone in SHOWN:
            points = [(each.start, each.requests) for each in found if each.milestone == milestone]
            axes.plot([start for start, _ in points], [count for _, count in points], marker=".", label=milestone)
        axes.set_ylabel(f"requests per {by}")

    _write(target, draw)


@app.command("lead-times")
def plot_lead_times(target: Target, by: By = "day", url: Url = DEFAULT_URL, schema: Schema = DEFAULT_SCHEMA) -> None:
    """Draw how long requests took from submission to execution: half, 90 % and 99 % of them were faster."""
    from projections.queries import Views

    with Views.open(url, database_schema=schema) as views:
        found = [each for each in views.lead_times(by) if isinstance(each.group, datetime)]

    def draw(axes: Any) -> None:
        for share in ("p50", "p90", "p99"):
            axes.plot([each.group for each in found], [getattr(each, share) for each in found], marker=".", label=share)
        axes.set_yscale("log")
        axes.set_ylabel("seconds from submission to execution")

    _write(target, draw)


def _write(target: Path, draw: Callable[[Any], None]) -> None:
    if target.suffix not in {".svg", ".png"}:
        msg = f"FILE: {target.name!r} has to end with .svg or .png"
        raise InputError(msg, field="FILE")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        msg = "plots need matplotlib: install mutation-governance[plot]"
        raise ConfigurationError(msg) from None
    figure = Figure(figsize=(10, 5), layout="constrained")
    axes: Any = figure.add_subplot()
    draw(axes)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.autofmt_xdate()
    figure.savefig(target)
    typer.echo(f"wrote {target}")
