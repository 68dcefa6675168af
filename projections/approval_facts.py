"""The parts of stored events about approvals that views need."""

from projections.facts import Part


class Approver(Part):
    """Who is entitled."""

    kind: str
    id: str


class Requirement(Part):
    """What must hold."""

    kind: str = "approval"
    name: str | None = None
    approvers: tuple[Approver, ...] = ()
    quorum: int = 1
    step: int = 1
    veto: bool = True
    different_from: tuple[int, ...] = ()


class Rejection(Part):
    """Why somebody said no."""

    code: str = "rejected"
    category: str | None = None
    message: str = ""


class PendingApproval(Part):
    """A requirement was opened."""

    requirement_id: str
    round: int
    requirement: Requirement
    expires_at: str | None = None


class ApprovalGranted(Part):
    """One person said yes."""

    requirement_id: str
    approver: str
    delegated_by: str | None = None
    comment: str | None = None


class ApprovalRejected(Part):
    """One person said no."""

    requirement_id: str
    approver: str
    rejection: Rejection
    delegated_by: str | None = None


class ApprovalWithdrawn(Part):
    """One person took their decision back."""

    requirement_id: str
    approver: str
    reason: str | None = None


class ApprovalDelegated(Part):
    """One person let another decide in their place, until a time."""

    requirement_id: str
    delegator: str
    delegate: str
    until: str
    reason: str | None = None


class ApprovalReassigned(Part):
    """Other people were asked instead."""

    requirement_id: str
    reason: str


class OfRequirement(Part):
    """Something happened to a requirement."""

    requirement_id: str


class GlassBroken(Part):
    """Somebody let the request run without its approvals."""

    reason: str
    review_until: str


class Reviewed(Part):
    """Somebody else looked at that."""

    reviewer: str
    justified: bool
    comment: str
