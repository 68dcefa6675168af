"""The story of a request or a state, for people: every event as a sentence with what belongs to it, as text or HTML."""

from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from governance.cli.render import heading, indented
from governance.cli.text import compact, visible
from governance.cli.timeline import sentence
from governance.domain import events
from governance.domain.changes import Change
from governance.domain.recorded import Recorded

if TYPE_CHECKING:
    from governance.audit.replay import Step

Detail = tuple[str, str]
Entry = dict[str, Any]
_SIGNS: Final = {"added": "+", "removed": "-", "replaced": "~"}


def entries(steps: "Sequence[Step]") -> list[Entry]:
    """Return the events of one stream for people; texts are whole, and are escaped where they are shown."""
    told = _Told()
    return [_entry(step.recorded, told) for step in steps]


class _Told:
    """What was told before: on which version, under which policies, and what there was to approve."""

    def __init__(self) -> None:
        self.evaluated: events.PoliciesEvaluated | None = None
        self.mutation: events.Created | events.Amended | None = None

    def take(self, event: Any) -> None:
        if isinstance(event, events.PoliciesEvaluated):
            self.evaluated = event
        elif isinstance(event, events.Created | events.Amended):
            self.mutation = event


def _entry(recorded: Recorded, told: _Told) -> Entry:
    told.take(recorded.event)
    details = _DETAILS.get(type(recorded.event))
    return {
        "position": recorded.position,
        "version": recorded.version,
        "at": recorded.at.isoformat(),
        "who": _who(recorded),
        "type": type(recorded.event).__name__,
        "category": recorded.event.category,
        "what": sentence(recorded.event),
        "details": [*(details(recorded.event, told) if details else ())],
    }


def _who(recorded: Recorded) -> str:
    by = recorded.by
    name = f" ({by.name})" if by.name else ""
    behalf = f", on behalf of {by.on_behalf_of}" if by.on_behalf_of else ""
    how = f", authenticated by {by.authenticated_by}" if by.authenticated_by else ""
    kind = "" if by.kind == "user" else f", {by.kind}"
    return f"{by.id}{name}{kind}{behalf}{how}"


def _created(event: events.Created, told: _Told) -> Iterator[Detail]:
    yield "mutation", f"{event.mutation.type} version {event.mutation.version} {compact(event.mutation.payload)}"
    yield "digest", event.mutation_digest
    if event.compensates:
        yield "puts right", f"request {event.compensates.request_id} ({event.compensates.kind})"
    if event.supersedes:
        yield "takes the place of", f"request {event.supersedes}"
    if event.expires_at:
        yield "has until", event.expires_at.isoformat()


def _evaluated(event: events.PoliciesEvaluated, told: _Told) -> Iterator[Detail]:
    yield "policies", event.policy_set or "none"
    yield "state seen", f"version {event.state_version}, {event.state_digest}"
    for verdict in event.verdicts:
        yield f"policy {verdict.policy}", f"{verdict.decision}{f': {verdict.reason}' if verdict.reason else ''}"
    yield from _changes("would change", event.change_set)


def _opened(event: events.PendingApproval, told: _Told) -> Iterator[Detail]:
    yield "to be approved", event.digest
    yield "quorum", f"{event.requirement.quorum}, step {event.requirement.step}"
    if event.expires_at:
        yield "deadline", event.expires_at.isoformat()


def _voted(event: events.ApprovalGranted | events.ApprovalRejected, told: _Told) -> Iterator[Detail]:
    yield "entitled as", str(event.matched)
    if event.delegated_by:
        yield "in place of", event.delegated_by
    yield "had seen", event.digest
    if told.mutation is not None and told.evaluated is not None:
        mutation, version = told.mutation.mutation, told.evaluated.state_version
        yield (
            "that is",
            f"{mutation.type} {compact(mutation.payload)} on version {version}, round {told.evaluated.round}",
        )
    if event.comment:
        yield "comment", event.comment


def _resolved(event: events.VersionResolved, told: _Told) -> Iterator[Detail]:
    yield "versions", f"evaluated {event.expected}, found {event.current}; by strategy {event.strategy}"
    for drift in event.drift:
        yield "meanwhile", f"version {drift.version} by request {drift.request_id}: {', '.join(drift.paths)}"


