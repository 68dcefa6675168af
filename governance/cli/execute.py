"""`gov execute`, `compensate` and `preview`: running approved mutations, and putting right what they did."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from governance.cli import options
from governance.cli.commands import command
from governance.cli.exits import StillPendingError
from governance.cli.groups import LOOK, RUN, app
from governance.cli.session import Answer, Session, request_id
from governance.domain.errors import AlreadyExecutedError, InputError, InvalidTransitionError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from governance.application import Governance
    from governance.outcome import Outcome, Preview

Restore = Annotated[
    bool,
    typer.Option(
        "--restore",
        help="Put the earlier value back; only while the state has not moved since. (default: the mutation's inverse)",
        show_default=False,
    ),
]
Corrective = Annotated[
    str | None, typer.Option("--mutation", metavar="NAME", help="Put it right by this mutation, not by the inverse.")
]
Data = Annotated[
    str | None, typer.Option("--data", metavar="JSON", help="The fields of --mutation: JSON, @FILE, or - for stdin.")
]


@command(app, "execute", RUN)
def execute(session: Session, request: options.Request, actor: options.Actor = None) -> Answer:
    """Run an approved mutation, exactly once; if the state has moved, by the request's own strategy."""
    from governance.cli.actors import actor_of
    from governance.cli.documents import outcome_document
    from governance.cli.results import exit_after_execution

    who = actor_of(actor)
    with session.governed() as governance:
        outcome = execute_or_say_why(governance, request_id(governance, request), who)
    return Answer(outcome_document(outcome), lambda: _view(outcome), exit_after_execution(outcome))


@command(app, "compensate", RUN)
def compensate(
    session: Session,
    request: options.Request,
    reason: options.Reason = None,
    actor: options.Actor = None,
    restore: Restore = False,
    mutation: Corrective = None,
    data: Data = None,
    run: options.Run = False,
    quiet: options.Quiet = False,
) -> Answer:
    """Ask to put right what an executed request did: a new, linked request, governed like any other."""
    from governance.cli.actors import actor_of
    from governance.cli.documents import outcome_document
    from governance.cli.results import submitted_view
    from governance.cli.submit import code_of

    if reason is None:
        msg = "reason: why? give --reason TEXT"
        raise InputError(msg, field="reason")
    who = actor_of(actor)
    with session.governed() as governance:
        asked = governance.compensate(
            request_id(governance, request),
            actor=who,
            reason=reason,
            kind="restore" if restore else "corrective",
            mutation=_corrective(governance, mutation, data),
        )
        outcome = _and_execute(governance, asked, who, run=run)
    view: Any = lambda: submitted_view(outcome, quiet=quiet, dry_run=False)  # noqa: E731
    return Answer(outcome_document(outcome), view, code_of(outcome, run=run))


@command(app, "preview", LOOK)
def preview(session: Session, request: options.Request) -> Answer:
    """Show what executing an open request would do now; nothing is stored."""
    with session.governed() as governance:
        shown = governance.preview(request_id(governance, request))
    return Answer(shown.model_dump(mode="json"), lambda: _preview(shown))


def execute_or_say_why(governance: "Governance", key: str, actor: Any) -> "Outcome":
    """Return what came of executing; StillPendingError says what a pending request waits for."""
    from governance.cli.render import next_steps

    try:
        return governance.execute(key, actor=actor)
    except AlreadyExecutedError:
        raise
    except InvalidTransitionError as error:
        if error.ids.get("status") != "pending":
            raise
        msg = f"request {key} is pending; {governance.explain(key).text}"
        waiting = StillPendingError(msg, **error.ids)
        waiting.next = "; ".join(next_steps(governance.request(key))) or None
        raise waiting from None


def _and_execute(governance: "Governance", asked: Any, actor: Any, *, run: bool) -> "Outcome":
    from governance.outcome import Outcome

    if run and asked.status == "approved":
        return governance.execute(asked.id, actor=actor)
    return Outcome(request=asked, resolution=None, executed=False)


def _corrective(governance: "Governance", mutation: str | None, data: str | None) -> Any:
    from governance.cli.inputs import json_value

    if mutation is None:
        if data is not None:
            msg = "data: --data belongs to --mutation"
            raise InputError(msg, field="data")
        return None
    return governance.catalog.parse(mutation, {} if data is None else json_value(data, field="data"))


def _view(outcome: "Outcome") -> "RenderableType":
    from governance.cli import render

    return render.outcome(outcome)


def _preview(shown: "Preview") -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    from governance.cli import render
    from governance.cli.text import visible

    versions = f"evaluated on version {shown.expected}, now at {shown.current}"
    problems = [*shown.validation_errors, *([shown.failure] if shown.failure else [])]
    return Group(
        Text.assemble(("If executed now: ", "bold"), (shown.outcome, "bold yellow"), f"  {versions}"),
        Text(visible(shown.reason)),
        *([Text(f"way back: {visible(shown.reversibility)}")] if shown.reversibility else []),
        *(Text(visible(each), style="red") for each in problems),
        *(Text(f"held: {each}", style="yellow") for each in render.held(shown.held)),
        render.heading("What would change"),
        render.indented(render.changes(shown.change_set)),
    )
