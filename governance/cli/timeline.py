"""The timeline: every event as a sentence, in the order in which they happened."""

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from governance.cli.render import grid, heading, indented
from governance.cli.text import compact, short, visible
from governance.cli.timeline_conditions import CONDITION_SENTENCES
from governance.domain import effect_events, events, personal_events
from governance.domain.changes import Change
from governance.domain.events import Event
from governance.domain.recorded import Recorded

WITH_DAY = "%Y-%m-%d %H:%M:%S"
_SIGNS = {"added": "+", "removed": "-", "replaced": "~"}
_SHOWN_CHANGES = 3
_STYLES = {
    "approval": "cyan",
    "execution": "green",
    "state": "green",
    "compensation": "magenta",
    "version resolution": "yellow",
    "comment": "italic",
}


def only_day(recorded: Sequence[Recorded]) -> str | None:
    """Return the day on which all of it happened, None when it took longer."""
    days = {f"{each.at:%Y-%m-%d}" for each in recorded}
    return days.pop() if len(days) == 1 else None


def titled(title: str, recorded: Sequence[Recorded]) -> RenderableType:
    """Return the timeline under a title, the day in the title if there is only one."""
    day = only_day(recorded)
    aside = f"{day}, UTC" if day else "UTC"
    return Group(heading(title, aside), indented(timeline(recorded, moment="%H:%M:%S" if day else WITH_DAY)))


def timeline(recorded: Sequence[Recorded], *, moment: str = WITH_DAY) -> RenderableType:
    """Return the events, oldest first: time in UTC, position in the one global order, who, and what happened."""
    return grid(
        (
            Text(f"{each.at:{moment}}", style="dim"),
            Text(str(each.position), style="dim"),
            Text(visible(each.by.id), style="bold"),
            Text(_in_its_place(each), style=_STYLES.get(each.event.category, "")),
        )
        for each in recorded
    )


def _in_its_place(recorded: Recorded) -> str:
    version = f"version {recorded.version}: " if isinstance(recorded.event, events.StateChanged) else ""
    return version + sentence(recorded.event)


def entry(recorded: Recorded) -> dict[str, Any]:
    """Return an event in its place, for programs; `type` is its name."""
    dumped = recorded.model_dump(mode="json")
    return {"type": type(recorded.event).__name__, **dumped}


def sentence(event: Event) -> str:
    """Return what happened, in a few words; an event without words of its own says its name and its facts."""
    words = _SENTENCES.get(type(event))
    return words(event) if words else _by_name(event)


def _by_name(event: Event) -> str:
    name = "".join(f" {char.lower()}" if char.isupper() else char for char in type(event).__name__).strip()
    facts = {key: value for key, value in event.model_dump(mode="json").items() if value not in (None, [], {})}
    return f"{name} {compact(facts)}"


def _quoted(text: str | None) -> str:
    return f": “{visible(text)}”" if text else ""


def _created(event: events.Created) -> str:
    link = event.compensates
    puts_right = f" to put right {short(link.request_id)} ({link.kind})" if link else ""
    return f"asked for {visible(event.mutation.type)} on {visible(event.state_id)}{puts_right}{_quoted(event.reason)}"


def _evaluated(event: events.PoliciesEvaluated) -> str:
    said = [f"{visible(each.policy)}: {each.decision}" for each in event.verdicts]
    wrong = [f"not valid: {visible(each)}" for each in event.validation_errors]
    return f"on version {event.state_version}: {'; '.join((*wrong, *said)) or 'no policy applies'}"


def _needed(event: events.PendingApproval) -> str:
    asked = event.requirement
    who = " or ".join(visible(each) for each in asked.approvers)
    approvals = "1 approval" if asked.quorum == 1 else f"{asked.quorum} approvals"
    return f"{event.requirement_id} needs {approvals} by {who}"


def _granted(event: events.ApprovalGranted) -> str:
    instead = f" in place of {visible(event.delegated_by)}" if event.delegated_by else ""
    return f"approved {event.requirement_id} as {visible(event.matched)}{instead}{_quoted(event.comment)}"


def _delegated(event: events.ApprovalDelegated) -> str:
    until = f"{event.until:%Y-%m-%d %H:%M:%S}"
    return f"lets {visible(event.delegate)} decide on {event.requirement_id} until {until}{_quoted(event.reason)}"


def _reviewed(event: events.Reviewed) -> str:
    found = "justified" if event.justified else "not justified"
    return f"reviewed the broken glass, {found}{_quoted(event.comment)}"


def _amended(event: events.Amended) -> str:
    by = ", ".join(map(visible, event.policies))
    return (
        f"policy {by} made it {visible(event.mutation.type)} {compact(event.mutation.payload)}{_quoted(event.reason)}"
    )


