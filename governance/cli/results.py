"""How commands that ask and run end: what is shown, and which exit code."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from governance.cli import render
from governance.cli.exits import Exit
from governance.cli.text import visible
from governance.domain.lifecycle import Status
from governance.domain.request import MutationRequest, OpenedRequirement
from governance.outcome import Held, Outcome
from governance.wording import asked_for, who_meets


def exit_after_submission(request: MutationRequest) -> Exit:
    """Return 0 for what was stored and may go on (or has gone on), 4 for what a rule refused."""
    refused = {Status.REJECTED, Status.EXPIRED, Status.FAILED}
    return Exit.REFUSED if request.status in refused else Exit.DONE


def exit_after_execution(outcome: Outcome) -> Exit:
    """Return 0 when it ran, 3 when it waits, 5 when it was stale, 4 when a rule ended it, 1 when it failed."""
    request = outcome.request
    if outcome.executed:
        return Exit.DONE
    if request.status is Status.PENDING:
        return Exit.PENDING
    if outcome.resolution is not None and outcome.resolution.outcome == "rejected_as_stale":
        return Exit.CONFLICT
    if request.status in {Status.APPROVED, Status.FAILED}:
        return Exit.ERROR
    return Exit.CONFLICT if request.end_code == "stale" else Exit.REFUSED


def submitted_view(outcome: Outcome, *, quiet: bool, dry_run: bool, held: Sequence[Held] = ()) -> RenderableType:
    """Return what came of asking: the request, what it would change, what it waits for, and what would hold it now."""
    request = outcome.request
    if quiet:
        return Text(request.id)
    if outcome.executed:
        return render.outcome(outcome)
    parts: list[RenderableType] = [Text("Dry run: nothing is stored.", style="bold")] if dry_run else []
    parts.append(render.title(request))
    if request.ended_because:
        return Group(*parts, Text(visible(request.ended_because), style="red"))
    parts += [render.heading("What would change", f"on version {request.evaluated_version}")]
    parts += [render.indented(render.changes(request.change_set))]
    parts += [Text(f"\nway back: {visible(request.reversibility)}")] if request.reversibility else []
    return Group(*parts, *_going_on(request, dry_run=dry_run), *_held(held))


def _held(held: Sequence[Held]) -> list[RenderableType]:
    told = [render.indented(Text(each, style="yellow")) for each in render.held(held)]
    return [render.heading("What would hold it now"), *told] if told else []


def _going_on(request: MutationRequest, *, dry_run: bool) -> list[RenderableType]:
    needs = [Text(f"{_needs(each)}", style="yellow") for each in request.open_requirements]
    parts: list[RenderableType] = [render.heading("What it needs"), *map(render.indented, needs)] if needs else []
    steps = [] if dry_run else render.next_steps(request)
    if steps:
        parts += [render.heading("Next"), *(render.indented(Text(step, style="cyan")) for step in steps)]
    return parts


def _needs(opened: OpenedRequirement) -> str:
    before = f", before {render.instant(opened.expires_at)}" if opened.expires_at else ""
    return f"{opened.id}  {visible(_asked(opened), limit=None)}{before}"


def _asked(opened: OpenedRequirement) -> str:
    if not opened.is_approval:
        return asked_for(opened.asked)
    who = " or ".join(who_meets(opened.asked))
    return f"{'1 approval' if opened.missing == 1 else f'{opened.missing} approvals'} by {who}"


def mutations_view(described: list[dict[str, Any]]) -> RenderableType:
    """Return every mutation with its fields."""
    if not described:
        return Text("The application declares no mutation.")
    return Group(*(_mutation(each) for each in described))


def _mutation(each: dict[str, Any]) -> RenderableType:
    schema, intent = each["schema"], each["intent"]
    needed = set(schema.get("required", ()))
    rows = [
        (Text(visible(name)), Text(_type(field)), Text("" if name in needed else "optional", style="dim"))
        for name, field in schema.get("properties", {}).items()
    ]
    about = f"changes {visible(each['state_type'])}, risk {intent['risk']}"
    first = visible(each["description"].split("\n")[0]) if each["description"] else ""
    parts: list[RenderableType] = [render.heading(visible(each["type"]), about)]
    parts += [render.indented(Text(first))] if first else []
    return Group(*parts, render.indented(render.grid(rows) if rows else Text("no fields", style="dim")))


def _type(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_type(each) for each in field["anyOf"])
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    kind = str(field.get("type", "any"))
    inner = field.get("items")
    return f"{kind} of {_type(inner)}" if isinstance(inner, dict) and inner else kind
