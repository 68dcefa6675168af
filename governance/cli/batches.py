"""`gov batch`: several mutations asked for, approved and executed as one."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from governance.cli import options
from governance.cli.commands import command
from governance.cli.exits import Exit
from governance.cli.session import Answer, Session, batch_id
from governance.domain.errors import InvalidTransitionError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from governance.application import Governance
    from governance.batch_execution import BatchOutcome
    from governance.batching import Batch

app = typer.Typer(
    help="Several changes as one: asked for, approved and executed together, or in order.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
)

File = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="JSON or YAML, or - for JSON from stdin: a list of items, each with options of gov submit as in "
        '{"mutation": …, "state": …, "data": {…}}, or {"items": [...], "reason": …, "atomic": …, "key": …}. '
        "In a .jsonl file, each line is an item.",
    ),
]
BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="The id of a batch, or its last 4 or more characters.")]
Order = Annotated[
    bool | None,
    typer.Option(
        "--atomic/--in-order",
        help="All in one transaction or none, or one after the other with what was done put right when one fails.",
        show_default=False,
    ),
]
Key = Annotated[
    str | None, typer.Option("--key", metavar="TEXT", help="Idempotency key: the same again is the same batch.")
]


@command(app, "submit")
def submit(
    session: Session,
    file: File,
    atomic: Order = None,
    reason: options.Reason = None,
    actor: options.Actor = None,
    key: Key = None,
    quiet: options.Quiet = False,
) -> Answer:
    """Ask for up to 1,000 mutations at once; all requests are stored, or none. Atomic unless told otherwise.

    Exit code 4 if any of them was refused at once by validation or a policy.
    """
    from governance.cli.batch_files import read_batch

    given = read_batch(file, atomic=atomic, reason=reason, actor=actor, key=key)
    with session.governed(create=True) as governance:
        batch = governance.submit_batch(**given.arguments(governance))
    refused = any(each.status == "rejected" for each in batch.requests)
    return _answer(batch, Exit.REFUSED if refused else Exit.DONE, quiet=quiet)


@command(app, "show")
def show(session: Session, batch: BatchId) -> Answer:
    """Show a batch, its requests as they are now, and what became of it."""
    with session.store() as governance:
        found = governance.batch(batch_id(governance, batch))
    return _answer(found, Exit.DONE)


@command(app, "approve")
def approve(
    session: Session,
    batch: BatchId,
    actor: options.Actor = None,
    seen: options.Seen = None,
    comment: options.Comment = None,
) -> Answer:
    """Say yes to all that waits in a batch, in one transaction; what one of its requests refuses, all refuse."""
    from governance.cli.actors import actor_of

    who = actor_of(actor)
    with session.governed() as governance:
        after = governance.approve_batch(batch_id(governance, batch), actor=who, seen=seen, comment=comment)
    return _answer(after, Exit.DONE)


@command(app, "execute")
def execute(session: Session, batch: BatchId, actor: options.Actor = None) -> Answer:
    """Execute a batch; again after a crash, it goes on where it was. Exit code 0 only if all of it has run."""
    from governance.cli.actors import actor_of
    from governance.cli.documents import outcome_document

    who = actor_of(actor)
    with session.governed() as governance:
        outcome = _executed(governance, batch_id(governance, batch), who)
    data = {
        **_document(outcome.batch),
        "executed": outcome.executed,
        "failed": outcome.failed,
        "failure": outcome.reason,
        "outcomes": [outcome_document(each) for each in outcome.outcomes],
        "compensations": [each.id for each in outcome.compensations],
    }
    return Answer(data, lambda: _view(outcome.batch), _code(outcome))


def _executed(governance: "Governance", key: str, actor: Any) -> "BatchOutcome":
    from governance.cli.exits import StillPendingError

    try:
        return governance.execute_batch(key, actor=actor)
    except InvalidTransitionError as error:
        if error.ids.get("status") != "pending":
            raise
        msg = f"batch {key} waits: {error.message}"
        raise StillPendingError(msg, batch=key, **error.ids) from None


def _code(outcome: "BatchOutcome") -> Exit:
    from governance.cli.results import exit_after_execution

    if outcome.executed:
        return Exit.DONE
    failed = next((each for each in outcome.outcomes if each.request.id == outcome.failed), None)
    return Exit.REFUSED if failed is None or failed.executed else exit_after_execution(failed)


def _document(batch: "Batch") -> dict[str, Any]:
    from governance.cli.documents import request_document

    return {
        "id": batch.id,
        "atomic": batch.atomic,
        "status": batch.status,
        "reason": batch.state.reason,
        "digest": batch.digest,
        "failed": batch.state.failed_request,
        "failure": batch.state.failure,
        "compensated": batch.state.compensations,
        "not_compensated": batch.state.not_compensated,
        "requests": [request_document(each) for each in batch.requests],
    }


def _answer(batch: "Batch", code: Exit, *, quiet: bool = False) -> Answer:
    return Answer(_document(batch), lambda: _view(batch, quiet=quiet), code)


def _view(batch: "Batch", *, quiet: bool = False) -> "RenderableType":
    from governance.cli.batch_view import batch_view

    return batch_view(batch, quiet=quiet)
