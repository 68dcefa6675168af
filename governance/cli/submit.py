"""`gov submit` and `gov mutations`: asking for mutations, one or a file of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from governance.cli import options
from governance.cli.commands import command
from governance.cli.exits import Exit
from governance.cli.groups import ASK, app
from governance.cli.session import Answer, Session
from governance.domain.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from governance.application import Governance
    from governance.outcome import Held, Outcome

Mutation = Annotated[str | None, typer.Argument(metavar="MUTATION", help="What to do; `gov mutations` lists them.")]
State = Annotated[str | None, typer.Option("--state", metavar="ID", help="The governed state to change.")]
Data = Annotated[
    str | None, typer.Option("--data", metavar="JSON", help="The mutation's fields: JSON, @FILE, or - for stdin.")
]
File = Annotated[
    str | None,
    typer.Option(
        "--file",
        metavar="REQUESTS.jsonl",
        help="Ask for many: a line a JSON object of these options, as in "
        '{"mutation": …, "state": …, "data": {…}, "reason": …, "as": …}; - for stdin. '
        "What is given here as well holds for lines that do not say. Run it again to go on where it stopped.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Store nothing; show what would come of it.", show_default=False)
]
Stale = Annotated[
    str | None,
    typer.Option(
        "--stale",
        metavar="reject|renew|revalidate",
        help="What happens if the state has moved by then. (default: revalidate)",
    ),
]
Version = Annotated[
    int | None, typer.Option("--expected-version", metavar="N", min=0, help="Refuse unless the state is at version N.")
]
Expires = Annotated[
    str | None, typer.Option("--expires-at", metavar="TIME", help="ISO 8601 with its zone; it expires then.")
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="TEXT",
        help="Idempotency key: the same again is the same request. With --file, it is put before each line's own key.",
    ),
]
Supersedes = Annotated[
    str | None, typer.Option("--supersedes", metavar="REQUEST", help="The open request whose place this one takes.")
]
Requires = Annotated[
    list[str] | None,
    typer.Option(
        "--require", metavar="JSON", help='Ask for more than policies do: {"role": "lead", "quorum": 2}. Repeatable.'
    ),
]
Intent = Annotated[
    str | None,
    typer.Option("--intent", metavar="JSON", help='What it is about: {"risk": "high", "tags": ["on-call"]}, or @FILE.'),
]
Metadata = Annotated[str | None, typer.Option("--metadata", metavar="JSON", help="Your own facts, or @FILE.")]
Correlation = Annotated[str | None, typer.Option("--correlation-id", metavar="ID", help="How you trace the call.")]


@command(app, "submit", ASK)
def submit(
    session: Session,
    mutation: Mutation = None,
    state: State = None,
    data: Data = None,
    reason: options.Reason = None,
    actor: options.Actor = None,
    dry_run: DryRun = False,
    run: options.Run = False,
    stale: Stale = None,
    expected_version: Version = None,
    expires_at: Expires = None,
    requires: Requires = None,
    key: Key = None,
    supersedes: Supersedes = None,
    intent: Intent = None,
    metadata: Metadata = None,
    correlation_id: Correlation = None,
    file: File = None,
    quiet: options.Quiet = False,
) -> Answer:
    """Ask for a mutation; it waits for approval if a policy says so.

    A request that validation or a policy refuses is stored too, as rejected, and ends with exit code 4.
    """
    _check_together(run=run and dry_run, quiet=quiet and file is not None)
    asked: dict[str, Any] = {
        "mutation": mutation,
        "state": state,
        "reason": reason,
        "as": actor,
        "stale": stale,
        "expected_version": expected_version,
        "expires_at": expires_at,
        "supersedes": supersedes,
        "correlation_id": correlation_id,
    }
    asked |= _parsed(file, data=data, intent=intent, metadata=metadata)
    asked["requires"] = _each(requires)
    if file is not None:
        from governance.cli.lines import submit_file

        return submit_file(session, file, asked, prefix=key, run=run, dry_run=dry_run)
    return _submit_one(session, {**asked, "key": key}, run=run, dry_run=dry_run, quiet=quiet)


@command(app, "mutations", ASK)
def mutations(session: Session) -> Answer:
    """Show what can be submitted, with its fields and the JSON Schema of its data (`--json`)."""
    from governance.cli.loading import load_app
    from governance.domain.catalog import Catalog

    known = Catalog(load_app(session.app).mutations, max_payload_bytes=1024)
    data = [_described(name, each, known) for name, each in known.mutations.items()]
    return Answer({"mutations": data}, lambda: _mutations_view(data))


def _check_together(*, run: bool, quiet: bool) -> None:
    if run:
        msg = "run: --dry-run stores nothing, so there is nothing to --run"
        raise InputError(msg, field="run")
    if quiet:
        msg = "quiet: --file tells of every line; --json tells of them in one document"
        raise InputError(msg, field="quiet")


def _parsed(file: str | None, **given: str | None) -> dict[str, Any]:
    from governance.cli.inputs import json_value

    if [file, *given.values()].count("-") > 1:
        msg = "data: standard input can be read for one option only"
        raise InputError(msg, field="data")
    return {name: None if text is None else json_value(text, field=name) for name, text in given.items()}


def _each(requires: list[str] | None) -> list[Any] | None:
    from governance.cli.inputs import json_value

    return [json_value(each, field="requires") for each in requires] if requires else None


def _submit_one(session: Session, asked: dict[str, Any], *, run: bool, dry_run: bool, quiet: bool) -> Answer:
    from governance.cli.documents import outcome_document

    with session.governed(create=True) as governance:
        outcome = ask(governance, asked, run=run, dry_run=dry_run)
        held = governance.held(outcome.request) if dry_run else ()
    data = {"stored": not dry_run, **outcome_document(outcome)}
    data |= {"held": [each.model_dump(mode="json") for each in held]} if dry_run else {}
    return Answer(data, lambda: _view(outcome, held, quiet=quiet, dry_run=dry_run), code_of(outcome, run=run))


def ask(governance: "Governance", asked: dict[str, Any], *, run: bool, dry_run: bool) -> "Outcome":
    """Return what came of asking for one mutation; raises what `Governance.submit` raises."""
    from governance.cli.asking import arguments
    from governance.cli.session import request_id
    from governance.outcome import Outcome

    given = arguments(governance, asked)
    if isinstance(given["supersedes"], str):
        given["supersedes"] = request_id(governance, given["supersedes"])
    if run:
        return governance.run(**given)
    request = governance.submit(**given, mode="simulate" if dry_run else "commit")
    return Outcome(request=request, resolution=None, executed=False)


def code_of(outcome: "Outcome", *, run: bool) -> Exit:
    """Return the exit code for what came of a request that was to be stored, or run."""
    from governance.cli.results import exit_after_execution, exit_after_submission

    return exit_after_execution(outcome) if run else exit_after_submission(outcome.request)


def _view(outcome: "Outcome", held: "Sequence[Held]", *, quiet: bool, dry_run: bool) -> "RenderableType":
    from governance.cli.results import submitted_view

    return submitted_view(outcome, quiet=quiet, dry_run=dry_run, held=held)


def _described(name: str, mutation: Any, catalog: Any) -> dict[str, Any]:
    intent = mutation.declared_intent()
    return {
        "type": name,
        "version": mutation.mutation_version,
        "state_type": catalog.state_type(mutation),
        "description": (mutation.__doc__ or "").strip() or None,
        "intent": intent.model_dump(mode="json"),
        "schema": mutation.model_json_schema(),
    }


def _mutations_view(data: list[dict[str, Any]]) -> "RenderableType":
    from governance.cli.results import mutations_view

    return mutations_view(data)
