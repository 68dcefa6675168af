"""Fixed vocabularies that rows keep as numbers: ranks, and bits of the decisions that a request has seen."""

from typing import Final

from governance.domain.intent import RISKS as DOMAIN_RISKS
from governance.domain.intent import SCOPES as DOMAIN_SCOPES

RISKS: Final[tuple[str, ...]] = DOMAIN_RISKS
SCOPES: Final[tuple[str, ...]] = DOMAIN_SCOPES

_DECISIONS: Final = (
    "Created", "PoliciesEvaluated", "Amended", "PendingApproval", "PendingExternalCheck", "PendingSchedule",
    "PendingDependency", "PendingQuota", "ApprovalGranted", "ApprovalRejected", "ApprovalWithdrawn",
    "ApprovalDelegated", "ApprovalExpired", "QuorumReached", "ExternalCheckPassed", "ExternalCheckFailed",
    "ScheduleReached", "DependencySatisfied", "QuotaReserved", "Commented", "Approved", "VersionResolved",
    "ExecutionStarted", "Executed", "ExecutionFailed", "EffectDelivered", "EffectFailed", "GlassBroken", "Reviewed",
    "Rejected", "Canceled", "Expired", "Superseded", "Compensated", "CompensationFailed",
    "ApprovalReassigned", "Replaced", "EffectRetried", "EffectDropped",
    "WindowOverridden", "InterceptorFailed",
)  # fmt: skip
"""New names go to the end: rows hold the places."""

DECISION_BITS: Final[dict[str, int]] = {name: 1 << place for place, name in enumerate(_DECISIONS)}
