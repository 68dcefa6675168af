"""How requests, states and changes look to people."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from difflib import ndiff
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from governance.cli.text import compact, pretty, short, visible
from governance.domain.changes import Change
from governance.domain.request import MutationRequest, OpenedRequirement
from governance.outcome import Explanation, Held, Outcome, RequirementExplanation

STATUS_STYLES = {
    "pending": "bold yellow",
    "approved": "bold cyan",
    "executed": "bold green",
    "compensated": "bold magenta",
    "rejected": "bold red",
    "failed": "bold red",
    "expired": "bold red",
}
_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "replaced": ("~", "yellow")}
_LINES = {"+ ": "green", "- ": "red"}
INDENT = (0, 0, 0, 2)


def status(value: str) -> Text:
    """Return the status in its colour."""
    return Text(value.upper(), style=STATUS_STYLES.get(value, "bold"))


def instant(moment: datetime | None) -> str:
    """Return a time in UTC, to the second."""
    return f"{moment:%Y-%m-%d %H:%M:%S}Z" if moment is not None else "never"


def heading(text: str, aside: str = "") -> Text:
    """Return the title of a part, with a quieter remark behind it."""
    return Text.assemble("\n", (text, "bold"), (f"  {aside}" if aside else "", "dim"))


def indented(content: RenderableType) -> Padding:
    """Return the content, moved in."""
    return Padding(content, INDENT)


def grid(rows: Iterable[Sequence[RenderableType]], *, titles: Sequence[str] = (), whole: int = 0) -> Table:
    """Return rows in aligned columns without lines; the first `whole` columns are cut rather than folded."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=bool(titles), header_style="dim")
    for number, title in enumerate(titles):
        table.add_column(title, no_wrap=number < whole, overflow="ellipsis" if number < whole else "fold")
    for row in rows:
        table.add_row(*row)
    return table


def changes(change_set: Sequence[Change]) -> RenderableType:
    """Return what changes, before and after."""
    if not change_set:
        return Text("nothing", style="dim")
    return grid(map(_change, change_set), titles=("", "what", "before", "after"))


def change_lines(change_set: Sequence[Change]) -> RenderableType:
    """Return what changes, without titles, for where there is little room."""
    return grid(map(_change, change_set))


def _change(change: Change) -> tuple[Text, ...]:
    sign, style = _SIGNS[change.kind]
    before = "" if change.kind == "added" else compact(change.old)
    after = "" if change.kind == "removed" else compact(change.new)
    what = Text(visible(change.path) or "(everything)")
    return Text(sign, style=style), what, Text(before, style="red"), Text(after, style="green")


class Verbatim:
    """Text that is printed as it is, however long its lines are: for what programs read."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield it in one piece."""
        yield Segment(self.text)


def value(content: Any) -> Text:
    """Return a JSON value, indented."""
    return Text("\n".join(pretty(content)))


def difference(before: Any, after: Any) -> Text:
    """Return two JSON values as one, with the lines that went and came marked."""
    was, becomes = ([line.rstrip(",") for line in pretty(content)] for content in (before, after))
    lines = [line for line in ndiff(was, becomes) if not line.startswith("? ")]
    return Text("\n").join(Text(line, style=_LINES.get(line[:2], "")) for line in lines)


def title(request: MutationRequest) -> Text:
    """Return the first lines about a request: which, how it stands, what it asks for, who asked and why."""
    asked = f"{visible(request.mutation.type)} on {visible(request.state_id)}"
    why = f"\n{visible(request.requester.id)}: {visible(request.reason)}"
    return Text.assemble(("Request ", "bold"), (request.id, "bold"), "  ", status(request.status), f"\n{asked}", why)


def facts(request: MutationRequest) -> RenderableType:
    """Return what else is known of a request, a line each."""
    links = {
        "compensates": request.links.compensates,
        "compensated by": request.links.compensated_by,
        "supersedes": request.links.supersedes,
        "superseded by": request.links.superseded_by,
    }
    rows = [
        ("asked at", instant(request.created_at)),
        ("payload", compact(request.mutation.payload)),
        ("if the state has moved", request.stale),
        *([("way back", visible(request.reversibility, limit=None))] if request.reversibility else []),
        *([("expires at", instant(request.expires_at))] if request.expires_at else []),
        *((name, other) for name, other in links.items() if other),
        *([("ended because", visible(request.ended_because))] if request.ended_because else []),
        *([("made version", str(request.resulting_version))] if request.resulting_version is not None else []),
    ]
    return grid((Text(name, style="dim"), Text(str(what))) for name, what in rows)


def requirements(explained: Sequence[RequirementExplanation]) -> RenderableType:
    """Return the requirements of the current round: how far each is, and who can supply the rest."""
    if not explained:
        return Text("none: nobody had to approve", style="dim")
    return grid(map(_requirement, explained), titles=("id", "step", "status", "given", "who or what can", "before"))


def _requirement(each: RequirementExplanation) -> tuple[Text, ...]:
    given = f"{len(each.granted_by)} of {each.quorum}" if each.kind == "approval" else visible(each.kind)
    by = f" ({', '.join(map(visible, each.granted_by))})" if each.granted_by else ""
    style = {"satisfied": "green", "open": "yellow"}.get(each.status, "red")
    named = f"{each.id} {visible(each.name)}" if each.name else each.id
    who = " or ".join(map(visible, each.who))
    cells = (Text(named), Text(str(each.step)), Text(each.status, style=style), Text(given + by), Text(who))
    return *cells, Text(instant(each.expires_at))


def next_steps(request: MutationRequest) -> list[str]:
    """Return the commands that would move the request on."""
    ending = short(request.id)
    match request.status:
        case "pending":
            steps = min((each.approval.step for each in request.open_approvals), default=1)
            active = [each for each in request.open_approvals if each.approval.step == steps]
            return [f"gov approve {ending} --as {_who(each)}" for each in active]
        case "approved":
            return [f"gov execute {ending} --as YOU"]
        case "executed":
            return [f"gov compensate {ending} --as YOU --reason WHY"]
    return []


def _who(opened: OpenedRequirement) -> str:
    approver = opened.approval.approvers[0]
    match approver.kind:
        case "actor":
            return visible(approver.id)
        case "role":
            return f"YOU:{visible(approver.id)}"
        case "group":
            return f"YOU:group={visible(approver.id)}"


def standing(explanation: Explanation) -> Text:
    """Return in a sentence why the request stands where it stands, and whether there is a way back."""
    back = f"\nway back: {visible(explanation.reversibility, limit=None)}" if explanation.reversibility else ""
    holds = [f"\nheld: {told}" for told in held(explanation.held) if told not in explanation.text]
    return Text(f"{visible(explanation.text, limit=None)}{''.join(holds)}{back}")


def held(holds: Sequence[Held]) -> list[str]:
    """Return what would keep a request from running now, and until when at the soonest."""
    untils = (each.until.isoformat() if each.until else "" for each in holds)
    return [
        visible(each.because if until in each.because else f"{each.because}, at the soonest at {until}", limit=None)
        for each, until in zip(holds, untils, strict=True)
    ]


def outcome(result: Outcome) -> RenderableType:
    """Return what came of an execution."""
    request, resolution = result.request, result.resolution
    parts: list[RenderableType] = [title(request)]
    if resolution is not None:
        parts.append(Text(f"{resolution.outcome}: {visible(resolution.reason)}"))
    if result.executed:
        parts += [
            Text(f"version {result.resulting_version} of {visible(request.state_id)}"),
            changes(result.change_set),
        ]
    elif request.ended_because:
        parts.append(Text(visible(request.ended_because)))
    return Group(*parts)
