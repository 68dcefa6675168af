"""`gov policy`: policies in files looked over, tested, explained, and tried on the requests of the past."""

from typing import TYPE_CHECKING, Annotated

import typer

from governance.cli import options
from governance.cli.commands import command
from governance.cli.exits import Exit
from governance.cli.session import Answer, Session

if TYPE_CHECKING:
    from governance.domain.policies import AnyMutation

app = typer.Typer(
    help="Policies in files: look them over, test and explain them, try them on the past.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
)

Files = Annotated[list[str], typer.Argument(metavar="FILE…", help="Policy files: YAML, TOML or JSON.")]
TestFiles = Annotated[list[str], typer.Argument(metavar="FILE…", help="Policy files with tests, or files of tests.")]
File = Annotated[str, typer.Argument(metavar="FILE", help="A policy file.")]
Mutation = Annotated[str, typer.Option("--mutation", metavar="NAME", help="What is asked for.")]
Data = Annotated[
    str, typer.Option("--data", metavar="JSON", help="The mutation's fields: JSON, @FILE, or - for stdin.")
]
StateJson = Annotated[
    str | None, typer.Option("--state-json", metavar="JSON", help="The value of the state; without, it does not exist.")
]
After = Annotated[
    str | None, typer.Option("--after-json", metavar="JSON", help="The value afterwards; without --app only.")
]
StateType = Annotated[str, typer.Option("--state-type", metavar="NAME", help="The type of state; without --app only.")]
Intent = Annotated[
    str | None, typer.Option("--intent", metavar="JSON", help='What it is about: {"risk": "high"}, or @FILE.')
]
Metadata = Annotated[str | None, typer.Option("--metadata", metavar="JSON", help="What the caller gives with it.")]
At = Annotated[str | None, typer.Option("--at", metavar="TIME", help="Asked then: ISO 8601 with its zone.")]
Policies = Annotated[
    list[str] | None,
    typer.Option(
        "--policies",
        metavar="MODULE:ATTRIBUTE|FILE",
        help="What to try: a list of policies, or a policy file. Repeatable. (default: those of --app)",
    ),
]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="Asked for then or later: ISO 8601.")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Asked for then or earlier.")]
OfMutation = Annotated[list[str] | None, typer.Option("--mutation", metavar="NAME", help="Only this. Repeatable.")]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many requests.")]
DirectoryFile = Annotated[
    str | None,
    typer.Option("--directory", metavar="FILE", help="Who is in which role and group: YAML, TOML or JSON."),
]
Check = Annotated[
    bool,
    typer.Option(
        "--check", help="Exit with 1 unless all is decided as it was, and can be satisfied.", show_default=False
    ),
]


@command(app, "lint")
def lint(session: Session, files: Files) -> Answer:
    """Say what is wrong with policy files, and what may be; exits with 1 if anything is wrong.

    With --app, names of mutations are looked up too.
    """
    from governance.cli.policy_checks import lint_view, looked_over

    reports = [looked_over(each, mutations_of(session)) for each in files]
    failed = any(each["problem"] for each in reports)
    return Answer({"files": reports}, lambda: lint_view(reports), Exit.ERROR if failed else Exit.DONE)


@command(app, "test")
def test(session: Session, files: TestFiles) -> Answer:
    """Run the tests that stand in policy files, or in files of tests; exits with 1 if one fails.

    With --app, the cases are validated and applied by the application's own mutations.
    """
    from governance.cli.policy_checks import test_view, tested

    results = [each for name in files for each in tested(name, mutations_of(session))]
    failed = sum(not each["passed"] for each in results)
    data = {"passed": len(results) - failed, "failed": failed, "results": results}
    return Answer(data, lambda: test_view(results), Exit.ERROR if failed or not results else Exit.DONE)


@command(app, "explain")
def explain(
    session: Session,
    file: File,
    mutation: Mutation,
    data: Data = "{}",
    state_json: StateJson = None,
    after_json: After = None,
    state_type: StateType = "State",
    actor: options.Actor = None,
    reason: options.Reason = None,
    intent: Intent = None,
    metadata: Metadata = None,
    at: At = None,
) -> Answer:
    """Show which policies of a file apply to a mutation, what each expression comes to, and what they decide."""
    from governance.cli.policy_checks import asked_case, explain_view, explained

    texts = {"data": data, "state": state_json, "after": after_json, "intent": intent, "metadata": metadata}
    given = {"actor": actor, "reason": reason, "now": at, "state_type": state_type}
    result = explained(file, asked_case(mutation, texts, given), mutations_of(session))
    return Answer(result, lambda: explain_view(result))


@command(app, "schema")
def schema(session: Session) -> Answer:
    """Print the JSON Schema of policy files, for editors."""
    from governance.cli.render import Verbatim
    from governance.cli.text import document
    from governance.declarative.schema import json_schema

    data = json_schema()
    return Answer(data, lambda: Verbatim(document(data)))


@command(app, "backtest")
def backtest(
    session: Session,
    policies: Policies = None,
    since: Since = None,
    until: Until = None,
    mutation: OfMutation = None,
    limit: Limit = None,
    directory: DirectoryFile = None,
    check: Check = False,
) -> Answer:
    """Ask other policies about the requests of the past, and show what they would have decided otherwise.

    Also shows requests that nobody could satisfy; given --directory, for want of people. Nothing is stored.
    """
    from governance.backtest import Selection
    from governance.cli.inputs import moment
    from governance.cli.policy_backtest import backtest_view, backtested

    begin, end = moment(since, field="since"), moment(until, field="until")
    selection = Selection(since=begin, until=end, mutations=tuple(mutation or ()), limit=limit)
    report = backtested(session, policies or [], selection, directory)
    failed = check and (report["changed"] or report["unsatisfiable"] or report["problems"])
    return Answer(report, lambda: backtest_view(report), Exit.ERROR if failed else Exit.DONE)


def mutations_of(session: Session) -> "tuple[type[AnyMutation], ...] | None":
    """Return the mutations of the application, None when none was named."""
    from governance.cli.loading import load_app

    return tuple(load_app(session.app).mutations) if session.app else None
