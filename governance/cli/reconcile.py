"""`gov reconcile`: settles an execution that broke off in another system."""

from governance.cli import options
from governance.cli.commands import command
from governance.cli.groups import RUN, app
from governance.cli.session import Answer, Session, request_id


@command(app, "reconcile", RUN)
def reconcile(session: Session, request: options.Request, actor: options.Actor = None) -> Answer:
    """Ask the system in which the state lives what came of an execution that broke off, and record it.

    Workers do this by themselves, a few seconds after it broke off.
    """
    from governance.cli import render
    from governance.cli.actors import actor_of
    from governance.cli.documents import request_document

    who = actor_of(actor)
    with session.governed() as governance:
        settled = governance.reconcile(request_id(governance, request), actor=who)
    return Answer(request_document(settled), lambda: render.title(settled))
