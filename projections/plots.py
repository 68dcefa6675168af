"""`gov plot`: pictures of what goes on, as SVG or PNG; needs the extra `plot`."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from projections.commands import Told, Where, command

app = typer.Typer(
    help="Pictures of what goes on, as SVG or PNG.", no_args_is_help=True, rich_markup_mode="rich", add_completion=False
)

Target = Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it: a name that ends with .svg or .png.")]
By = Annotated[Literal["hour", "day"], typer.Option("--by", metavar="hour|day", help="Per hour or per day (UTC).")]
SHOWN = ("submitted", "approved", "executed", "rejected")


@command(app, "activity")
def plot_activity(where: Where, target: Target, by: By = "day") -> Told:
    """Draw how many requests were submitted, approved, executed and rejected."""
    figure = _figure(target)
    with where.views() as views:
        found = views.activity(by)

    def draw(axes: Any) -> None:
        for milestone in SHOWN:
            points = [(each.start, each.requests) for each in found if each.milestone == milestone]
            axes.plot([start for start, _ in points], [count for _, count in points], marker=".", label=milestone)
        axes.set_ylabel(f"requests per {by}")

    return _written(figure, target, draw)


@command(app, "lead-times")
def plot_lead_times(where: Where, target: Target, by: By = "day") -> Told:
    """Draw how long requests took from submission to execution: half, 90 % and 99 % of them were faster."""
    figure = _figure(target)
    with where.views() as views:
        found = [each for each in views.lead_times(by) if isinstance(each.group, datetime)]

    def draw(axes: Any) -> None:
        for share in ("p50", "p90", "p99"):
            axes.plot([each.group for each in found], [getattr(each, share) for each in found], marker=".", label=share)
        axes.set_yscale("log")
        axes.set_ylabel("seconds from submission to execution")

    return _written(figure, target, draw)


def _figure(target: Path) -> Any:
    """Return an empty figure; InputError for a name that says no format, ConfigurationError without the library."""
    from governance.domain.errors import ConfigurationError, InputError

    if target.suffix not in {".svg", ".png"}:
        msg = f"FILE: {target.name!r} has to end with .svg or .png"
        raise InputError(msg, field="FILE")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        msg = "plots need matplotlib: pip install 'mutation-governance[plot]'"
        raise ConfigurationError(msg) from None
    return Figure(figsize=(10, 5), layout="constrained")


def _written(figure: Any, target: Path, draw: Callable[[Any], None]) -> Told:
    axes = figure.add_subplot()
    draw(axes)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.autofmt_xdate()
    figure.savefig(target)
    return Told({"written": str(target)}, [f"wrote {target}"])
