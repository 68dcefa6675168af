"""Facts: what happened to a mutation request, to a governed state, and to an idempotency key.

An event's class name is its stored topic. Its `schema_version` grows when its shape changes, and upcasts bring old
shapes up. Who did it and when stand in the envelope (`Recorded`), not in the event. Limits on what is taken in are the
commands' business: an event that was stored once has to load for ever.
"""

from typing import ClassVar, Literal

from pydantic import Field, JsonValue

from governance.domain.actors import Actor
from governance.domain.changes import Change
from governance.domain.effects import RecordedEffect
from governance.domain.intent import Intent
from governance.domain.mutations import StoredMutation
from governance.domain.requirements import Approver, Requirement
from governance.domain.values import Id, Moment, Text, Value

Stale = Literal["reject", "renew", "revalidate"]
ResolutionOutcome = Literal["matched", "revalidated", "rejected_as_stale", "renewal_required"]
CompensationKind = Literal["restore", "corrective"]


class Fact(Value):
    """An event; `category` sorts it for people who look for decisions."""

    schema_version: ClassVar[int] = 1
    category: ClassVar[str] = "life cycle"


class Verdict(Value):
    """What one policy answered, and how long it took in milliseconds."""

    policy: str
    decision: Literal["allow", "deny", "require", "amend"]
    reason: str | None = None
    code: str | None = None
    severity: Literal["info", "warning", "error", "critical"] = "info"
    requirements: tuple[Requirement, ...] = ()
    amendment: StoredMutation | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    took_ms: float = 0.0


class CompensationLink(Value):
    """Which executed request this one puts right, how, and at whose call."""

    request_id: str
    kind: CompensationKind
    trigger: Literal["operator", "automatic"] = "operator"


class RejectionReason(Value):
    """Why somebody said no, for people and for programs."""

    code: Id = "rejected"
    category: Id | None = None
    message: Text = ""
    metadata: dict[str, JsonValue] = Field(default_factory=dict)


class Drift(Value):
    """One change of the state between evaluation and execution: which version, which request, which paths."""

    version: int
    request_id: str
    paths: tuple[str, ...]


class Created(Fact):
    """Somebody asked for a mutation."""

    mutation: StoredMutation
    mutation_digest: str
    state_id: str
    state_type: str
    intent: Intent
    requester: Actor
    reason: str
    requires: tuple[Requirement, ...] = ()
    stale: Stale = "revalidate"
    expires_at: Moment | None = None
    idempotency_key: str | None = None
    supersedes: str | None = None
    compensates: CompensationLink | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict)


class PoliciesEvaluated(Fact):
    """What validation and every policy said of the mutation on one version of the state, and what it would change."""

    category: ClassVar[str] = "policy"
    round: int
    state_version: int
    state_digest: str
    policy_set: str
    verdicts: tuple[Verdict, ...]
    validation_errors: tuple[str, ...]
    change_set: tuple[Change, ...]


class Amended(Fact):
    """Policies put another mutation in place of the one asked for; from here on that is what is judged and runs."""

    category: ClassVar[str] = "policy"
    policies: tuple[str, ...]
    mutation: StoredMutation
    mutation_digest: str
    reason: str | None = None


class PendingApproval(Fact):
    """An approval requirement was opened; `digest` is that of everything an approver says yes to."""

    category: ClassVar[str] = "approval"
    requirement_id: str
    round: int
    requirement: Requirement
    expires_at: Moment | None
    digest: str


class ApprovalGranted(Fact):
    """One person said yes to exactly this content; `matched` says by which entitlement."""

    category: ClassVar[str] = "approval"
    requirement_id: str
    approver: str
    matched: Approver
    digest: str
    comment: str | None = None


class ApprovalRejected(Fact):
    """One person said no."""

    category: ClassVar[str] = "approval"
    requirement_id: str
    approver: str
    matched: Approver
    digest: str
    rejection: RejectionReason


class ApprovalWithdrawn(Fact):
    """One person took their decision back."""

    category: ClassVar[str] = "approval"
    requirement_id: str
    approver: str
    reason: str | None = None


class ApprovalExpired(Fact):
    """The deadline of a requirement passed before it was met."""

    category: ClassVar[str] = "approval"
    requirement_id: str


class QuorumReached(Fact):
    """Enough distinct people said yes."""

    category: ClassVar[str] = "approval"
    requirement_id: str
    approvers: tuple[str, ...]


class Commented(Fact):
    """Somebody said something."""

    category: ClassVar[str] = "comment"
    text: str


class Approved(Fact):
    """No requirement is open any more: the mutation may run."""

    round: int


class VersionResolved(Fact):
    """The version that was evaluated was compared with the current one, and this is what follows."""

    category: ClassVar[str] = "version resolution"
    expected: int
    current: int
    strategy: Stale
    outcome: ResolutionOutcome
    reason: str
    changed_paths: tuple[str, ...] = ()
    drift: tuple[Drift, ...] = ()


class Executed(Fact):
    """The mutation ran: the state has a new version, recorded in the state's own stream in the same transaction."""

    category: ClassVar[str] = "execution"
    state_id: str
    version: int
    digest: str
    change_set: tuple[Change, ...]
    effects: tuple[RecordedEffect, ...]
    attempt: int


class ExecutionFailed(Fact):
    """Applying the mutation raised an error, and the state is as it was; `final` when no attempt is left."""

    category: ClassVar[str] = "execution"
    attempt: int
    error: str
    final: bool


class Rejected(Fact):
    """The request ended without running."""

    code: str
    reason: str


class Canceled(Fact):
    """The requester, or an administrator, took the request back."""

    reason: str | None = None


class Expired(Fact):
    """The request's own deadline passed."""

    expires_at: Moment


class Superseded(Fact):
    """Another request took this one's place."""

    by: str


class Compensated(Fact):
    """Another request put right what this one did."""

    category: ClassVar[str] = "compensation"
    by: str
    kind: CompensationKind
    version: int


class CompensationFailed(Fact):
    """A request that should have put this one right could not run."""

    category: ClassVar[str] = "compensation"
    by: str
    reason: str


class StateChanged(Fact):
    """A governed state has a new version; the value is complete, so that no other event is needed to read it."""

    category: ClassVar[str] = "state"
    state_type: str
    value: JsonValue
    digest: str
    change_set: tuple[Change, ...]
    request_id: str


class KeyClaimed(Fact):
    """An idempotency key belongs to this request; it can be claimed once, being the first event of its stream."""

    category: ClassVar[str] = "idempotency"
    request_id: str
    content_digest: str


RequestEvent = (
    Created
    | PoliciesEvaluated
    | Amended
    | PendingApproval
    | ApprovalGranted
    | ApprovalRejected
    | ApprovalWithdrawn
    | ApprovalExpired
    | QuorumReached
    | Commented
    | Approved
    | VersionResolved
    | Executed
    | ExecutionFailed
    | Rejected
    | Canceled
    | Expired
    | Superseded
    | Compensated
    | CompensationFailed
)
"""What the stream of a mutation request holds."""

Event = RequestEvent | StateChanged | KeyClaimed
"""What the store holds."""
