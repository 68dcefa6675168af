"""`gov inbox` and `gov reviews`: what waits for somebody."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from governance.cli import options
from governance.cli.commands import command
from governance.cli.groups import DECIDE, app
from governance.cli.opening import opening, vault_of
from governance.cli.session import Answer, Session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from projections import Views
    from projections.rows import AgendaRow, ApprovalRow

Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=1000, help="At most so many.")]
DUE = {
    "review": "review of broken glass",
    "request-deadline": "deadline of the request: gov expire",
    "approval-deadline": "deadline of an approval: gov expire",
    "execution": "execution: gov execute",
}


@contextmanager
def current_views(session: Session, *names: str, examined: bool = False) -> "Iterator[Views]":
    """Give the views of the store, those named brought up to date before.

    To be `examined`: as they are, personal values sealed, and even if the server could lose events.
    """
    from governance.event_store.settings import RecorderSettings
    from governance.settings import Settings
    from projections import Projections, Views

    session.check_url()
    schema = Settings().database_schema
    settings = RecorderSettings(create_schema=False, database_schema=schema, require_durable=not examined)
    with Projections.open(session.url, settings=settings) as projections:
        for name in names:
            projections.catch_up(name)
    with Views.open(session.url, database_schema=schema) as views:
        yield views if examined else opening(views, vault_of(session))


@command(app, "inbox", DECIDE)
def inbox(session: Session, actor: options.Actor = None, limit: Limit = 50) -> Answer:
    """List what you can decide on now: entitled, in step, in time, not your own, not decided yet. Oldest first."""
    from governance.cli.actors import actor_of

    who = actor_of(actor)
    with current_views(session, "approvals") as views:
        rows = views.inbox(who, limit=limit).items
    roles = ", ".join((*who.roles, *who.groups)) or "no role; name yours with --as NAME:ROLE"
    return Answer({"items": documents_of(rows)}, lambda: _inbox_view(rows, f"Nothing waits for {who.id} ({roles})."))


@command(app, "reviews", DECIDE)
def reviews(session: Session, limit: Limit = 50) -> Answer:
    """List the open reviews of broken glass, the one due first on top."""
    with current_views(session, "agenda") as views:
        rows = views.agenda(due="review", limit=limit).items
    return Answer({"items": documents_of(rows)}, lambda: agenda_view(rows, "No review is open."))


def documents_of(rows: Any) -> list[dict[str, Any]]:
    """Return rows of a view as `--json` shows them."""
    from dataclasses import asdict

    from pydantic import TypeAdapter

    items = [asdict(each) for each in rows]
    dumped: list[dict[str, Any]] = TypeAdapter(list[dict[str, Any]]).dump_python(items, mode="json")
    return dumped


def _inbox_view(rows: "tuple[ApprovalRow, ...]", nothing: str) -> "RenderableType":
    from rich.text import Text

    from governance.cli import render
    from governance.cli.text import short, visible

    if not rows:
        return Text(visible(nothing))
    declared = any(each.reversibility for each in rows)
    lines = []
    for row in rows:
        before = f"{row.decide_before:%Y-%m-%d %H:%M}" if row.decide_before else "never"
        asked = f"{len(row.granted_by)} of {row.quorum}"
        told = (row.requirement_id, row.mutation_type, row.state_id, row.requester, asked, before)
        back = [Text(visible(row.reversibility or "", limit=120), style="dim")] if declared else []
        lines.append((Text(short(row.request_id)), *(Text(visible(each, limit=60)) for each in told), *back))
    titles = ("request", "id", "what", "state", "asked by", "given", "before")
    return render.grid(lines, titles=(*titles, "way back") if declared else titles)


def agenda_view(rows: "tuple[AgendaRow, ...]", nothing: str) -> "RenderableType":
    """Return what is due as a table for people."""
    from rich.text import Text

    from governance.cli import render
    from governance.cli.text import short, visible

    if not rows:
        return Text(nothing)
    lines = []
    for row in rows:
        told = (f"{row.due_at:%Y-%m-%d %H:%M}", DUE.get(row.due, row.due), row.mutation_type, row.state_id)
        lines.append((Text(short(row.request_id)), *(Text(visible(each, limit=60)) for each in told)))
    return render.grid(lines, titles=("request", "due", "what is due", "mutation", "state"))
