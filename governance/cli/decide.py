"""`gov approve`, `reject`, `withdraw`, `comment`, `cancel` and `expire`: deciding on requests."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from governance.cli import options
from governance.cli.commands import command
from governance.cli.groups import DECIDE, app
from governance.cli.session import Answer, Session, request_id

if TYPE_CHECKING:
    from rich.console import RenderableType

    from governance.application import Governance
    from governance.domain.request import MutationRequest

Code = Annotated[str | None, typer.Option("--code", metavar="CODE", help="The reason, for programs.")]
Category = Annotated[str | None, typer.Option("--category", metavar="NAME", help="The kind of reason.")]
Words = Annotated[str, typer.Argument(metavar="TEXT", help="What to say.")]


@command(app, "approve", DECIDE)
def approve(
    session: Session,
    request: options.Request,
    actor: options.Actor = None,
    comment: options.Comment = None,
    requirement: options.Requirement = None,
    seen: options.Seen = None,
    expected_version: options.ExpectedVersion = None,
) -> Answer:
    """Say yes to what a request asks of you; nothing is executed by it."""
    from governance.cli.actors import actor_of

    who = actor_of(actor)
    return decided(
        session,
        request,
        lambda governance, key: governance.approve(
            key, actor=who, comment=comment, requirement=requirement, seen=seen, expected_version=expected_version
        ),
    )


@command(app, "reject", DECIDE)
def reject(
    session: Session,
    request: options.Request,
    actor: options.Actor = None,
    reason: options.Reason = None,
    code: Code = None,
    category: Category = None,
    requirement: options.Requirement = None,
    seen: options.Seen = None,
    expected_version: options.ExpectedVersion = None,
) -> Answer:
    """Say no; unless the requirement says otherwise, one no ends the request."""
    from governance import RejectionReason
    from governance.cli.actors import actor_of
    from governance.intake import input_errors

    who = actor_of(actor)
    with input_errors("reason"):
        told = RejectionReason(code=code or "rejected", category=category, message=reason or "")
    return decided(
        session,
        request,
        lambda governance, key: governance.reject(
            key, actor=who, reason=told, requirement=requirement, seen=seen, expected_version=expected_version
        ),
    )


@command(app, "withdraw", DECIDE)
def withdraw(
    session: Session,
    request: options.Request,
    actor: options.Actor = None,
    reason: options.Reason = None,
    requirement: options.Requirement = None,
) -> Answer:
    """Take your own decision back while the request is pending."""
    from governance.cli.actors import actor_of

    who = actor_of(actor)
    return decided(
        session,
        request,
        lambda governance, key: governance.withdraw(key, actor=who, reason=reason, requirement=requirement),
    )


@command(app, "comment", DECIDE)
def comment(session: Session, request: options.Request, text: Words, actor: options.Actor = None) -> Answer:
    """Say something about a request, in any status."""
    from governance.cli.actors import actor_of

    who = actor_of(actor)
    return decided(session, request, lambda governance, key: governance.comment(key, actor=who, text=text))


@command(app, "cancel", DECIDE)
def cancel(
    session: Session, request: options.Request, actor: options.Actor = None, reason: options.Reason = None
) -> Answer:
    """Take a request back that has not run: for who asked, and for administrators (kind=administrator)."""
    from governance.cli.actors import actor_of

    who = actor_of(actor)
    return decided(session, request, lambda governance, key: governance.cancel(key, actor=who, reason=reason))


@command(app, "expire", DECIDE)
def expire(session: Session, request: options.Request, actor: options.Actor = None) -> Answer:
    """Record that a deadline of a request has passed."""
    from governance.cli.actors import actor_of
    from governance.domain.actors import SYSTEM

    who = actor_of(actor) if actor else SYSTEM
    return decided(session, request, lambda governance, key: governance.expire(key, actor=who))


def decided(session: Session, request: str, decide: "Callable[[Governance, str], MutationRequest]") -> Answer:
    """Return what a request is after a decision on it, and what it waits for now.

    Takes the application: its directory and settings have a say in who may decide.
    """
    from governance.cli.documents import request_document

    with session.governed() as governance:
        key = request_id(governance, request)
        after = decide(governance, key)
        waits = governance.explain(key).text
    return Answer({"request": request_document(after)}, lambda: _view(after, waits))


def _view(request: "MutationRequest", waits: str) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    from governance.cli import render
    from governance.cli.text import visible

    steps = [Text(f"next: {step}", style="cyan") for step in render.next_steps(request)]
    return Group(render.title(request), Text(visible(waits, limit=None)), *steps)