def _executed(event: events.Executed, told: _Told) -> Iterator[Detail]:
    yield "made", f"version {event.version} of {event.state_id}, {event.digest}"
    yield from _changes("changed", event.change_set)
    for effect in event.effects:
        yield "effect", f"{effect.contract} {compact(effect.payload)}"


def _changed(event: events.StateChanged, told: _Told) -> Iterator[Detail]:
    yield "by request", event.request_id
    yield "digest", event.digest
    yield from _changes("changed", event.change_set)


def _compensated(event: events.Compensated | events.CompensationFailed, told: _Told) -> Iterator[Detail]:
    if event.by is not None:
        yield "by request", event.by
    if isinstance(event, events.CompensationFailed) and event.owner is not None:
        yield "to be seen to by", event.owner


def _changes(label: str, changes: Sequence[Change]) -> Iterator[Detail]:
    for change in changes:
        before = "" if change.kind == "added" else compact(change.old)
        after = "" if change.kind == "removed" else compact(change.new)
        yield (
            label,
            f"{_SIGNS[change.kind]} {change.path or '(everything)'} {' → '.join(filter(None, (before, after)))}",
        )


_DETAILS: Final[dict[type, Callable[[Any, _Told], Iterator[Detail]]]] = {
    events.Created: _created,
    events.PoliciesEvaluated: _evaluated,
    events.PendingApproval: _opened,
    events.ApprovalGranted: _voted,
    events.ApprovalRejected: _voted,
    events.VersionResolved: _resolved,
    events.Executed: _executed,
    events.StateChanged: _changed,
    events.Compensated: _compensated,
    events.CompensationFailed: _compensated,
}


def view(stream: str, told: Sequence[Entry]) -> RenderableType:
    """Return the story for a terminal."""
    parts: list[RenderableType] = [heading(visible(stream), "UTC")]
    for each in told:
        head = (f"{each['at'][:19].replace('T', ' ')}  ", "dim"), (f"{each['position']}  ", "dim")
        parts.append(Text.assemble(*head, (visible(each["who"]), "bold"), f"  {visible(each['what'], limit=None)}"))
        for label, text in each["details"]:
            parts.append(indented(indented(Text(f"{visible(label)}: {visible(text)}", style="dim"))))
    return Group(*parts)


_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24 }
h1 { font-size: 1.3rem; overflow-wrap: anywhere } ol { list-style: none; padding: 0 }
li { border-left: .25rem solid #c5ccd3; padding: .2rem 0 .8rem 1rem } li.approval { border-color: #1f7a8c }
li.execution, li.state { border-color: #2d8a4e } li.compensation { border-color: #8e44ad }
time, .place { color: #5b6570; font-variant-numeric: tabular-nums } .who { font-weight: 600 } p { margin: 0 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; margin: .3rem 0 0; font-size: .85rem }
dt { color: #5b6570 } dd { margin: 0; overflow-wrap: anywhere; font-family: ui-monospace, monospace }
"""


def page(stream: str, told: Sequence[Entry]) -> str:
    """Return the story as one HTML page that needs no network; nothing in it is taken for markup or can run."""
    items = "\n".join(map(_item, told))
    title = _html(stream)
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{_STYLE}</style>\n</head>\n'
        f"<body>\n<h1>{title}</h1>\n<p>{len(told)} events, oldest first. Times are UTC.</p>\n"
        f"<ol>\n{items}\n</ol>\n</body>\n</html>\n"
    )


def _item(each: Entry) -> str:
    details = "".join(f"<dt>{_html(label)}</dt><dd>{_html(text)}</dd>" for label, text in each["details"])
    return (
        f'<li class="{_html(each["category"])}"><p><time>{_html(each["at"])}</time> '
        f'<span class="place">position {each["position"]}, version {each["version"]}</span></p>'
        f'<p><span class="who">{_html(each["who"])}</span> {_html(each["what"])}</p>'
        f"{f'<dl>{details}</dl>' if details else ''}</li>"
    )


def _html(text: object) -> str:
    return escape(visible(text, limit=None), quote=True)
