"""Wording: what a requirement asks for and who or what can supply it, in words for people."""

from typing import assert_never

from governance.domain.conditions import (
    EVERYTHING,
    DependencyRequirement,
    ExternalCheckRequirement,
    QuotaRequirement,
    ScheduleRequirement,
)
from governance.domain.request import OpenedRequirement
from governance.domain.requirements import ApprovalRequirement, Requirement

MAX_NAMED = 3
"""How many requests a sentence names."""


def who_meets(requirement: Requirement) -> tuple[str, ...]:
    """Return who or what can meet the requirement."""
    match requirement:
        case ApprovalRequirement():
            return tuple(str(each) for each in requirement.approvers)
        case ScheduleRequirement():
            return ("time",) if requirement.window is None else (f"calendar {requirement.window}",)
        case DependencyRequirement():
            return tuple(f"request {each}" for each in requirement.requests)
        case QuotaRequirement():
            return (f"quota {requirement.key}",)
        case ExternalCheckRequirement():
            return (f"check {requirement.name}",)
    assert_never(requirement)


def asked_for(requirement: Requirement) -> str:
    """Return what is asked for, as in `2 approvals by role lead`."""
    match requirement:
        case ApprovalRequirement():
            return f"{_approvals(requirement.quorum)} by {' or '.join(who_meets(requirement))}"
        case ScheduleRequirement():
            return _schedule(requirement)
        case DependencyRequirement():
            return _dependency(requirement)
        case QuotaRequirement():
            tokens = "1 token" if requirement.tokens == 1 else f"{requirement.tokens:,} tokens"
            return f"{tokens} of quota {requirement.key}"
        case ExternalCheckRequirement():
            return f"check {requirement.name} to say yes"
    assert_never(requirement)


def still_needs(opened: OpenedRequirement) -> str:
    """Return what is missing of an open requirement, and by when."""
    before = f", before {opened.expires_at.isoformat()}" if opened.expires_at else ""
    if not opened.is_approval:
        return f"requirement {opened.id} needs {asked_for(opened.asked)}{before}"
    people = "1 more approval" if opened.missing == 1 else f"{opened.missing} more approvals"
    who = " or ".join(who_meets(opened.asked))
    return f"requirement {opened.id} (step {opened.approval.step}) needs {people} by {who}{before}"


def _approvals(quorum: int) -> str:
    return "1 approval" if quorum == 1 else f"{quorum} approvals"


def _schedule(asked: ScheduleRequirement) -> str:
    after = f"a time from {asked.not_before.isoformat()} on" if asked.not_before else ""
    window = f"calendar {asked.window} to be open" if asked.window else ""
    if asked.window == EVERYTHING:
        window = "the freeze to end"
    return " and ".join(each for each in (after, window) if each) or "to run in time"


def _dependency(asked: DependencyRequirement) -> str:
    named = ", ".join(asked.requests[:MAX_NAMED])
    left = len(asked.requests) - MAX_NAMED
    more = f" and {left:,} more" if left > 0 else ""
    what = "to be executed" if asked.until == "executed" else "to be executed and their effects delivered"
    return f"{'request' if len(asked.requests) == 1 else 'requests'} {named}{more} {what}"
