"""Commands about conditions: what engines found to be so, what checks say, and who lets a request out of its window."""

from typing import Literal

from pydantic import Field

from governance.domain.actors import Actor
from governance.domain.condition_events import DependencySatisfied, QuotaReserved, ScheduleReached
from governance.domain.conditions import DependencyRequirement, ScheduleRequirement
from governance.domain.frozen_json import FrozenDict, JsonObject
from governance.domain.values import Given, Id, Reason, Value


class Failure(Value):
    """A requirement that cannot be met any more, and why."""

    requirement_id: str
    reason: str


class Release(Value):
    """Say which conditions of a pending request hold now, or which never will."""

    name: Literal["release"] = "release"
    actor: Actor
    met: tuple[ScheduleReached | DependencySatisfied | QuotaReserved, ...] = ()
    failed: Failure | None = None


class RecordCheck(Given):
    """Say what a check came to. `permission` is the role that gives people the right to; services need none.

    With `digest`, the answer is to exactly that content; `by_token`, whoever gives it has shown the right to.
    """

    name: Literal["record check"] = "record check"
    actor: Actor
    check: Id
    passed: bool
    permission: Id
    digest: str | None = None
    by_token: bool = False
    evidence: JsonObject = Field(default_factory=FrozenDict)


class OverrideWindow(Given):
    """Let a request run outside its window, or during a freeze. `permission` is the role that gives the right to it."""

    name: Literal["override window"] = "override window"
    actor: Actor
    reason: Reason
    permission: Id


ConditionCommand = Release | RecordCheck | OverrideWindow
"""What can be said about the conditions of a request."""


class Hold(Value):
    """Why an approved request may not run now: what it waits for again, or, if it `ends`, can never have."""

    because: str
    requirement: ScheduleRequirement | DependencyRequirement
    requirement_id: str | None = None
    ends: bool = False
