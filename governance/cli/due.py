"""`gov due`: one pass over everything that time, or what others did, has made possible."""

from typing import TYPE_CHECKING, Annotated

import typer

from governance.cli.commands import command
from governance.cli.groups import RUN, app
from governance.cli.session import Answer, Session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from governance.engines.engine import DueReport

Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many items to look at, at most.")]


@command(app, "due", RUN)
def due(session: Session, limit: Limit = 1000) -> Answer:
    """Do once what a worker does all the time: expiries, schedules, dependencies, executions, effects."""
    with session.governed() as governance:
        report = governance.run_due(limit=limit)
    return Answer(report.model_dump(mode="json"), lambda: _view(report))


def _view(report: "DueReport") -> "RenderableType":
    from rich.text import Text

    from governance.cli.render import grid
    from governance.cli.text import short, visible

    if not report.performed:
        return Text("Nothing is due.")
    rows = [
        (
            Text(each.item.engine),
            Text(short(each.item.request_id or each.item.key)),
            Text(each.what, style="red" if each.result == "failed" else ""),
            Text(visible(each.error or "")),
        )
        for each in report.performed
    ]
    return grid(rows, titles=("what", "request", "came of it", "why not"))
