"""The aggregate: one mutation request as its events have made it. `evolve` never refuses, for history is a fact."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from pydantic import Field

from governance.domain.actors import Actor
from governance.domain.changes import ChangeSet
from governance.domain.digest import digest
from governance.domain.effects import EffectProgress, RecordedEffect
from governance.domain.errors import PolicyDeniedError, StaleError, ValidationFailedError
from governance.domain.external_events import ExecutionStarted
from governance.domain.frozen_json import FrozenDict, JsonObject
from governance.domain.intent import Intent
from governance.domain.lifecycle import Status
from governance.domain.mutations import StoredMutation
from governance.domain.requirements import AnyRequirement, ApprovalRequirement, Approver, Requirement
from governance.domain.story import Lines
from governance.domain.terms import CompensationLink, RejectionReason, Stale, Verdict
from governance.domain.values import Value


class Vote(Value):
    """One person's standing decision on a requirement, and the digest of what they decided on.

    `cast_by` is who acted: the approver, or who acted for them.
    """

    approver: str
    cast_by: str
    decision: Literal["granted", "rejected"]
    matched: Approver
    delegated_by: str | None = None
    digest: str
    at: datetime
    comment: str | None = None
    rejection: RejectionReason | None = None


class Delegation(Value):
    """Who may decide in whose place, and until when."""

    delegator: str
    delegate: str
    matched: Approver
    until: datetime


class GlassBreak(Value):
    """Who let the request run without its approvals, why, and what came of the review."""

    by: Actor
    at: datetime
    reason: str
    round: int
    review_until: datetime
    reviewed_by: str | None = None
    justified: bool | None = None


class WindowOverride(Value):
    """Who let the request run outside its window or during a freeze, why, and in which round."""

    by: Actor
    approver: str
    at: datetime
    reason: str
    round: int


class OpenedRequirement(Value):
    """A requirement of one round, with the decisions made on it. `id` is `<round>.<number>`, as in `1.2`."""

    id: str
    round: int
    asked: AnyRequirement
    digest: str
    opened_at: datetime
    expires_at: datetime | None
    status: Literal["open", "satisfied", "rejected", "expired", "void"] = "open"
    votes: tuple[Vote, ...] = ()
    delegations: tuple[Delegation, ...] = ()

    @property
    def is_approval(self) -> bool:
        """Return whether people meet it, by saying yes."""
        return isinstance(self.asked, ApprovalRequirement)

    @property
    def approval(self) -> ApprovalRequirement:
        """Return what is asked of whom; TypeError for a requirement that people do not meet."""
        if isinstance(self.asked, ApprovalRequirement):
            return self.asked
        msg = f"requirement {self.id} is a {self.asked.kind}, not an approval"
        raise TypeError(msg)

    @property
    def granted_by(self) -> tuple[str, ...]:
        """Return the ids of those who said yes, in order."""
        return tuple(vote.approver for vote in self.votes if vote.decision == "granted")

    @property
    def missing(self) -> int:
        """Return how many more people have to say yes, or 1 for a condition that is not met."""
        if isinstance(self.asked, ApprovalRequirement):
            return max(0, self.asked.quorum - len(self.granted_by))
        return 0 if self.status == "satisfied" else 1

    def vote_of(self, person: str) -> Vote | None:
        """Return what this person decided, or had decided in their place; None when neither."""
        return next((vote for vote in self.votes if person in {vote.approver, vote.delegated_by}), None)

    def vote_behind_which(self, people: frozenset[str]) -> Vote | None:
        """Return the decision behind which one of these people stands: as approver, as delegate, or as who cast it."""
        behind = ((vote, {vote.approver, vote.cast_by, vote.delegated_by}) for vote in self.votes)
        return next((vote for vote, those in behind if not people.isdisjoint(those)), None)


class CompensationFailure(Value):
    """That the request was to be put right and was not: by which request, why, and who has to see to it now."""

    by: str | None
    reason: str
    owner: str | None
    at: datetime


class Links(Value):
    """How this request hangs together with others."""

    compensates: str | None = None
    compensated_by: str | None = None
    supersedes: str | None = None
    predecessors: tuple[str, ...] = ()
    superseded_by: str | None = None
    batch_id: str | None = None


class MutationRequest(Value):
    """What is known of a request after its latest event; `position` is that event's place in the global order."""

    id: str
    status: Status = Status.PENDING
    version: int = 0
    position: int | None = None
    state_id: str
    state_type: str
    mutation: StoredMutation
    mutation_digest: str
    intent: Intent
    requester: Actor
    reason: str
    requires: tuple[AnyRequirement, ...] = ()
    stale: Stale = "revalidate"
    round: int = 0
    requirements: tuple[OpenedRequirement, ...] = ()
    evaluated_version: int = 0
    evaluated_digest: str = ""
    change_set: ChangeSet = ()
    verdicts: tuple[Verdict, ...] = ()
    validation_errors: tuple[str, ...] = ()
    policy_set: str = ""
    attempts: int = 0
    resulting_version: int | None = None
    effects: tuple[RecordedEffect, ...] = ()
    deliveries: tuple[EffectProgress, ...] = ()
    started: ExecutionStarted | None = None
    ended_because: str | None = None
    end_code: str | None = None
    compensation: CompensationLink | None = None
    compensation_failure: CompensationFailure | None = None
    links: Links = Links()
    glass_break: GlassBreak | None = None
    window_override: WindowOverride | None = None
    decisions: Lines = ()
    metadata: JsonObject = Field(default_factory=FrozenDict)
    idempotency_key: str | None = None
    correlation_id: str | None = None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None

    @property
    def pending_reasons(self) -> tuple[str, ...]:
        """Return the kinds of requirement that are open, each once, as in `("approval",)`."""
        return tuple(dict.fromkeys(each.asked.kind for each in self.open_requirements))

    @property
    def current_requirements(self) -> tuple[OpenedRequirement, ...]:
        """Return the requirements of the current round that were not reassigned."""
        return tuple(each for each in self.requirements if each.round == self.round and each.status != "void")

    @property
    def current_approvals(self) -> tuple[OpenedRequirement, ...]:
        """Return those of them that people meet, by saying yes."""
        return tuple(each for each in self.current_requirements if each.is_approval)

    @property
    def answered_requirements(self) -> tuple[OpenedRequirement, ...]:
        """Return those that are met by a yes to exactly this content, of people or of checks outside."""
        kinds = {"approval", "external_check"}
        return tuple(each for each in self.current_requirements if each.asked.kind in kinds)

    @property
    def open_approvals(self) -> tuple[OpenedRequirement, ...]:
        """Return the approvals of the current round that are not met yet."""
        return tuple(each for each in self.open_requirements if each.is_approval)

    @property
    def outside_windows(self) -> bool:
        """Return whether no window and no freeze holds this round, because somebody with the right to it said so."""
        return self.window_override is not None and self.window_override.round == self.round

    @property
    def executed_at(self) -> datetime | None:
        """Return when it was executed, None when it was not."""
        if self.resulting_version is None:
            return None
        return next((each.at for each in reversed(self.decisions) if each.code == "Executed"), None)

    @property
    def reversibility(self) -> str | None:
        """Return until when and how it can be put right, as its mutation declares; None when that says nothing."""
        declared = self.intent.reversibility
        return None if declared is None else declared.text(self.executed_at)

    @property
    def behind_glass(self) -> bool:
        """Return whether this round runs without its approvals, because somebody broke the glass."""
        return self.glass_break is not None and self.glass_break.round == self.round

    @property
    def open_requirements(self) -> tuple[OpenedRequirement, ...]:
        """Return the requirements of the current round that are not met yet; none once the request has ended."""
        if self.status is not Status.PENDING:
            return ()
        return tuple(each for each in self.current_requirements if each.status == "open")

    @property
    def digest(self) -> str:
        """Return the digest of what approvers are shown: mutation, state, version, change set and round."""
        return content_digest(self)

    def requirement(self, key: str) -> OpenedRequirement | None:
        """Return the requirement of the current round with this id or name, None when there is none."""
        current = self.current_requirements
        by_name = (each for each in current if each.asked.name == key)
        return next((each for each in current if each.id == key), None) or next(by_name, None)

    def raise_if_refused(self) -> None:
        """Raise what ended this request when a rule did: PolicyDeniedError, ValidationFailedError or StaleError.

        For callers who prefer an exception to looking at `status`; does nothing for any other request.
        """
        refusals = {
            "policy-denied": PolicyDeniedError,
            "validation-failed": ValidationFailedError,
            "stale": StaleError,
        }
        error = refusals.get(self.end_code or "") if self.status is Status.REJECTED else None
        if error is not None:
            raise error(self.ended_because or "rejected", request=self.id, state=self.state_id)


def content_digest(request: MutationRequest) -> str:
    """Return the digest of everything but the requirement that an approval of the current round is bound to."""
    return digest(
        {
            "mutation": request.mutation.model_dump(mode="json"),
            "state_id": request.state_id,
            "evaluated_version": request.evaluated_version,
            "change_set": [change.model_dump(mode="json") for change in request.change_set],
            "round": request.round,
        },
    )


def requirement_digest(content: str, requirement: Requirement) -> str:
    """Return the digest that an approval of this requirement is bound to: the content and what was asked of whom."""
    return digest({"content": content, "requirement": requirement.model_dump(mode="json")})


def satisfied(requirements: Iterable[OpenedRequirement]) -> bool:
    """Return whether none of the requirements stands in the way."""
    return all(each.status == "satisfied" for each in requirements)
