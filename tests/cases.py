"""People, states, mutations and histories that many tests speak of."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, JsonValue

from governance import Actor, Intent, Mutation
from governance.domain.changes import diff
from governance.domain.commands import Evaluation, Submit
from governance.domain.digest import digest
from governance.domain.events import ApprovalGranted, ApprovalRejected, Executed, PendingApproval, RequestEvent
from governance.domain.evolution import evolve
from governance.domain.mutations import StoredMutation
from governance.domain.recorded import Recorded
from governance.domain.requirements import Requirement
from governance.domain.submission import created, judge
from governance.domain.terms import RejectionReason, Stale, Verdict

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)
REQUEST_ID = "0198a000-0000-7000-8000-000000000001"
OTHER_ID = "0198a000-0000-7000-8000-000000000002"
STATE_ID = "tenant-42:roles"

GRACE = Actor(id="grace", name="Grace Hopper")
"""Asks for things."""
ALAN = Actor(id="alan", roles=("lead",))
EDSGER = Actor(id="edsger", roles=("lead", "auditor"))
BARBARA = Actor(id="barbara", roles=("lead",), groups=("security",))
TONY = Actor(id="tony")
"""Has neither role nor group."""
WORKER = Actor(id="worker", kind="service")
ROOT = Actor(id="root", kind="administrator")


def lead(name: str) -> Actor:
    """Return a person with the role that most tests ask for."""
    return Actor(id=name, roles=("lead",))


class Roles(BaseModel):
    """Who may do everything."""

    admins: tuple[str, ...] = ()
    note: str = ""


class RevokeAdmin(Mutation[Roles]):
    user: str

    def apply(self, state: Roles) -> Roles:
        return state.model_copy(update={"admins": tuple(each for each in state.admins if each != self.user)})

    def reads(self) -> list[str]:
        return ["/admins"]


class GrantAdmin(Mutation[Roles]):
    user: str

    def apply(self, state: Roles) -> Roles:
        return state.model_copy(update={"admins": (*state.admins, self.user)})

    def validate_on(self, state: Roles) -> list[str]:
        return [f"{self.user} is already an admin"] if self.user in state.admins else []

    def inverse(self, before: Roles, after: Roles) -> RevokeAdmin:
        return RevokeAdmin(user=self.user)


class SetNote(Mutation[Roles]):
    """Touches nothing but the note, and says so."""

    note: str

    def apply(self, state: Roles) -> Roles:
        return state.model_copy(update={"note": self.note})

    def reads(self) -> list[str]:
        return ["/note"]


class Counter(BaseModel):
    """A number that many want to move at once."""

    value: int = 0


class Add(Mutation[Counter]):
    amount: int

    def apply(self, state: Counter) -> Counter:
        return Counter(value=state.value + self.amount)

    def inverse(self, before: Counter, after: Counter) -> "Add":
        return Add(amount=-self.amount)


MUTATIONS: tuple[type[Mutation[Any]], ...] = (GrantAdmin, RevokeAdmin, SetNote, Add)

GRANT_ADA = StoredMutation(type="grant_admin", version=1, payload={"user": "ada"})
NOBODY: JsonValue = {"admins": [], "note": ""}
ADA: JsonValue = {"admins": ["ada"], "note": ""}


def evaluation(
    before: JsonValue = NOBODY,
    after: JsonValue = ADA,
    *,
    version: int = 0,
    verdicts: tuple[Verdict, ...] | None = (),
    **others: Any,
) -> Evaluation:
    """Return what user code might say of granting ada on a version of the state."""
    return Evaluation(
        state_version=version,
        state_digest=digest(before),
        policy_set="sha256:policies",
        verdicts=verdicts,
        change_set=diff(before, after),
        value=after,
        value_digest=digest(after),
        **others,
    )


def submitted(
    *requires: Requirement,
    requester: Actor = GRACE,
    stale: Stale = "revalidate",
    expires_at: datetime | None = None,
    answer: Evaluation | None = None,
) -> tuple[RequestEvent, ...]:
    """Return the first events of a request that needs what is required, as submitting it at the start makes them."""
    command = Submit(
        mutation=GRANT_ADA,
        state_id=STATE_ID,
        state_type="Roles",
        actor=requester,
        reason="on call this week",
        intent=Intent(),
        requires=requires,
        stale=stale,
        expires_at=expires_at,
    )
    first = created(command, START)
    stream = f"mutationRequest-{REQUEST_ID}"
    begun = evolve(None, Recorded(stream=stream, version=1, at=START, by=requester, append_id="append-1", event=first))
    return (first, *judge(begun, answer or evaluation(), START))


def executed(version: int = 1) -> Executed:
    """Return the event that makes a request an executed one."""
    return Executed(
        state_id=STATE_ID, version=version, digest=digest(ADA), change_set=diff(NOBODY, ADA), effects=(), attempt=1
    )


def requirement_of(history: Sequence[RequestEvent], number: int = 1) -> PendingApproval:
    """Return one of the requirements that a history has opened, counted from 1."""
    return [each for each in history if isinstance(each, PendingApproval)][number - 1]


def granted(history: Sequence[RequestEvent], actor: Actor, number: int = 1, **others: Any) -> ApprovalGranted:
    """Return the yes of a person to a requirement that the history has opened, by the first entitlement they have."""
    opened = requirement_of(history, number)
    return ApprovalGranted(
        requirement_id=opened.requirement_id,
        approver=actor.person,
        matched=next(each for each in opened.requirement.approvers if each.matches(actor)),
        digest=opened.digest,
        **others,
    )


def refused(history: Sequence[RequestEvent], actor: Actor, number: int = 1, message: str = "") -> ApprovalRejected:
    """Return the no of a person to a requirement that the history has opened."""
    opened = requirement_of(history, number)
    return ApprovalRejected(
        requirement_id=opened.requirement_id,
        approver=actor.person,
        matched=next(each for each in opened.requirement.approvers if each.matches(actor)),
        digest=opened.digest,
        rejection=RejectionReason(message=message),
    )


M = TypeVar("M", bound=BaseModel)


def unchecked(model: type[M], **values: Any) -> M:
    """Return a model that nobody has validated."""
    return model.model_construct(**values)
