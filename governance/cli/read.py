"""`gov show`, `why`, `history` and `state`: looking at requests and states."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from governance.cli import options
from governance.cli.commands import command
from governance.cli.groups import LOOK, app
from governance.cli.session import Answer, Session, request_id
from governance.domain.errors import GovernanceError, InputError
from governance.domain.lifecycle import OPEN

if TYPE_CHECKING:
    from rich.console import RenderableType

    from governance.application import Governance
    from governance.domain.actors import Actor
    from governance.domain.recorded import Recorded
    from governance.domain.request import MutationRequest
    from governance.domain.state import AnyState
    from governance.drifting import DriftReport
    from governance.outcome import Explanation

AnyRequest = Annotated[
    str | None, typer.Argument(metavar="[REQUEST]", help="The id of a request, or its last 4 or more characters.")
]
StateId = Annotated[str, typer.Argument(metavar="ID", help="The id of a governed state.")]
OfState = Annotated[str | None, typer.Option("--state", metavar="ID", help="The versions of this state instead.")]
Version = Annotated[int | None, typer.Option("--version", metavar="N", min=0, help="As it was at this version.")]
At = Annotated[str | None, typer.Option("--at", metavar="TIME", help="As it was then: ISO 8601 with its zone.")]


@command(app, "show", LOOK)
def show(session: Session, request: options.Request) -> Answer:
    """Show a request: how it stands, what it changes, who can act, and everything that happened to it."""
    from governance.cli.documents import request_document
    from governance.cli.timeline import entry

    with session.store() as governance:
        key = request_id(governance, request)
        found, explained, recorded = governance.request(key), governance.explain(key), governance.history(key)
        drift = _drift(governance, found, None)
        document = request_document(found)  # while the earlier lines of its story can still be read
    data = {
        "request": document,
        "explanation": explained.model_dump(mode="json"),
        "drift": drift.model_dump(mode="json") if drift else None,
        "events": [entry(each) for each in recorded],
    }
    return Answer(data, lambda: _shown(found, explained, recorded, drift))


@command(app, "why", LOOK)
def why(session: Session, request: options.Request, actor: options.Actor = None) -> Answer:
    """Say why a request stands where it stands and what would move it on; with --as, whether you may."""
    from governance.cli.actors import actor_of

    who = actor_of(actor) if actor else None
    with session.store() as governance:
        key = request_id(governance, request)
        found, explained = governance.request(key), governance.explain(key, actor=who)
        drift = _drift(governance, found, who)
    data = {**explained.model_dump(mode="json"), "drift": drift.model_dump(mode="json") if drift else None}
    return Answer(data, lambda: _explained(found, explained, drift))


@command(app, "history", LOOK)
def history(session: Session, request: AnyRequest = None, state: OfState = None) -> Answer:
    """Show every event of a request, or every version of a state, oldest first."""
    from governance.cli.timeline import entry

    if (request is None) == (state is None):
        msg = "request_id: give either REQUEST or --state ID"
        raise InputError(msg, field="request_id")
    with session.store() as governance:
        if state is not None:
            recorded = governance.state_history(state)
        else:
            recorded = governance.history(request_id(governance, request or ""))
    data = {"events": [entry(each) for each in recorded]}
    return Answer(data, lambda: _history(recorded))


@command(app, "state", LOOK)
def state(session: Session, state_id: StateId, version: Version = None, at: At = None) -> Answer:
    """Show a governed state: now, at a version, or at a time."""
    from governance.cli.inputs import moment

    when = moment(at, field="at")
    with session.store() as governance:
        found = governance.state(state_id, version=version, at=when)
    data = {**found.model_dump(mode="json", exclude={"value"}), "value": _plain(found.value)}
    return Answer(data, lambda: _state(found, data["value"]))


def _plain(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    return value if dump is None else dump(mode="json", by_alias=True)


def _drift(governance: "Governance", request: "MutationRequest", who: "Actor | None") -> "DriftReport | None":
    """Return what changed since somebody approved an open request; None when nothing has, or it cannot be told."""
    if not any(each.granted_by for each in request.requirements) or request.status not in OPEN:
        return None
    try:
        report = governance.drift(request.id, actor=who)
    except GovernanceError:  # what is wrong with the store is for the audit to say; the request is shown all the same
        return None
    return report if report.changes else None


def _shown(
    request: "MutationRequest",
    explained: "Explanation",
    recorded: "Sequence[Recorded]",
    drift: "DriftReport | None",
) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    from governance.cli import render
    from governance.cli.timeline import titled

    verb = "What it changed" if request.resulting_version is not None else "What it would change"
    steps = [render.indented(Text(step, style="cyan")) for step in render.next_steps(request)]
    return Group(
        render.title(request),
        render.indented(render.facts(request)),
        render.heading(verb, f"on version {request.evaluated_version} of the state"),
        render.indented(render.changes(request.change_set)),
        render.heading("Requirements", f"round {request.round}" if request.round > 1 else ""),
        render.indented(render.requirements(explained.requirements)),
        render.heading("How it stands"),
        render.indented(render.standing(explained)),
        *_since(drift),
        *steps,
        titled("Timeline", recorded),
    )


def _since(drift: "DriftReport | None") -> "list[RenderableType]":
    from rich.text import Text

    from governance.cli import render
    from governance.cli.drift_view import changes_between
    from governance.cli.text import short

    if drift is None:
        return []
    told = f"gov diff {short(drift.request_id)} shows what was approved beside what would run now"
    if drift.to_confirm:
        told += f"; gov reconfirm {short(drift.request_id)} says yes to it again"
    more = Text(told, style="cyan")
    return [*changes_between(drift), render.indented(more)]


def _explained(request: "MutationRequest", explained: "Explanation", drift: "DriftReport | None") -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    from governance.cli import render
    from governance.cli.text import visible

    parts: list[RenderableType] = [render.title(request), render.standing(explained)]
    if explained.requirements:
        parts += [render.heading("Requirements"), render.indented(render.requirements(explained.requirements))]
    for each in explained.requirements:
        if each.actor_may is not None and each.status == "open":
            may = "you may decide on it" if each.actor_may else f"you may not: {visible(each.actor_may_not_because)}"
            parts.append(render.indented(Text(f"{each.id}: {may}", style="green" if each.actor_may else "yellow")))
    parts += _since(drift)
    steps = render.next_steps(request)
    parts += [render.heading("Next")] if steps else []
    return Group(*parts, *(render.indented(Text(step, style="cyan")) for step in steps))


def _history(recorded: "Sequence[Recorded]") -> "RenderableType":
    from rich.text import Text

    from governance.cli.timeline import timeline

    return timeline(recorded) if recorded else Text("Nothing happened to it yet: it has no version.")


def _state(found: "AnyState", value: Any) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    from governance.cli import render
    from governance.cli.text import visible

    kind = f"a {visible(found.type)}" if found.type else "of no known type"
    head = Text.assemble((visible(found.id), "bold"), f"  version {found.version}, {kind}")
    if found.version == 0:
        return Group(head, Text("it does not exist yet; it begins as:", style="dim"), render.value(value))
    since = f"since {render.instant(found.changed_at)}, by request {found.request_id}"
    return Group(head, Text(since, style="dim"), render.value(value))
