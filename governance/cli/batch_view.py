"""How batches look to people."""

from rich.console import Group, RenderableType
from rich.text import Text

from governance.batching import Batch
from governance.cli import render
from governance.cli.text import short, visible

SHOWN = 50
_STYLES = {"executed": "bold green", "failed": "bold red"}


def batch_view(batch: Batch, *, quiet: bool = False) -> RenderableType:
    """Return a batch with its requests, what went wrong and was put right, and how it goes on; quiet: its id."""
    if quiet:
        return Text(batch.id)
    how = "all in one transaction" if batch.atomic else "one after the other"
    status = Text(batch.status.upper(), style=_STYLES.get(batch.status, "bold yellow"))
    title = Text.assemble(
        ("Batch ", "bold"), (batch.id, "bold"), "  ", status, f"  {how}\n{visible(batch.state.reason)}"
    )
    parts: list[RenderableType] = [title, render.heading(f"{len(batch.requests):,} requests"), _requests(batch)]
    return Group(*parts, *_failure(batch), *_next(batch))


def _requests(batch: Batch) -> RenderableType:
    rows = [
        (
            Text(str(number)),
            Text(short(each.id)),
            Text(visible(each.mutation.type)),
            Text(visible(each.state_id)),
            render.status(each.status),
            Text(visible(each.ended_because or "", limit=80)),
        )
        for number, each in enumerate(batch.requests[:SHOWN])
    ]
    table = render.grid(rows, titles=("", "request", "what", "state", "status", ""))
    left = len(batch.requests) - SHOWN
    more = [Text(f"… and {left:,} more (--json shows all)", style="dim")] if left > 0 else []
    return render.indented(Group(table, *more))


def _failure(batch: Batch) -> list[RenderableType]:
    state = batch.state
    if state.failed_request is None or batch.status == "executed":
        return []
    told = f"request {short(state.failed_request)} could not be executed: {visible(state.failure)}"
    lines = [Text(told, style="red")]
    lines += [Text(f"{short(done)} is put right by {short(by)}") for done, by in state.compensations.items()]
    lines += [
        Text(f"{short(done)} could not be put right, somebody has to: {visible(why)}", style="bold red")
        for done, why in state.not_compensated.items()
    ]
    return [render.heading("What went wrong"), *map(render.indented, lines)]


def _next(batch: Batch) -> list[RenderableType]:
    statuses = {each.status for each in batch.requests}
    steps = []
    if "pending" in statuses:
        steps.append(f"gov batch approve {short(batch.id)} --as YOU --seen {batch.digest}")
    elif statuses == {"approved"}:
        steps.append(f"gov batch execute {short(batch.id)} --as YOU")
    return [render.heading("Next"), *(render.indented(Text(each, style="cyan")) for each in steps)] if steps else []
