"""`gov doctor`: what waits in vain, what is not as it should be, and what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from governance.cli.commands import command
from governance.cli.exits import Exit
from governance.cli.groups import STORE, app
from governance.cli.session import Answer, Session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from governance.app import App
    from governance.cli.doctor_finding import Examined, Finding
    from governance.cli.doctor_holders import Holders

NAMED: Final = 3
"""How many requests a line for people names."""
_DEADLINES: Final = ("review", "request-deadline", "approval-deadline")
_LISTS: Final = ("overdue", "unsatisfiable", "not_put_right")


@command(app, "doctor", STORE)
def doctor(session: Session) -> Answer:
    """Look for what waits in vain: requirements that nobody can meet, what is overdue, and what was not put right.

    Looks also at conditions that will not be met as things stand, delegations and rights that help nobody, work that
    nobody does or that fails, effects that are not delivered, views that do not go on, clocks that differ, and settings
    of the database by which events could be lost. Exit code 1 if anything is found. Who could meet a requirement, and
    which checks and effects somebody answers for, is asked of your application (--app).
    """
    from governance.cli.doctor_running import findings_of_store, findings_of_views
    from governance.cli.doctor_ways_out import unheld

    findings = [*findings_of_store(session), *findings_of_views(session)]
    with _examined(session, findings) as examined:
        data = _lists(examined)
        findings += _findings(examined, data)
        roles = unheld(examined)
    data |= {"findings": [each.model_dump() for each in findings], "unheld_roles": roles}
    ill = bool(findings or any(data[each] for each in _LISTS))
    return Answer(data, lambda: _view(data, findings), Exit.ERROR if ill else Exit.DONE)


@contextmanager
def _examined(session: Session, findings: "list[Finding]") -> "Iterator[Examined]":
    """Give what is looked at; that its directory does not answer is added to the findings."""
    from governance.cli.doctor_finding import Examined, Finding
    from governance.cli.waiting import current_views
    from governance.domain.errors import DirectoryUnavailableError

    app = session.application()
    with (
        current_views(session, "agenda", "approvals", "requests", examined=True) as views,
        session.examined(app) as governance,
        _holders(app, governance.settings.budget_seconds) as holders,
    ):
        try:
            known = holders.role(governance.settings.break_glass_role) is not None if holders else False
        except DirectoryUnavailableError as error:
            known = False
            findings.append(
                Finding(kind="directory", what=error.message, next="who could decide is not known till then")
            )
        yield Examined(views, governance, holders if known else None, datetime.now(UTC), bool(session.app))


@contextmanager
def _holders(app: "App", budget_seconds: float) -> "Iterator[Holders | None]":
    from governance.cli.doctor_holders import Holders
    from governance.directory import DirectoryLookup

    if app.directory is None:
        yield None
        return
    directory = DirectoryLookup(app.directory, timeout_seconds=budget_seconds)
    try:
        yield Holders(directory)
    finally:
        directory.close()


def _lists(examined: "Examined") -> dict[str, Any]:
    from governance.cli.doctor_approvals import unsatisfiable
    from governance.cli.doctor_finding import PAGE
    from governance.cli.waiting import documents_of

    hopeless, more = unsatisfiable(examined)
    left = examined.views.requests(decision="CompensationFailed", status="executed", limit=PAGE).items
    overdue = examined.views.agenda(due=_DEADLINES, due_to=examined.now, limit=PAGE).items
    writers = examined.governance.log.event_recorder.open_writers()
    return {
        "overdue": documents_of(overdue),
        "unsatisfiable": hopeless,
        "more_unsatisfiable": more,
        "not_put_right": [_not_put_right(examined, row.request_id) for row in left],
        "open_writers": [each.model_dump() for each in writers],
    }


def _findings(examined: "Examined", data: dict[str, Any]) -> "list[Finding]":
    from governance.cli.doctor_approvals import dead_delegations
    from governance.cli.doctor_conditions import stuck_conditions
    from governance.cli.doctor_running import MANY, findings_of
    from governance.cli.doctor_ways_out import dead_ways_out
    from governance.cli.doctor_work import undone_work

    governance = examined.governance
    running = [*findings_of(governance, handlers_known=examined.app_known)]
    parked = frozenset(each.request_id for each in governance.outstanding_effects("parked", limit=MANY))
    found = [*dead_delegations(examined), *stuck_conditions(examined, parked), *undone_work(examined), *running]
    return [*found, *dead_ways_out(examined, found, data["unsatisfiable"])]


def _not_put_right(examined: "Examined", request_id: str) -> dict[str, Any]:
    """Return why an executed request was not put right, and who has to see to it."""
    failure = examined.governance.request(request_id).compensation_failure
    told = failure.model_dump(mode="json") if failure is not None else {}
    return {"request_id": request_id, **told}


def _view(data: dict[str, Any], found: "list[Finding]") -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    from governance.cli.text import visible

    told = [*_overdue(data["overdue"]), *_hopeless(data), *_left(data["not_put_right"])]
    told += [f"{each.what}{_which(each)}: {each.next}" for each in found]
    parts = [Text(visible(each, limit=600)) for each in told or ["Nothing waits in vain."]]
    notes = [f"Nobody holds the role {each['role']} ({each['gives']})." for each in data["unheld_roles"]]
    return Group(*parts, *(Text(visible(each), style="dim") for each in notes))


def _overdue(rows: list[dict[str, Any]]) -> Iterator[str]:
    from governance.cli.text import short
    from governance.cli.waiting import DUE

    for row in rows:
        what = f"{row['mutation_type']} of {row['state_id']}"
        yield f"{short(row['request_id'])}: overdue since {row['due_at']}: {DUE.get(row['due'], row['due'])}, {what}"


def _hopeless(data: dict[str, Any]) -> Iterator[str]:
    from governance.cli.text import short

    for each in data["unsatisfiable"]:
        who, people = ", ".join(each["who"]), ", ".join(each["people"]) or "nobody"
        told = f"requirement {each['requirement_id']} needs {each['missing']} more by {who}; {people} could decide"
        yield f"{short(each['request_id'])}: {told}: gov reassign"
    if data["more_unsatisfiable"]:
        yield f"{data['more_unsatisfiable']:,} more requirements seem to be like that: gov doctor again after those"


def _left(rows: list[dict[str, Any]]) -> Iterator[str]:
    from governance.cli.text import short

    for each in rows:
        told = f"was not put right ({each.get('reason')}); {each.get('owner') or 'somebody'} has to see to it"
        yield f"{short(each['request_id'])} {told}: gov compensate"


def _which(found: "Finding") -> str:
    from governance.cli.text import short

    named = [f"{short(each.request_id)} {each.requirement_id or ''}".rstrip() for each in found.requests[:NAMED]]
    more = f" and {found.count - NAMED:,} more" if found.requests and found.count > NAMED else ""
    return f" ({', '.join(named)}{more})" if named else ""
