"""`gov quota`: how much may run in each window of time, how much of it is taken, and by which requests."""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from governance.cli import options
from governance.cli.commands import command
from governance.cli.session import Answer, Session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from governance.application import Governance
    from governance.quotas.keeping import Standing

app = typer.Typer(
    help="Quotas: how many tokens there are in each window of time, and who has taken them.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
)


class Window(StrEnum):
    """How windows of time lie."""

    FIXED = "fixed"
    SLIDING = "sliding"


Key = Annotated[
    str, typer.Argument(metavar="KEY", help="The quota's key, as in deploys or actor:*, which is for each actor alone.")
]
Tokens = Annotated[int, typer.Option("--limit", metavar="N", help="How many tokens there are in each window.")]
Per = Annotated[str, typer.Option("--per", metavar="TIME", help="How long a window is: 90s, 30m, 2h or 7d.")]
Lies = Annotated[
    Window, typer.Option("--window", help="One after the other since 1970 (UTC), or ending at any moment.")
]


@command(app, "list")
def listed(session: Session) -> Answer:
    """List the quotas that are defined, and the keys under a star of which tokens are taken now."""
    with session.store() as governance:
        found = governance.quotas.all()
    return Answer({"quotas": [each.model_dump(mode="json") for each in found]}, lambda: _table(found))


@command(app, "show")
def show(session: Session, key: Key) -> Answer:
    """Show how a quota stands, and which requests have taken the tokens of its window: reserved, or used by running."""
    with session.store() as governance:
        standing, taken = governance.quotas.get(key), _taken(governance, key)
    used = sum(each["tokens"] for each in taken if each["used"])
    reserved = standing.taken - used
    data = {**standing.model_dump(mode="json"), "used": used, "reserved": reserved, "reservations": taken}
    return Answer(data, lambda: _shown(standing, taken, f"{used:,} used, {reserved:,} reserved"))


@command(app, "define")
def define(
    session: Session, key: Key, limit: Tokens, per: Per, window: Lies = Window.FIXED, actor: options.Actor = None
) -> Answer:
    """Define a quota, or give it another size from now on; for administrators and quota keepers."""
    from governance.cli.actors import actor_of
    from governance.cli.inputs import duration

    who, lasting = actor_of(actor), duration(per, field="per")
    with session.store() as governance:
        standing = governance.quotas.define(key, limit=limit, per=lasting, window=window.value, actor=who)
    return Answer(standing.model_dump(mode="json"), lambda: _table([standing]))


def _taken(governance: "Governance", key: str) -> list[dict[str, Any]]:
    taken = []
    for each in governance.quotas.reservations(key):
        request = governance.request(each.request_id)
        used = request.executed_at is not None
        taken.append({**each.model_dump(mode="json"), "status": str(request.status), "used": used})
    return taken


def _table(found: "Sequence[Standing]") -> "RenderableType":
    from rich.text import Text

    from governance.cli.render import grid, instant
    from governance.cli.text import visible

    if not found:
        return Text("There is no quota.")
    rows = [
        (
            Text(visible(each.key), style="bold"),
            Text(f"{each.limit:,} per {_lasting(each.per)}"),
            Text(each.window),
            Text(f"{each.taken:,}"),
            Text(f"{each.free:,}"),
            Text(instant(each.more_at) if each.more_at else ""),
            Text(_by(each)),
        )
        for each in found
    ]
    return grid(rows, titles=("quota", "tokens", "window", "taken", "free", "more at", ""))


def _lasting(per: timedelta) -> str:
    """Return how long a window is, in the way in which it is given."""
    units = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1)}
    return next((f"{per // unit}{name}" for name, unit in units.items() if not per % unit), str(per))


def _by(standing: "Standing") -> str:
    from governance.cli.text import visible

    if standing.key.endswith("*"):
        return "each key has its own"
    return "" if standing.defined_by == standing.key else visible(f"by {standing.defined_by}")


def _shown(standing: "Standing", taken: list[dict[str, Any]], split: str) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    from governance.cli.render import grid, heading, indented
    from governance.cli.text import short

    told = (
        (short(each["request_id"]), each["requirement_id"], f"{each['tokens']:,}", each["at"], each["status"])
        for each in taken
    )
    rows = [tuple(map(Text, each)) for each in told]
    titles = ("request", "requirement", "tokens", "taken at", "status")
    parts: list[RenderableType] = [_table([standing])]
    if rows:
        parts += [heading("Taken", split), indented(grid(rows, titles=titles))]
    return Group(*parts)
