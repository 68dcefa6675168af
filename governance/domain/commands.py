"""Intentions: what an actor asks for, in the imperative. Time, ids and what user code answered come with them."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue

from governance.domain.actors import Actor
from governance.domain.changes import ChangeSet
from governance.domain.condition_commands import ConditionCommand, Hold
from governance.domain.effect_commands import EffectCommand
from governance.domain.effects import RecordedEffect
from governance.domain.events import Amended
from governance.domain.frozen_json import FrozenDict, JsonObject
from governance.domain.intent import Intent
from governance.domain.mutations import StoredMutation
from governance.domain.requirements import AnyRequirement, Approver, Requirement
from governance.domain.terms import CompensationLink, Drift, RejectionReason, Stale, Verdict
from governance.domain.values import Given, Id, Moment, Reason, Text, Value


def _an_actor(given: object) -> object:
    if not isinstance(given, Actor):
        msg = f"{type(given).__name__} is not an Actor"
        raise ValueError(msg)
    if given.from_store:
        msg = "the name of an actor must not be a sealed value"
        raise ValueError(msg)
    return given


GivenActor = Annotated[Actor, BeforeValidator(_an_actor)]
"""Who acts, as the caller has authenticated them; never read from data that came from outside."""


class Evaluation(Value):
    """What user code answered about a mutation on one version of its state: the only way it reaches the rules.

    `value` is the state after the mutation, None when it could not be computed; `failure` is the error that `apply`
    raised. `verdicts` is None when policies were not asked again, because nothing has changed since they were.
    `amendments` are the evaluations that led to another mutation, oldest first; this one is about the last of those.
    """

    state_version: int
    state_digest: str
    policy_set: str
    verdicts: tuple[Verdict, ...] | None = None
    validation_errors: tuple[str, ...] = ()
    failure: str | None = None
    change_set: ChangeSet = ()
    value: JsonValue = None
    value_digest: str = ""
    effects: tuple[RecordedEffect, ...] = ()
    reads: tuple[str, ...] | None = None
    amendments: tuple["Amendment", ...] = ()

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        """Return all that the policies require, in their order."""
        return tuple(each for verdict in self.verdicts or () for each in verdict.requirements)


class Amendment(Value):
    """An evaluation in which policies put another mutation in place of the one that they were asked about."""

    evaluation: Evaluation
    amended: Amended


class Submit(Given):
    """Ask for a mutation of a state."""

    mutation: StoredMutation
    state_id: Id
    state_type: Id
    actor: GivenActor
    reason: Reason
    intent: Intent
    requires: tuple[AnyRequirement, ...] = ()
    stale: Stale = "revalidate"
    expires_at: Moment | None = None
    idempotency_key: Id | None = None
    batch_id: Id | None = None
    supersedes: Id | None = None
    compensates: CompensationLink | None = None
    correlation_id: Id | None = None
    metadata: JsonObject = Field(default_factory=FrozenDict)


class SubmitBatch(Given):
    """Ask for several mutations at once."""

    atomic: bool
    actor: GivenActor
    reason: Reason
    idempotency_key: Id | None = None


class Approve(Given):
    """Say yes: to one requirement, or to all of the current step that the actor is asked for.

    `again`: only to what the actor said yes to in an earlier round, and only to what was `seen` of this one.
    """

    name: Literal["approve"] = "approve"
    actor: GivenActor
    requirement: Id | None = None
    seen: Id | None = None
    comment: Text | None = None
    again: bool = False


class Reject(Given):
    """Say no."""

    name: Literal["reject"] = "reject"
    actor: GivenActor
    requirement: Id | None = None
    seen: Id | None = None
    rejection: RejectionReason
    comment: Text | None = None


class Withdraw(Given):
    """Take one's own decision back while the request is still pending."""

    name: Literal["withdraw"] = "withdraw"
    actor: GivenActor
    requirement: Id | None = None
    reason: Text | None = None


class Delegate(Given):
    """Let somebody else decide in one's place, until a time."""

    name: Literal["delegate"] = "delegate"
    actor: GivenActor
    to: Id
    until: Moment
    requirement: Id | None = None
    reason: Text | None = None


class Reassign(Given):
    """Ask other people instead."""

    name: Literal["reassign"] = "reassign"
    actor: GivenActor
    requirement: Id
    approvers: tuple[Approver, ...]
    reason: Reason


class BreakGlass(Given):
    """Let the request run without its approvals. `permission` is the role that gives the right to it."""

    name: Literal["break glass"] = "break glass"
    actor: GivenActor
    reason: Reason
    permission: Id
    review_after: timedelta


class Review(Given):
    """Say whether what was done behind broken glass was right."""

    name: Literal["review"] = "review"
    actor: GivenActor
    justified: bool
    comment: Reason
    permission: Id


class Comment(Given):
    """Say something."""

    name: Literal["comment"] = "comment"
    actor: GivenActor
    text: Reason


class Cancel(Given):
    """Take the request back."""

    name: Literal["cancel"] = "cancel"
    actor: GivenActor
    reason: Text | None = None


class Expire(Given):
    """Record that a deadline has passed."""

    name: Literal["expire"] = "expire"
    actor: GivenActor


class Supersede(Given):
    """Put another request in this one's place; `newest_wins`: because the mutation says so, whoever asked for it."""

    name: Literal["supersede"] = "supersede"
    actor: GivenActor
    by: Id
    newest_wins: bool = False


class Replace(Value):
    """Take the place of another request."""

    name: Literal["replace"] = "replace"
    actor: Actor
    predecessor: Id


class Execute(Value):
    """Resolve the version and run the mutation. `drift` and `changed_paths` say what moved since the evaluation."""

    name: Literal["execute"] = "execute"
    actor: GivenActor
    evaluation: Evaluation
    drift: tuple[Drift, ...] = ()
    changed_paths: tuple[str, ...] = ()
    hold: Hold | None = None
    max_attempts: int = 3
    max_rounds: int = 10


Command = (
    Approve
    | Reject
    | Withdraw
    | Delegate
    | Reassign
    | BreakGlass
    | Review
    | Comment
    | Cancel
    | Expire
    | Supersede
    | Replace
    | Execute
    | EffectCommand
    | ConditionCommand
)
"""What can be asked of a request that exists."""
