"""`gov delegate`, `reassign`, `break-glass` and `review`: handing decisions on, and going without them."""

from typing import TYPE_CHECKING, Annotated

import typer

from governance.cli import options
from governance.cli.commands import command
from governance.cli.decide import decided
from governance.cli.groups import DECIDE, app
from governance.cli.session import Answer, Session
from governance.domain.errors import InputError

if TYPE_CHECKING:
    from governance.domain.requirements import Approver

To = Annotated[str, typer.Option("--to", metavar="NAME", help="Who may decide instead.")]
Instead = Annotated[
    list[str], typer.Option("--to", metavar="WHO", help="Who is asked instead: NAME, role=R or group=G. Repeatable.")
]
Until = Annotated[str, typer.Option("--until", metavar="TIME", help="ISO 8601 with its zone.")]
Which = Annotated[str, typer.Option("--requirement", metavar="ID", help="Which requirement, by id or name.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")]
Justified = Annotated[bool, typer.Option("--justified/--not-justified", help="What the review found.")]
Said = Annotated[str, typer.Option("--comment", metavar="TEXT", help="What there is to say about it.")]


@command(app, "delegate", DECIDE)
def delegate(
    session: Session,
    request: options.Request,
    to: To,
    until: Until,
    actor: options.Actor = None,
    requirement: options.Requirement = None,
    reason: options.Reason = None,
) -> Answer:
    """Let somebody else decide in your place, until a time."""
    from governance.cli.actors import actor_of
    from governance.cli.inputs import required_moment

    who, end = actor_of(actor), required_moment(until, field="until")
    return decided(
        session,
        request,
        lambda governance, key: governance.delegate(
            key, actor=who, to=to, until=end, requirement=requirement, reason=reason
        ),
    )


@command(app, "reassign", DECIDE)
def reassign(
    session: Session,
    request: options.Request,
    requirement: Which,
    to: Instead,
    reason: Why,
    actor: options.Actor = None,
) -> Answer:
    """Ask other people instead; for administrators (kind=administrator). Decisions so far do not count."""
    from governance.cli.actors import actor_of

    who, instead = actor_of(actor), [_approver(each) for each in to]
    return decided(
        session,
        request,
        lambda governance, key: governance.reassign(key, actor=who, requirement=requirement, to=instead, reason=reason),
    )


@command(app, "break-glass", DECIDE)
def break_glass(session: Session, request: options.Request, reason: Why, actor: options.Actor = None) -> Answer:
    """In an emergency, approve without the approvals; somebody else has to review that."""
    from governance.cli.actors import actor_of

    who = actor_of(actor)
    return decided(session, request, lambda governance, key: governance.break_glass(key, actor=who, reason=reason))


@command(app, "review", DECIDE)
def review(
    session: Session, request: options.Request, justified: Justified, comment: Said, actor: options.Actor = None
) -> Answer:
    """Close the review of broken glass."""
    from governance.cli.actors import actor_of

    who = actor_of(actor)
    return decided(
        session,
        request,
        lambda governance, key: governance.review(key, actor=who, justified=justified, comment=comment),
    )


def _approver(given: str) -> "Approver | str":
    from governance import group, role

    kind, equals, name = given.partition("=")
    if not equals:
        return given
    if kind not in {"role", "group"}:
        msg = f"to: {given!r} is not NAME, role=R or group=G"
        raise InputError(msg, field="to")
    return role(name) if kind == "role" else group(name)
