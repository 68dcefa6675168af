"""What an auditor would demand of an executed request, checked from its events, by none of the product's rules."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from governance import Recorded
from governance.domain.approval_events import (
    ApprovalDelegated,
    ApprovalGranted,
    ApprovalReassigned,
    ApprovalRejected,
    ApprovalWithdrawn,
    GlassBroken,
    PendingApproval,
)
from governance.domain.digest import digest
from governance.domain.events import Amended, Created, Executed, PoliciesEvaluated


@dataclass
class Story:
    """What the events of one round tell of one requirement."""

    opened: PendingApproval
    yes: dict[str, Recorded] = field(default_factory=dict)
    no: dict[str, Recorded] = field(default_factory=dict)
    delegations: list[Recorded] = field(default_factory=list)
    filled_at: int | None = None


def complaints(history: Sequence[Recorded]) -> list[str]:
    """Return what is wrong with how an executed request came to be executed; nothing for one that was not."""
    executed = next((each for each in history if isinstance(each.event, Executed)), None)
    if executed is None:
        return []
    before = [each for each in history if each.version < executed.version]
    created = before[0].event
    assert isinstance(created, Created)
    judged = [each.event for each in before if isinstance(each.event, PoliciesEvaluated)]
    number = judged[-1].round
    if any(isinstance(each.event, GlassBroken) for each in before[_opening(before, number) :]):
        return []
    found: list[str] = []
    stories = _stories(before, number)
    content = _content(before, created, number)
    for story in stories.values():
        found += _about(story, created, content)
        found += _out_of_turn(story, stories.values())
    if any(each.event.validation_errors for each in before if isinstance(each.event, PoliciesEvaluated)):
        found.append("it ran although it did not fit the state")
    if any(v.decision == "deny" for event in judged for v in event.verdicts):
        found.append("it ran although a policy denied it")
    return found


def _opening(history: Sequence[Recorded], number: int) -> int:
    return next(
        place
        for place, each in enumerate(history)
        if isinstance(each.event, PoliciesEvaluated) and each.event.round == number
    )


def _content(history: Sequence[Recorded], created: Created, number: int) -> str:
    """Return the digest of what was shown in the round, computed anew."""
    mutation = created.mutation
    shown: PoliciesEvaluated | None = None
    for each in history:
        if isinstance(each.event, Amended):
            mutation = each.event.mutation
        if isinstance(each.event, PoliciesEvaluated) and each.event.round == number:
            shown = each.event
        if isinstance(each.event, PendingApproval) and each.event.round == number:
            break
    assert shown is not None
    return digest(
        {
            "mutation": mutation.model_dump(mode="json"),
            "state_id": created.state_id,
            "evaluated_version": shown.state_version,
            "change_set": [change.model_dump(mode="json") for change in shown.change_set],
            "round": number,
        }
    )


def _stories(history: Sequence[Recorded], number: int) -> dict[str, Story]:
    stories: dict[str, Story] = {}
    for each in history:
        event = each.event
        if isinstance(event, PendingApproval) and event.round == number:
            stories[event.requirement_id] = Story(event)
        story = stories.get(getattr(event, "requirement_id", ""))
        if isinstance(event, ApprovalReassigned):
            stories.pop(event.requirement_id, None)
        elif story is not None:
            _told(story, each)
            _note_filled(story, each)
    return stories


def _told(story: Story, each: Recorded) -> None:
    event = each.event
    if isinstance(event, ApprovalGranted):
        story.yes[event.approver] = each
    elif isinstance(event, ApprovalRejected):
        story.no[event.approver] = each
    elif isinstance(event, ApprovalWithdrawn):
        story.yes.pop(event.approver, None)
        story.no.pop(event.approver, None)
    elif isinstance(event, ApprovalDelegated):
        story.delegations.append(each)


def _note_filled(story: Story, each: Recorded) -> None:
    if len(story.yes) < story.opened.requirement.quorum:
        story.filled_at = None
    elif story.filled_at is None:
        story.filled_at = each.version


def _about(story: Story, created: Created, content: str) -> list[str]:
    asked, name = story.opened.requirement, story.opened.requirement_id
    found = []
    people = {person for each in story.yes.values() for person in _humans(each)}
    if len(story.yes) < asked.quorum:
        found.append(f"{name}: {len(story.yes)} of {asked.quorum} said yes")
    if len(people) < len(story.yes):
        found.append(f"{name}: somebody counted twice")
    behind = {created.requester.id, created.requester.on_behalf_of}
    if (people | {each.by.id for each in story.yes.values()}) & behind:
        found.append(f"{name}: the requester decided")
    if asked.veto and len(story.no) >= asked.vetoes:
        found.append(f"{name}: it was vetoed")
    expected = digest({"content": content, "requirement": asked.model_dump(mode="json")})
    for each in story.yes.values():
        found += [f"{name}: {problem}" for problem in _about_yes(each, story, expected)]
    return found


def _humans(each: Recorded) -> set[str]:
    assert isinstance(each.event, ApprovalGranted | ApprovalRejected)
    return {each.event.approver}


def _about_yes(each: Recorded, story: Story, expected: str) -> list[str]:
    event, asked = each.event, story.opened.requirement
    assert isinstance(event, ApprovalGranted)
    found = []
    if event.digest != expected:
        found.append(f"{event.approver} approved other content than ran")
    if event.matched not in asked.approvers:
        found.append(f"{event.approver} was entitled by something that was not asked for")
    if story.opened.expires_at is not None and each.at >= story.opened.expires_at:
        found.append(f"{event.approver} decided after the deadline")
    if event.delegated_by is None and not _holds(each, event):
        found.append(f"{event.approver} does not hold {event.matched}")
    if event.delegated_by is not None and not _delegated(story, event, each.at, each.version):
        found.append(f"{event.approver} decided for {event.delegated_by} without a delegation in force")
    return found


def _holds(each: Recorded, event: ApprovalGranted) -> bool:
    held = {"actor": (event.approver,), "role": each.by.roles, "group": each.by.groups}
    return event.matched.id in held[event.matched.kind]


def _delegated(story: Story, event: ApprovalGranted, at: datetime, version: int) -> bool:
    return any(
        isinstance(each.event, ApprovalDelegated)
        and (each.event.delegator, each.event.delegate) == (event.delegated_by, event.approver)
        and each.version < version
        and at < each.event.until
        for each in story.delegations
    )


def _out_of_turn(story: Story, stories: Iterable[Story]) -> list[str]:
    found = []
    for other in stories:
        earlier = other.opened.requirement.step < story.opened.requirement.step
        for each in story.yes.values():
            if earlier and (other.filled_at is None or other.filled_at > each.version):
                found.append(f"{story.opened.requirement_id}: decided before step {other.opened.requirement.step}")
        if earlier and other.opened.requirement.step in story.opened.requirement.different_from:
            both = {p for each in story.yes.values() for p in _humans(each)} & set(other.yes)
            found += [f"{story.opened.requirement_id}: {person} decided in both steps" for person in both]
    return found
