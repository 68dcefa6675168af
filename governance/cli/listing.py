"""`gov list`: the requests of the store, newest first, from the view of them, brought up to date before."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from governance.cli.commands import command
from governance.cli.groups import LOOK, app
from governance.cli.session import Answer, Session
from governance.domain.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from projections import Page, RequestRow

_TITLES = ("request", "status", "what", "state", "asked by", "on", "")
_ROOM = (8, 11, 11, 14, 5, 10, 0)
"""How many characters of each column are there even on a narrow terminal."""
STATUSES = ("pending", "approved", "executed", "compensated", "rejected", "canceled", "expired", "superseded", "failed")
RISKS = ("low", "medium", "high", "critical")

Status = Annotated[
    list[str] | None,
    typer.Option(
        "--status", metavar="STATUS", help=f"{', '.join(STATUSES)}. Repeat for several, as with all of these."
    ),
]
Pending = Annotated[list[str] | None, typer.Option("--pending", metavar="REASON", help="What it waits for: approval.")]
State = Annotated[list[str] | None, typer.Option("--state", metavar="ID", help="The state that is to be changed.")]
Requester = Annotated[list[str] | None, typer.Option("--requester", metavar="NAME", help="Who asked.")]
Mutation = Annotated[list[str] | None, typer.Option("--mutation", metavar="NAME", help="What was asked for.")]
Risk = Annotated[list[str] | None, typer.Option("--risk", metavar="RISK", help=f"{', '.join(RISKS)}.")]
Tag = Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="With this tag; repeat for more tags.")]
Words = Annotated[str | None, typer.Option("--text", metavar="TEXT", help="The reason contains this.")]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="Asked at this time or later: ISO 8601.")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Asked at this time or earlier.")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=1000, help="At most so many.")]
After = Annotated[str | None, typer.Option("--after", metavar="CURSOR", help="Go on behind an earlier page.")]


@command(app, "list", LOOK)
def list_requests(
    session: Session,
    status: Status = None,
    pending: Pending = None,
    state: State = None,
    requester: Requester = None,
    mutation: Mutation = None,
    risk: Risk = None,
    tag: Tag = None,
    text: Words = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    after: After = None,
) -> Answer:
    """List requests, newest first."""
    from governance.cli.inputs import moment

    asked = {
        "status": _known(status, STATUSES, "status"),
        "pending_reason": pending or None,
        "state_id": state or None,
        "requester": requester or None,
        "mutation_type": mutation or None,
        "risk": _known(risk, RISKS, "risk"),
        "tags_all": tag or None,
        "text": text,
        "created_from": moment(since, field="since"),
        "created_to": moment(until, field="until"),
    }
    page = _page(session, {**asked, "limit": limit, "after": after})
    return Answer(_document(page), lambda: _view(page))


def _known(given: list[str] | None, known: tuple[str, ...], field: str) -> list[str] | None:
    unknown = next((each for each in given or () if each not in known), None)
    if unknown is not None:
        msg = f"{field}: {unknown!r} is not one of {', '.join(known)}"
        raise InputError(msg, field=field)
    return given or None


def _page(session: Session, asked: dict[str, Any]) -> "Page[RequestRow]":
    from governance.cli.waiting import current_views

    with current_views(session, "requests") as views:
        return views.requests(**asked)


def _document(page: "Page[RequestRow]") -> dict[str, Any]:
    from dataclasses import asdict

    from pydantic import TypeAdapter

    items = TypeAdapter(list[dict[str, Any]]).dump_python([asdict(each) for each in page.items], mode="json")
    return {"items": items, "next": page.next, "position": page.position}


def _view(page: "Page[RequestRow]") -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    from governance.cli import render

    if not page.items:
        return Text("No request matches.")
    rows = [_row(row) for row in page.items]
    table = render.grid(rows, titles=_TITLES, whole=len(_TITLES))
    for number, (column, room) in enumerate(zip(table.columns, _ROOM, strict=True)):
        column.min_width = min(room, max(row[number].cell_len for row in rows))
    parts: list[RenderableType] = [table]
    if page.next is not None:
        parts.append(Text(f"more: --after {page.next}", style="dim"))
    return Group(*parts)


def _row(row: "RequestRow") -> "tuple[Text, ...]":
    from rich.text import Text

    from governance.cli import render
    from governance.cli.text import short, visible

    waits = f"waits for {', '.join(row.pending_reasons)}" if row.status == "pending" else row.ended_because or ""
    told = (row.mutation_type, row.state_id, row.requester, f"{row.created_at:%Y-%m-%d}", waits)
    return Text(short(row.request_id)), render.status(row.status), *(Text(visible(each, limit=60)) for each in told)
