"""How drift looks to people: what was approved, what would run now, and what happened in between."""

from rich.console import Group, RenderableType
from rich.text import Text

from governance.cli import render
from governance.cli.text import compact, short, visible
from governance.domain.drift import Shown
from governance.domain.resolution import same_changes
from governance.drifting import ChangeBetween, DriftReport


def drift_view(report: DriftReport) -> RenderableType:
    """Return all of it, and how to say yes again where that is possible."""
    title = Text.assemble(("Request ", "bold"), (report.request_id, "bold"), "  ", render.status(report.status))
    parts: list[RenderableType] = [title, Text(_versions(report)), *_compared(report)]
    if report.changes:
        parts += changes_between(report)
    if report.outcome is not None:
        told = Text.assemble((report.outcome, "bold yellow"), f": {visible(report.reason)}")
        when = "If approved and executed now" if report.status == "pending" else "If executed now"
        parts += [render.heading(when), render.indented(told)]
    if report.to_confirm:
        step = f"gov reconfirm {short(report.request_id)} --as YOU --seen {report.digest}"
        parts += [render.heading("To say yes again"), render.indented(Text(step, style="cyan"))]
    return Group(*parts)


def changes_between(report: DriftReport) -> list[RenderableType]:
    """Return who changed what since the approval, under a title."""
    who = " and ".join(map(visible, report.by))
    title = f"What changed since {who} approved" if who else "What changed since it was evaluated"
    aside = {True: "", False: "nothing of what it reads or writes", None: ""}[report.matters]
    parts: list[RenderableType] = [render.heading(title, aside)]
    if report.left_out:
        parts.append(render.indented(Text(f"{report.left_out:,} earlier changes, and:", style="dim")))
    rows = (_change(each) for each in report.changes)
    return [*parts, render.indented(render.grid(rows, titles=("version", "when", "request", "by", "what", "where")))]


def _change(change: ChangeBetween) -> tuple[Text, ...]:
    where = ", ".join(dict.fromkeys(each.path or "(everything)" for each in change.change_set)) or "nothing"
    cells = (change.version, render.instant(change.at), short(change.request_id), change.requester, change.mutation)
    return *(Text(visible(str(each)) if each is not None else "unknown") for each in cells), Text(visible(where))


def _versions(report: DriftReport) -> str:
    approved = report.approved
    by = f"approved by {', '.join(map(visible, report.by))}" if report.by else "evaluated"
    round_told = f" in round {approved.round}" if report.asked.round > 1 else ""
    if report.now is not None and report.status not in ("pending", "approved"):
        return f"{by}{round_told} on version {approved.version} of {visible(report.state_id)}, ran on {report.current}"
    return f"{by}{round_told} on version {approved.version} of {visible(report.state_id)}, now at {report.current}"


def _compared(report: DriftReport) -> list[RenderableType]:
    parts: list[RenderableType] = _part("What was approved" if report.by else "What was evaluated", report.approved)
    if report.asked.round != report.approved.round:
        parts += _part(f"What round {report.asked.round} asks for", report.asked, report.approved)
    ran = report.status not in ("pending", "approved")
    if report.now is None:
        why = "it did not run" if ran else "give --app to see it"
        return [*parts, render.heading("What would run now", why)]
    return [*parts, *_part("What ran" if ran else "What would run now", report.now, report.approved)]


def _part(title: str, shown: Shown, before: Shown | None = None) -> list[RenderableType]:
    mutation = f"{visible(shown.mutation.type)} {compact(shown.mutation.payload)} on version {shown.version}"
    if before is not None and before.mutation == shown.mutation and same_changes(before.change_set, shown.change_set):
        return [render.heading(title, f"the same, on version {shown.version}")]
    return [render.heading(title, mutation), render.indented(render.changes(shown.change_set))]
