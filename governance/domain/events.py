"""Facts: what happened to a mutation request, to a governed state, and to an idempotency key.

A class name is the stored topic; `schema_version` grows when the shape changes. Who did it and when stand in the
envelope (`Recorded`). Limits are the commands' business: an event that was stored once has to load for ever.
"""

from typing import ClassVar, Literal

from pydantic import Field, JsonValue

from governance.domain.actors import Actor
from governance.domain.approval_events import (
    ApprovalDelegated,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalReassigned,
    ApprovalRejected,
    ApprovalWithdrawn,
    GlassBroken,
    PendingApproval,
    QuorumReached,
    Reviewed,
)
from governance.domain.batch_events import BatchEvent
from governance.domain.calendar_events import CalendarEvent
from governance.domain.changes import Change
from governance.domain.condition_events import ConditionEvent
from governance.domain.effect_events import EffectEvent
from governance.domain.effects import RecordedEffect
from governance.domain.external_events import ExecutionStarted
from governance.domain.frozen_json import FrozenDict, JsonObject
from governance.domain.intent import Intent
from governance.domain.mutations import StoredMutation
from governance.domain.personal_events import PersonalEvent
from governance.domain.quota_events import QuotaEvent
from governance.domain.requirements import AnyRequirement
from governance.domain.terms import (
    CompensationKind,
    CompensationLink,
    Drift,
    Fact,
    InterceptorStage,
    ResolutionOutcome,
    Stale,
    Verdict,
)
from governance.domain.values import Moment


class Created(Fact):
    """Somebody asked for a mutation."""

    schema_version: ClassVar[int] = 2
    mutation: StoredMutation
    mutation_digest: str
    state_id: str
    state_type: str
    intent: Intent
    requester: Actor
    reason: str
    requires: tuple[AnyRequirement, ...] = ()
    stale: Stale = "revalidate"
    expires_at: Moment | None = None
    idempotency_key: str | None = None
    batch_id: str | None = None
    supersedes: str | None = None
    compensates: CompensationLink | None = None
    metadata: JsonObject = Field(default_factory=FrozenDict)


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


class ExecutionFact(Fact):
    """An event about running the mutation."""

    category: ClassVar[str] = "execution"


class Executed(ExecutionFact):
    """The mutation ran: the state has a new version, recorded in the state's own stream in the same transaction."""

    state_id: str
    version: int
    digest: str
    change_set: tuple[Change, ...]
    effects: tuple[RecordedEffect, ...]
    attempt: int


class ExecutionFailed(ExecutionFact):
    """Applying the mutation raised an error, and the state is as it was; `final` when no attempt is left."""

    attempt: int
    error: str
    final: bool


class InterceptorFailed(ExecutionFact):
    """An interceptor of the application raised an error after an execution, or what was to be one; nothing is changed.

    `stage` is the hook that raised.
    """

    interceptor: str
    stage: InterceptorStage
    error: str


class EndingFact(Fact):
    """An event about how the request ended, gave up or took a place, or was put right."""


class Rejected(EndingFact):
    """The request ended without running."""

    code: str
    reason: str


class Canceled(EndingFact):
    """The requester, or an administrator, took the request back."""

    reason: str | None = None


class Expired(EndingFact):
    """The request's own deadline passed."""

    expires_at: Moment


class Superseded(EndingFact):
    """Another request took this one's place."""

    by: str


class Replaced(EndingFact):
    """This request took the place of another, which says so too (`Superseded`)."""

    predecessor: str


class CompensationFact(EndingFact):
    """An event about putting this request right by another."""

    category: ClassVar[str] = "compensation"


class Compensated(CompensationFact):
    """Another request put right what this one did."""

    by: str
    kind: CompensationKind
    version: int


class CompensationFailed(CompensationFact):
    """A request that should have put this one right ended without, or could not even be made (`by` is None).

    It can be put right by another; `owner` is the person who has to see to it.
    """

    schema_version: ClassVar[int] = 2
    by: str | None
    reason: str
    owner: str | None = None


class StateChanged(Fact):
    """A governed state has a new version; the value is complete, so that no other event is needed to read it."""

    category: ClassVar[str] = "state"
    state_type: str
    value: JsonValue
    digest: str
    change_set: tuple[Change, ...]
    request_id: str


class ExternalStateChanged(StateChanged):
    """A state that lives in another system has a version that the log did not know yet.

    `external_version` is what that system calls it; `request_id` is empty when it was not a request that made it.
    """

    external_version: str


class PlaceTaken(Fact):
    """A request became the newest of its kind about a state, where the newest wins over those that still wait.

    `besides` are older ones that had been approved by then and keep their place.
    """

    category: ClassVar[str] = "place"
    request_id: str
    besides: tuple[str, ...] = ()


class KeyClaimed(Fact):
    """An idempotency key belongs to this request, or batch; it is claimed once, being the first event of its stream."""

    schema_version: ClassVar[int] = 2
    category: ClassVar[str] = "idempotency"
    request_id: str
    content_digest: str
    kind: Literal["request", "batch"] = "request"


RequestEvent = (
    Created
    | PoliciesEvaluated
    | Amended
    | PendingApproval
    | ApprovalGranted
    | ApprovalRejected
    | ApprovalWithdrawn
    | ApprovalDelegated
    | ApprovalReassigned
    | ApprovalExpired
    | QuorumReached
    | GlassBroken
    | Reviewed
    | Commented
    | Approved
    | VersionResolved
    | ExecutionStarted
    | Executed
    | ExecutionFailed
    | InterceptorFailed
    | Rejected
    | Canceled
    | Expired
    | Superseded
    | Replaced
    | Compensated
    | CompensationFailed
    | EffectEvent
    | ConditionEvent
)
"""What the stream of a mutation request holds."""

StateEvent = StateChanged | ExternalStateChanged
Event = RequestEvent | BatchEvent | CalendarEvent | QuotaEvent | StateEvent | KeyClaimed | PlaceTaken | PersonalEvent
"""What the store holds."""
