"""The command `gov` and its groups, to which the modules of commands add theirs, and what its help says of all."""

from typing import Annotated

import typer

EPILOG = """\
Exit codes:
0  done: what was asked or decided is stored, even if it then waits for others
1  error, such as a store that cannot be reached, or nothing found
2  wrong usage, input or configuration
3  it was to be executed, and still waits for somebody
4  refused by a rule
5  conflict, or stale: somebody else was first
6  an audit found something wrong

Begin with gov demo. GOVERNANCE_APP, GOVERNANCE_URL and GOVERNANCE_ACTOR stand
for --app, --url and --as; GOVERNANCE_DEBUG=1 shows where an error came from.
"""

app = typer.Typer(
    name="gov",
    help="Put changes under governance: ask for them, decide on them, execute them exactly once, and look at it all.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
db = typer.Typer(
    help="The store: make it, bring it up to date, look at it.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
)

ASK, DECIDE, RUN, LOOK, AUDIT, STORE = "Ask", "Decide", "Run", "Look", "Audit", "Store"


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"gov {version('mutation-governance')}")
        except PackageNotFoundError:
            typer.echo("gov (not installed: run from its sources)")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take what is common to all commands."""


app.add_typer(db, name="db", rich_help_panel=STORE)
