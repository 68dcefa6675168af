"""How `gov demo` tells its story."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from governance.cli import render
from governance.cli.demo_play import Played, Step
from governance.cli.text import short, visible
from governance.cli.timeline import titled

_WHO_CHARS = 27
_STATUS_CHARS = 11


def story(played: Played, place: str, following: Sequence[str]) -> RenderableType:
    """Return the case, chapter by chapter, the end, and what to type next."""
    chapters = groupby(played.steps, key=lambda step: step.chapter)
    parts: list[RenderableType] = [
        Text.assemble(("Access control of a tenant", "bold"), ", from the first request to the audit trail"),
        *(_chapter(number, title, list(steps)) for number, (title, steps) in enumerate(chapters, start=1)),
        render.heading("The state, before and after it all"),
        render.indented(render.difference(played.beginning, played.end)),
        titled(f"Everything that happened to {short(played.first)}", played.timeline),
        render.heading("Where it is, and what to type next"),
        Text(f"  {visible(place)}", style="dim"),
        *(Text(f"  {visible(line, limit=None)}", style="cyan", no_wrap=True, overflow="ignore") for line in following),
    ]
    return Group(*parts)


def _chapter(number: int, title: str, steps: list[Step]) -> RenderableType:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=_WHO_CHARS)
    table.add_column(width=_STATUS_CHARS)
    table.add_column()
    for step in steps:
        for row in _rows(step):
            table.add_row(*row)
    return Group(Text.assemble("\n", (f"{number}  {title}", "bold")), Padding(table, (0, 0, 0, 3)))


def _rows(step: Step) -> Iterator[tuple[RenderableType, ...]]:
    who = Text.assemble((visible(step.who), "bold"), f" {visible(step.does)}")
    status = Text("REFUSED", style="bold red") if step.status == "refused" else render.status(step.status)
    yield who, status, Text(visible(step.told))
    if step.after is not None:
        yield "", "", render.difference(step.before, step.after)
    elif step.changes:
        yield "", "", render.change_lines(step.changes)
