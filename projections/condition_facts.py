"""The parts of stored events about conditions that views need."""

from projections.approval_facts import OfRequirement, Requirement
from projections.facts import Part


class Condition(Requirement):
    """What must hold, and from when on that is possible."""

    not_before: str | None = None


class PendingSchedule(Part):
    """A condition was opened."""

    requirement_id: str
    round: int
    requirement: Condition
    expires_at: str | None = None


class PendingDependency(PendingSchedule):
    """Other requests are waited for."""


class PendingQuota(PendingSchedule):
    """Tokens are waited for."""


class PendingExternalCheck(PendingSchedule):
    """A check is waited for."""


class ScheduleReached(OfRequirement):
    """It is time."""


class DependencySatisfied(OfRequirement):
    """The others have been executed."""


class QuotaReserved(OfRequirement):
    """Tokens were reserved."""


class ExternalCheckPassed(OfRequirement):
    """The check said yes."""


class ExternalCheckFailed(OfRequirement):
    """The check said no, or nothing in time."""


class WindowOverridden(Part):
    """Somebody let the request run outside its window."""

    approver: str
    reason: str