def _changed(event: events.StateChanged) -> str:
    told = [f"{_SIGNS[each.kind]} {visible(each.path)} {_value(each)}" for each in event.change_set[:_SHOWN_CHANGES]]
    left = len(event.change_set) - len(told)
    more = f" and {left} more" if left else ""
    return f"{', '.join(told) or 'nothing'}{more} (request {short(event.request_id)})"


def _seen_elsewhere(event: events.ExternalStateChanged) -> str:
    who = "" if event.request_id else "changed elsewhere: "
    return f"{who}{_changed(event)}, {visible(event.external_version)} there"


def _value(change: Change) -> str:
    return compact(change.old if change.kind == "removed" else change.new)


def _not_put_right(event: events.CompensationFailed) -> str:
    whose = f" ({visible(event.owner)} has to see to it)" if event.owner else ""
    return f"{short(event.by) if event.by else 'nothing'} could not put it right{whose}{_quoted(event.reason)}"


def _resolved(event: events.VersionResolved) -> str:
    return f"{event.outcome}: {visible(event.reason)}"


def _number(event: effect_events.EffectEvent) -> str:
    return visible(event.effect_id.rpartition(":")[2])


def _not_delivered(event: effect_events.EffectFailed) -> str:
    following = "parked" if event.retry_at is None else f"again at {event.retry_at:%H:%M:%S}"
    said = f"attempt {event.attempt} to deliver effect {_number(event)} failed, {following}"
    return f"{said}{_quoted(event.error)}"


_SENTENCES: dict[type, Callable[[Any], str]] = {
    events.Created: _created,
    events.PoliciesEvaluated: _evaluated,
    events.PendingApproval: _needed,
    events.Amended: _amended,
    events.ApprovalGranted: _granted,
    events.ApprovalDelegated: _delegated,
    events.ApprovalReassigned: lambda e: f"{e.requirement_id} is replaced by {e.replaced_by}{_quoted(e.reason)}",
    events.GlassBroken: lambda e: f"broke the glass over {', '.join(e.requirements)}{_quoted(e.reason)}",
    events.Reviewed: _reviewed,
    events.ApprovalRejected: lambda e: f"said no to {e.requirement_id}{_quoted(e.rejection.message)}",
    events.ApprovalWithdrawn: lambda e: f"took back the decision on {e.requirement_id}{_quoted(e.reason)}",
    events.ApprovalExpired: lambda e: f"the time to decide on {e.requirement_id} has passed",
    events.QuorumReached: lambda e: f"{e.requirement_id} is met by {', '.join(map(visible, e.approvers))}",
    events.Commented: lambda e: f"said{_quoted(e.text)}",
    events.Approved: lambda e: f"approved: nothing is open any more (round {e.round})",
    events.VersionResolved: _resolved,
    events.ExecutionStarted: lambda e: f"about to write {visible(e.state_id)} in its own store (attempt {e.attempt})",
    events.Executed: lambda e: f"executed: made version {e.version} of {visible(e.state_id)}",
    events.ExecutionFailed: lambda e: f"attempt {e.attempt} failed{_quoted(e.error)}",
    events.InterceptorFailed: lambda e: f"interceptor {visible(e.interceptor)} ({e.stage}) failed{_quoted(e.error)}",
    events.Rejected: lambda e: f"rejected ({visible(e.code)}){_quoted(e.reason)}",
    events.Canceled: lambda e: f"canceled{_quoted(e.reason)}",
    events.Expired: lambda e: f"expired at {e.expires_at:%Y-%m-%d %H:%M:%S}",
    events.Superseded: lambda e: f"superseded by {short(e.by)}",
    events.Replaced: lambda e: f"took the place of {short(e.predecessor)}",
    events.Compensated: lambda e: f"put right by {short(e.by)} ({e.kind}), version {e.version}",
    events.CompensationFailed: _not_put_right,
    events.StateChanged: _changed,
    events.ExternalStateChanged: _seen_elsewhere,
    **CONDITION_SENTENCES,
    personal_events.SubjectForgotten: lambda e: f"personal data of {visible(e.subject)} erased{_quoted(e.reason)}",
    effect_events.EffectDelivered: lambda e: f"{visible(e.handler)} delivered effect {_number(e)}{_quoted(e.answer)}",
    effect_events.EffectFailed: _not_delivered,
    effect_events.EffectRetried: lambda e: f"had effect {_number(e)} tried again{_quoted(e.reason)}",
    effect_events.EffectDropped: lambda e: f"gave effect {_number(e)} up{_quoted(e.reason)}",
}
