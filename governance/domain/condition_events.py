"""Facts about conditions: requirements that no approver meets, as they open, are met, and fail."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from governance.domain.conditions import (
    DependencyRequirement,
    ExternalCheckRequirement,
    QuotaRequirement,
    ScheduleRequirement,
)
from governance.domain.frozen_json import FrozenDict, JsonObject
from governance.domain.terms import Fact
from governance.domain.values import Moment


class AboutConditions(Fact):
    """An event about what no approver meets."""

    category: ClassVar[str] = "condition"


class ConditionFact(AboutConditions):
    """An event about one condition."""

    requirement_id: str


class PendingCondition(ConditionFact):
    """A condition was opened, or is open again; `digest` is that of everything that it was opened for."""

    round: int
    expires_at: Moment | None
    digest: str
    requirement: Any


class PendingSchedule(PendingCondition):
    """The request waits for a time or an open window; `because` says what holds a request that was approved."""

    requirement: ScheduleRequirement
    because: str | None = None


class PendingDependency(PendingCondition):
    """The request waits for other requests."""

    requirement: DependencyRequirement
    because: str | None = None


class PendingQuota(PendingCondition):
    """The request waits for tokens."""

    requirement: QuotaRequirement


class PendingExternalCheck(PendingCondition):
    """The request waits for a check outside."""

    requirement: ExternalCheckRequirement


class ScheduleReached(ConditionFact):
    """It is time, and the window is open; `calendar_version` is that of the calendar by which that was decided."""

    window: str | None = None
    calendar_version: int | None = None


class DependencySatisfied(ConditionFact):
    """All the requests that it depends on have been executed."""

    requests: tuple[str, ...]


class QuotaReserved(ConditionFact):
    """Tokens of the quota belong to the request; the quota's own stream says so in the same transaction."""

    key: str
    tokens: int


class ExternalCheckPassed(ConditionFact):
    """The check said yes to exactly this content."""

    category: ClassVar[str] = "external check"
    check: str
    digest: str
    evidence: JsonObject = Field(default_factory=FrozenDict)


class ExternalCheckFailed(ConditionFact):
    """The check said no, or there was no answer in time."""

    category: ClassVar[str] = "external check"
    check: str
    digest: str
    why: Literal["failed", "timeout"]
    evidence: JsonObject = Field(default_factory=FrozenDict)


class WindowOverridden(AboutConditions):
    """Somebody else with the right to it let the request run outside its window, in this round."""

    category: ClassVar[str] = "approval"
    approver: str
    reason: str


ConditionEvent = (
    PendingSchedule
    | PendingDependency
    | PendingQuota
    | PendingExternalCheck
    | ScheduleReached
    | DependencySatisfied
    | QuotaReserved
    | ExternalCheckPassed
    | ExternalCheckFailed
    | WindowOverridden
)
"""What the stream of a request holds about conditions."""
