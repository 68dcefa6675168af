"""`gov diff` and `gov reconfirm`: what changed since it was approved, and saying yes again to that."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from governance.cli import options
from governance.cli.commands import command
from governance.cli.groups import DECIDE, LOOK, app
from governance.cli.session import Answer, Session, request_id
from governance.domain.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from governance.drifting import DriftReport

Seen = Annotated[
    str | None,
    typer.Option(
        "--seen",
        metavar="DIGEST",
        help="The digest that gov diff shows. (default: on a terminal, it is shown and you are asked)",
        show_default=False,
    ),
]


@command(app, "diff", LOOK)
def diff(session: Session, request: options.Request, actor: options.Actor = None) -> Answer:
    """Show what was approved against what would run now, and who changed what in between; with --as, since your yes."""
    from governance.cli.actors import actor_of

    who = actor_of(actor) if actor else None
    with session.store() as governance:
        report = governance.drift(request_id(governance, request), actor=who)
    return Answer(report.model_dump(mode="json"), lambda: _view(report))


@command(app, "reconfirm", DECIDE)
def reconfirm(
    session: Session,
    request: options.Request,
    actor: options.Actor = None,
    seen: Seen = None,
    comment: options.Comment = None,
) -> Answer:
    """Say yes again, in a new round, to what you said yes to before; only to exactly what you have seen of it now."""
    from governance.cli.actors import actor_of
    from governance.cli.decide import decided

    who = actor_of(actor)
    if seen is None:
        with session.store() as governance:
            report = governance.drift(request_id(governance, request), actor=who)
        seen = _asked(session, report)
    return decided(
        session,
        request,
        lambda governance, key: governance.reconfirm(key, actor=who, seen=seen, comment=comment),
    )


def _asked(session: Session, report: "DriftReport") -> str:
    """Return the digest of what a person has just been shown and said yes to; InputError for anything else."""
    from governance.cli.commands import print_view

    if session.as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        msg = "seen: say to what you say yes: --seen DIGEST, as gov diff shows it"
        raise InputError(msg, field="seen")
    print_view(_view(report))
    if not typer.confirm("\nSay yes to this again?"):
        msg = "seen: not confirmed; nothing is stored"
        raise InputError(msg, field="seen")
    return report.digest


def _view(report: "DriftReport") -> "RenderableType":
    from governance.cli.drift_view import drift_view

    return drift_view(report)
