"""Facts about approvals: requirements opened, decisions made and handed on, glass broken."""

from typing import ClassVar

from governance.domain.requirements import ApprovalRequirement, Approver
from governance.domain.terms import Fact, RejectionReason
from governance.domain.values import Moment


class ApprovalFact(Fact):
    """An event about one requirement."""

    category: ClassVar[str] = "approval"
    requirement_id: str


class PendingApproval(ApprovalFact):
    """An approval requirement was opened; `digest` is that of everything an approver says yes to."""

    round: int
    requirement: ApprovalRequirement
    expires_at: Moment | None
    digest: str


class ApprovalGranted(ApprovalFact):
    """One person said yes to exactly this content; `matched` says by which entitlement."""

    approver: str
    matched: Approver
    delegated_by: str | None = None
    digest: str
    comment: str | None = None


class ApprovalRejected(ApprovalFact):
    """One person said no."""

    approver: str
    matched: Approver
    delegated_by: str | None = None
    digest: str
    rejection: RejectionReason
    comment: str | None = None


class ApprovalWithdrawn(ApprovalFact):
    """One person took their decision back."""

    approver: str
    reason: str | None = None


class ApprovalDelegated(ApprovalFact):
    """One person let another decide in their place on this requirement, until a time; both stay visible."""

    delegator: str
    delegate: str
    matched: Approver
    until: Moment
    reason: str | None = None


class ApprovalReassigned(ApprovalFact):
    """An administrator asked other people instead; what was decided on this requirement does not count any more."""

    replaced_by: str
    reason: str


class ApprovalExpired(ApprovalFact):
    """The deadline of a requirement passed before it was met."""


class QuorumReached(ApprovalFact):
    """Enough distinct people said yes."""

    approvers: tuple[str, ...]


class GlassFact(Fact):
    """An event about running without approvals."""

    category: ClassVar[str] = "break-glass"


class GlassBroken(GlassFact):
    """Somebody with the right to it let the request run without its approvals; another has to review that in time."""

    reason: str
    requirements: tuple[str, ...]
    review_until: Moment


class Reviewed(GlassFact):
    """Somebody else looked at what was done behind broken glass, and found it right or not."""

    reviewer: str
    justified: bool
    comment: str
