"""`gov doctor`: what waits in vain, what is not as it should be, and what to do about it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from governance.cli.commands import command
from governance.cli.exits import Exit
from governance.cli.groups import STORE, app
from governance.cli.session import Answer, Session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from governance.application import Governance
    from governance.cli.doctor_running import Finding
    from projections import Views
    from projections.rows import AgendaRow, ApprovalRow

PAGE = 500


@command(app, "doctor", STORE)
def doctor(session: Session) -> Answer:
    """Look for what waits in vain: requirements that nobody can meet, what is overdue, and what was not put right.

    Looks also at work that nobody does, effects that are not delivered, executions in doubt, views that do not go on,
    clocks that differ, and settings of the database by which events could be lost. Exit code 1 if anything is found.
    Who could meet a requirement, and which effects have a handler, is asked of your application (--app).
    """
    from governance.cli.doctor_running import findings_of, findings_of_store, findings_of_views
    from governance.cli.waiting import current_views, documents_of

    findings = [*findings_of_store(session), *findings_of_views(session)]
    with current_views(session, "agenda", "approvals", "requests", require_durable=False) as views:
        left = views.requests(decision="CompensationFailed", status="executed", limit=PAGE).items
        overdue = views.agenda(due=["review", "request-deadline", "approval-deadline"], due_to=datetime.now(UTC)).items
        waiting = list(_waiting(views))
    with session.examined() as governance:
        writers = [each.model_dump() for each in governance.log.event_recorder.open_writers()]
        hopeless = [found for row in waiting if (found := _hopeless(governance, row)) is not None]
        wrong = [_not_put_right(governance, row.request_id) for row in left]
        findings += findings_of(governance, handlers_known=bool(session.app))
    data = {
        "overdue": documents_of(overdue),
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
    from governance.cli.waiting import agenda_view

    if not (overdue or hopeless or wrong or found):
        return Text("Nothing waits in vain.")
    parts: list[RenderableType] = []
    if overdue:
        parts += [render.heading("Overdue"), render.indented(agenda_view(overdue, ""))]
    for each in hopeless:
        who, people = ", ".join(each["who"]), ", ".join(each["people"]) or "nobody"
        told = f"requirement {each['requirement_id']} needs {each['missing']} more by {who}; {people} could decide"
        parts.append(Text(visible(f"{short(each['request_id'])}: {told}: gov reassign", limit=400)))
    for each in wrong:
        told = f"was not put right ({each.get('reason')}); {each.get('owner') or 'somebody'} has to see to it"
        parts.append(Text(visible(f"{short(each['request_id'])} {told}: gov compensate", limit=400)))
    parts += [Text(visible(f"{each.what}: {each.next}", limit=400)) for each in found]
    return Group(*parts)
