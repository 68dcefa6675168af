"""What commands that run a mutation, and questions about one, answer with."""

from datetime import datetime

from governance.domain.changes import ChangeSet
from governance.domain.effects import RecordedEffect
from governance.domain.events import VersionResolved
from governance.domain.lifecycle import Status
from governance.domain.request import MutationRequest
from governance.domain.terms import Drift, ResolutionOutcome, Verdict
from governance.domain.values import Value


class Outcome(Value):
    """What came of an execution.

    `resolution` says what came of comparing versions; it is None when it did not come to that: the request was still
    pending, had been refused, or had expired. `change_set` and `effects` are empty unless `executed`. `failure` is the
    error that the mutation raised, if it did.
    """

    request: MutationRequest
    resolution: VersionResolved | None
    executed: bool
    change_set: ChangeSet = ()
    resulting_version: int | None = None
    effects: tuple[RecordedEffect, ...] = ()
    failure: str | None = None


class Held(Value):
    """What would keep a request from running now, besides people who have to decide.

    `until` is when it may be over at the soonest, None when that is not known or not in sight; `requirement` is the id
    of the one that is not met, None for a freeze of everything.
    """

    because: str
    until: datetime | None = None
    requirement: str | None = None


class Preview(Value):
    """What would happen if the request were executed now; nothing of it is stored.

    `held` says what would keep it from that, if it were approved. `drift` names the first changes of the state since it
    was evaluated, `changed_paths` where it differs since.
    """

    request_id: str
    state_id: str
    status: Status
    expected: int
    current: int
    outcome: ResolutionOutcome
    reason: str
    change_set: ChangeSet
    validation_errors: tuple[str, ...]
    failure: str | None
    verdicts: tuple[Verdict, ...]
    digest: str
    changed_paths: tuple[str, ...] = ()
    drift: tuple[Drift, ...] = ()
    reversibility: str | None = None
    held: tuple[Held, ...] = ()


class RequirementExplanation(Value):
    """What one requirement still needs, who can supply it, and until when.

    `who` says it as it was asked for: people, a calendar, other requests, a quota, a check. `people` names everybody
    who could decide now, None without a directory. `earliest` is when a condition can be met at the soonest, if known.
    """

    id: str
    name: str | None
    kind: str
    status: str
    step: int
    active: bool
    quorum: int
    granted_by: tuple[str, ...]
    missing: int
    who: tuple[str, ...]
    people: tuple[str, ...] | None = None
    expires_at: datetime | None
    earliest: datetime | None = None
    digest: str
    actor_may: bool | None = None
    actor_may_not_because: str | None = None
    text: str


class Explanation(Value):
    """Why a request stands where it stands, and what would move it on; `held`: what keeps it besides people."""

    request_id: str
    status: Status
    text: str
    requirements: tuple[RequirementExplanation, ...]
    digest: str
    reversibility: str | None = None
    held: tuple[Held, ...] = ()
