"""Arguments and options that several commands share."""

from typing import Annotated

import typer

ACTOR_HELP = (
    "Who acts: NAME or NAME:ROLE,ROLE; group=G, kind=service, for=PERSON and role=R may stand among the roles. "
    'A name with a colon is written as JSON: \'{"id": "user:ada", "roles": ["lead"]}\'.'
)

App = Annotated[
    str | None,
    typer.Option(
        "--app",
        metavar="MODULE:ATTRIBUTE",
        envvar="GOVERNANCE_APP",
        help="Your mutations and policies: a governance.App, or a function that returns one.",
        rich_help_panel="Where",
    ),
]
Url = Annotated[
    str,
    typer.Option(
        "--url",
        envvar="GOVERNANCE_URL",
        help="The store: sqlite:///FILE, sqlite:////ABSOLUTE/FILE or postgresql://…",
        rich_help_panel="Where",
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document instead of text; errors too, on stderr.", show_default=False),
]
DEFAULT_URL = "sqlite:///governance.db"

Request = Annotated[
    str, typer.Argument(metavar="REQUEST", help="The id of a request, or its last 4 or more characters.")
]
Actor = Annotated[str | None, typer.Option("--as", metavar="ACTOR", envvar="GOVERNANCE_ACTOR", help=ACTOR_HELP)]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why.")]
Comment = Annotated[str | None, typer.Option("--comment", metavar="TEXT", help="Something to say with it.")]
Requirement = Annotated[
    str | None,
    typer.Option("--requirement", metavar="ID", help="Only this requirement, by id or name. (default: all you may)"),
]
ExpectedVersion = Annotated[
    int | None,
    typer.Option("--expected-version", metavar="N", min=0, help="Refuse unless the request is at this version."),
]
Seen = Annotated[
    str | None,
    typer.Option("--seen", metavar="DIGEST", help="Refuse unless this is still what there is to decide on."),
]
Run = Annotated[bool, typer.Option("--run", help="Execute it in the same step if nothing is open.", show_default=False)]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print nothing but the id of the request.", show_default=False)
]
