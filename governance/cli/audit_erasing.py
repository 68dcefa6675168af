"""`gov audit forget`: personal data erased, so that no proof breaks."""

from typing import Annotated

import typer

from governance.cli import options
from governance.cli.audit import app
from governance.cli.commands import command
from governance.cli.session import Answer, Session

Whose = Annotated[str, typer.Argument(metavar="SUBJECT", help="Whose data: the id that the personal fields name.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept for ever, so name nobody in it.")]


@command(app, "forget")
def forget(session: Session, subject: Whose, reason: Why, actor: options.Actor = None) -> Answer:
    """Destroy the key of a person: what was sealed under it can never be read again, and every proof still holds.

    Copies of the database made before (backups, replicas, its write-ahead log) still hold the key: see the how-to.
    """
    from rich.text import Text

    from governance.cli.actors import actor_of
    from governance.cli.text import visible

    with session.store() as governance:
        done = governance.forget(subject, actor=actor_of(actor), reason=reason)
    data = {"subject": done.subject, "keys": list(done.keys), "position": done.position}
    told = f"personal data of {visible(subject)} is erased, as position {done.position} says"
    return Answer(data, lambda: Text(told))
