"""The parts of stored events that views need, and no more: what is not named here is skipped when it is read."""

from typing import Any

from msgspec import Raw, Struct, field

NULL = Raw(b"null")


class Part(Struct, gc=False):
    """A part of an event."""


class By(Part):
    """Who did it."""

    id: str
    kind: str = "user"
    name: str | None = None
    on_behalf_of: str | None = None

    @property
    def person(self) -> str:
        """Return the id of the person whose doing it is."""
        return self.on_behalf_of or self.id


class StoredMutation(Part):
    """Which mutation was asked for."""

    type: str
    version: int


class BlastRadius(Part):
    """How far it reaches."""

    scope: str = "single"
    count: int | None = None


class Intent(Part):
    """What it is about."""

    category: str | None = None
    description: str | None = None
    risk: str | None = None
    blast_radius: BlastRadius | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    reversibility: dict[str, Any] | None = None


class Link(Part):
    """Which request it puts right."""

    request_id: str
    kind: str
    trigger: str = "operator"


class ChangeMade(Part):
    """One changed path; the values stay as they are stored."""

    path: str
    kind: str
    old: Raw = NULL
    new: Raw = NULL


class Effect(Part):
    """What is to be done outside."""

    id: str
    contract: str
    contract_version: int = 1


class Drifted(Part):
    """One change of the state between evaluation and execution."""

    version: int
    request_id: str


class Created(Part):
    """Somebody asked for a mutation."""

    mutation: StoredMutation
    state_id: str
    state_type: str
    intent: Intent
    requester: By
    reason: str
    stale: str = "revalidate"
    expires_at: str | None = None
    idempotency_key: str | None = None
    supersedes: str | None = None
    compensates: Link | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


class PoliciesEvaluated(Part):
    """What policies said."""

    round: int
    state_version: int


class Amended(Part):
    """Policies put another mutation in place of the one asked for."""

    mutation: StoredMutation
    reason: str | None = None


class Commented(Part):
    """Somebody said something."""

    text: str


class Approved(Part):
    """The mutation may run."""

    round: int


class VersionResolved(Part):
    """The versions were compared."""

    expected: int
    current: int
    strategy: str
    outcome: str
    reason: str
    changed_paths: tuple[str, ...] = ()
    drift: tuple[Drifted, ...] = ()


class Executed(Part):
    """The mutation ran."""

    state_id: str
    version: int
    attempt: int
    effects: tuple[Effect, ...] = ()
    change_set: tuple[ChangeMade, ...] = ()


class ExecutionFailed(Part):
    """Applying the mutation raised an error."""

    attempt: int
    error: str
    final: bool


class InterceptorFailed(Part):
    """An interceptor raised an error."""

    interceptor: str
    stage: str
    error: str


class Rejected(Part):
    """The request ended without running."""

    code: str
    reason: str


class Canceled(Part):
    """The request was taken back."""

    reason: str | None = None


class Expired(Part):
    """The deadline of the request passed."""

    expires_at: str


class Superseded(Part):
    """Another request took its place."""

    by: str


class Replaced(Part):
    """It took the place of another request."""

    predecessor: str


class Compensated(Part):
    """Another request put it right."""

    by: str
    kind: str
    version: int


class CompensationFailed(Part):
    """A request that should have put it right ended without."""

    by: str | None
    reason: str


class StateChanged(Part):
    """A governed state has a new version."""

    state_type: str
    digest: str
    request_id: str
    change_set: tuple[ChangeMade, ...] = ()


class ExternalStateChanged(StateChanged):
    """A state that lives in another system has a version that the log did not know yet."""
