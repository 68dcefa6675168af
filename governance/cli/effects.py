"""`gov effects`: what executions want done outside and is not done yet, and what to do about what cannot be."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from governance.cli import options
from governance.cli.commands import command
from governance.cli.session import Answer, Session, request_id

if TYPE_CHECKING:
    from rich.console import RenderableType

    from governance.application import Governance
    from governance.domain.request import MutationRequest
    from governance.effects.operating import OutstandingEffect

app = typer.Typer(
    help="Effects of executions: what is still to be delivered.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
)

Which = Annotated[str, typer.Argument(metavar="EFFECT", help="REQUEST:NUMBER, the request by its id or the end of it.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")]
Only = Annotated[
    str | None,
    typer.Option("--status", metavar="STATUS", help="waiting or parked. (default: both)", show_default=False),
]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=10_000, help="At most so many.")]


@command(app, "list")
def list_effects(session: Session, status: Only = None, limit: Limit = 100) -> Answer:
    """List the effects that are not delivered, in the order of the log; with --app, also whether there is a handler."""
    with session.store() as governance:
        found = governance.outstanding_effects(status, limit=limit)  # type: ignore[arg-type]
    handled = bool(session.app)
    return Answer({"items": [_document(each, handled) for each in found]}, lambda: _view(found, handled))


@command(app, "retry")
def retry(session: Session, effect: Which, reason: Why, actor: options.Actor = None) -> Answer:
    """Have an effect tried again at once, parked and dropped ones too; for administrators (kind=administrator)."""
    from governance.cli.actors import actor_of

    who = actor_of(actor)
    return _decided(
        session, effect, "again", lambda governance, key: governance.retry_effect(key, actor=who, reason=reason)
    )


@command(app, "drop")
def drop(session: Session, effect: Which, reason: Why, actor: options.Actor = None) -> Answer:
    """Give an effect up, so that the next one of its state goes on; for administrators (kind=administrator)."""
    from governance.cli.actors import actor_of

    who = actor_of(actor)
    return _decided(
        session, effect, "dropped", lambda governance, key: governance.drop_effect(key, actor=who, reason=reason)
    )


def _decided(session: Session, effect: str, what: str, call: "Callable[[Governance, str], MutationRequest]") -> Answer:
    from rich.text import Text

    from governance.cli.text import short

    request, colon, number = effect.rpartition(":")
    with session.store() as governance:
        key = f"{request_id(governance, request)}:{number}" if colon else effect
        after = call(governance, key)
    progress = next(each for each in after.deliveries if each.effect_id == key)
    data = {"request_id": after.id, **progress.model_dump(mode="json"), "position": after.position}
    return Answer(data, lambda: Text(f"effect {number} of {short(after.id)}: {what}"))


def _document(found: "OutstandingEffect", handled: bool) -> dict[str, Any]:
    return found.model_dump(mode="json", exclude=None if handled else {"handled"})


def _view(found: "Sequence[OutstandingEffect]", handled: bool) -> "RenderableType":
    from rich.text import Text

    from governance.cli.render import grid, instant
    from governance.cli.text import short, visible

    if not found:
        return Text("Every effect is delivered.")
    titles = ("effect", "what", "state", "status", "attempts", "next")
    rows = [
        (
            f"{short(each.request_id)}:{each.effect_id.rpartition(':')[2]}",
            visible(each.contract),
            visible(each.state_id, limit=60),
            each.status if each.handled or not handled else f"{each.status}, no handler",
            str(each.attempts),
            "" if each.status == "parked" else instant(each.due_at),
        )
        for each in found
    ]
    return grid([tuple(map(Text, row)) for row in rows], titles=titles)
