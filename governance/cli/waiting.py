"""`gov inbox`, `gov reviews` and `gov doctor`: what waits for somebody, and what waits in vain."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from governance.cli import options
from governance.cli.commands import command
from governance.cli.exits import Exit
from governance.cli.groups import DECIDE, STORE, app
from governance.cli.opening import opening, vault_of
from governance.cli.session import Answer, Session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from governance.application import Governance
    from governance.cli.doctor import Finding
    from projections import Views
    from projections.rows import AgendaRow, ApprovalRow

Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=1000, help="At most so many.")]
PAGE = 500
_DUE = {
    "review": "review of broken glass",
    "request-deadline": "deadline of the request: gov expire",
    "approval-deadline": "deadline of an approval: gov expire",
    "execution": "execution: gov execute",
}


@contextmanager
def current_views(session: Session, *names: str) -> "Iterator[Views]":
    """Give the views of the store, those named brought up to date before."""
    from governance.event_store.settings import RecorderSettings
    from governance.settings import Settings
    from projections import Projections, Views

    session.check_url()
    schema = Settings().database_schema
    settings = RecorderSettings(create_schema=False, database_schema=schema)
    with Projections.open(session.url, settings=settings) as projections:
        for name in names:
            projections.catch_up(name)
    with Views.open(session.url, database_schema=schema) as views:
        yield opening(views, vault_of(session))


@command(app, "inbox", DECIDE)
def inbox(session: Session, actor: options.Actor = None, limit: Limit = 50) -> Answer:
    """List what you can decide on now: entitled, in step, in time, not your own, not decided yet. Oldest first."""
    from governance.cli.actors import actor_of

    who = actor_of(actor)
    with current_views(session, "approvals") as views:
        rows = views.inbox(who, limit=limit).items
    roles = ", ".join((*who.roles, *who.groups)) or "no role; name yours with --as NAME:ROLE"
    return Answer({"items": _documents(rows)}, lambda: _inbox_view(rows, f"Nothing waits for {who.id} ({roles})."))


@command(app, "reviews", DECIDE)
def reviews(session: Session, limit: Limit = 50) -> Answer:
    """List the open reviews of broken glass, the one due first on top."""
    with current_views(session, "agenda") as views:
        rows = views.agenda(due="review", limit=limit).items
    return Answer({"items": _documents(rows)}, lambda: _agenda_view(rows, "No review is open."))


@command(app, "doctor", STORE)
def doctor(session: Session) -> Answer:
    """Look for what waits in vain: requirements that nobody can meet, what is overdue, and what was not put right.

    Looks also at work that nobody does, effects that are not delivered, executions in doubt, views that do not go on,
    clocks that differ, and settings of the database by which events could be lost. Exit code 1 if anything is found.
    Who could meet a requirement, and which effects have a handler, is asked of your application (--app).
    """
    from governance.cli.doctor import findings_of, findings_of_store, findings_of_views

    findings = [*findings_of_store(session), *findings_of_views(session)]
    with current_views(session, "agenda", "approvals", "requests") as views:
        left = views.requests(decision="CompensationFailed", status="executed", limit=PAGE).items
        overdue = views.agenda(due=["review", "request-deadline", "approval-deadline"], due_to=datetime.now(UTC)).items
        waiting = list(_waiting(views))
    with session.store() as governance:
        writers = [each.model_dump() for each in governance.log.event_recorder.open_writers()]
        hopeless = [found for row in waiting if (found := _hopeless(governance, row)) is not None]
        wrong = [_not_put_right(governance, row.request_id) for row in left]
        findings += findings_of(governance, handlers_known=bool(session.app))
    data = {
        "overdue": _documents(overdue),
        "unsatisfiable": hopeless,
        "not_put_right": wrong,
        "findings": [each.model_dump() for each in findings],
        "open_writers": writers,
    }
    ill = bool(overdue or hopeless or wrong or findings)
    return Answer(data, lambda: _doctor_view(overdue, hopeless, wrong, findings), Exit.ERROR if ill else Exit.DONE)


def _not_put_right(governance: "Governance", request_id: str) -> dict[str, Any]:
    """Return why an executed request was not put right, and who has to see to it."""
    failure = governance.request(request_id).compensation_failure
    told = failure.model_dump(mode="json") if failure is not None else {}
    return {"request_id": request_id, **told}


def _waiting(views: "Views") -> "Iterator[ApprovalRow]":
    after: str | None = None
    while True:
        page = views.approvals(status="open", request_status="pending", limit=PAGE, after=after)
        yield from page.items
        after = page.next
        if after is None:
            return


def _hopeless(governance: Any, row: "ApprovalRow") -> dict[str, Any] | None:
    """Return the requirement if fewer people can decide on it now than it still needs, as far as that is known."""
    for each in governance.explain(row.request_id).requirements:
        if each.id == row.requirement_id and each.people is not None and len(each.people) < each.missing:
            return {
                "request_id": row.request_id,
                "requirement_id": each.id,
                "missing": each.missing,
                "people": list(each.people),
                "who": list(each.who),
            }
    return None


def _documents(rows: Any) -> list[dict[str, Any]]:
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


def _agenda_view(rows: "tuple[AgendaRow, ...]", nothing: str) -> "RenderableType":
    from rich.text import Text

    from governance.cli import render
    from governance.cli.text import short, visible

    if not rows:
        return Text(nothing)
    lines = []
    for row in rows:
        told = (f"{row.due_at:%Y-%m-%d %H:%M}", _DUE.get(row.due, row.due), row.mutation_type, row.state_id)
        lines.append((Text(short(row.request_id)), *(Text(visible(each, limit=60)) for each in told)))
    return render.grid(lines, titles=("request", "due", "what is due", "mutation", "state"))


def _doctor_view(
    overdue: "tuple[AgendaRow, ...]",
    hopeless: list[dict[str, Any]],
    wrong: list[dict[str, Any]],
    found: "list[Finding]",
) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    from governance.cli import render
    from governance.cli.text import short, visible

    if not (overdue or hopeless or wrong or found):
        return Text("Nothing waits in vain.")
    parts: list[RenderableType] = []
    if overdue:
        parts += [render.heading("Overdue"), render.indented(_agenda_view(overdue, ""))]
    for each in hopeless:
        who, people = ", ".join(each["who"]), ", ".join(each["people"]) or "nobody"
        told = f"requirement {each['requirement_id']} needs {each['missing']} more by {who}; {people} could decide"
        parts.append(Text(visible(f"{short(each['request_id'])}: {told}: gov reassign", limit=400)))
    for each in wrong:
        told = f"was not put right ({each.get('reason')}); {each.get('owner') or 'somebody'} has to see to it"
        parts.append(Text(visible(f"{short(each['request_id'])} {told}: gov compensate", limit=400)))
    parts += [Text(visible(f"{each.what}: {each.next}", limit=400)) for each in found]
    return Group(*parts)
