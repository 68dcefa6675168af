"""Playing the case of `gov demo` by the public API, and noting what happened."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from governance.application import Governance
from governance.cli.demo_case import GrantAdmin, ImportRoles, RevokeAdmin
from governance.cli.text import compact, short
from governance.domain.actors import Actor
from governance.domain.changes import ChangeSet
from governance.domain.errors import GovernanceError
from governance.domain.recorded import Recorded
from governance.domain.request import MutationRequest
from governance.domain.terms import Stale
from governance.outcome import Outcome

STATE = "tenant-42:roles"
GRACE = Actor(id="grace", roles=("security-lead",))
ALAN = Actor(id="alan", roles=("security-lead",))
EDSGER = Actor(id="edsger", roles=("security-lead",))
LINUS = Actor(id="linus")
WORKER = Actor(id="worker", kind="service")


@dataclass(frozen=True)
class Step:
    """One thing that somebody did, and what came of it."""

    chapter: str
    who: str
    does: str
    status: str
    told: str
    request_id: str | None = None
    changes: ChangeSet = ()
    before: Any = None
    after: Any = None


@dataclass
class Played:
    """The whole case; `first` is the request that it is about, `waiting` one that still waits for somebody."""

    steps: list[Step] = field(default_factory=list)
    first: str = ""
    waiting: str = ""
    beginning: Any = None
    end: Any = None
    timeline: Sequence[Recorded] = ()


class Play:
    """Does one thing after the other, and notes it."""

    def __init__(self, governance: Governance) -> None:
        self.governance = governance
        self.played = Played()
        self.chapter = ""

    def ask(self, actor: Actor, user: str, reason: str) -> MutationRequest:
        """Ask for an administrator more."""
        asked = GrantAdmin(user=user)
        request = self.governance.submit(asked, state_id=STATE, actor=actor, reason=reason)
        needs = (f"{each.missing} approvals by {each.approval.approvers[0]}" for each in request.open_approvals)
        told = f"{short(request.id)} needs {' and '.join(needs)}"
        self._note(actor, f"asks for {user}", request.status, told, request)
        return request

    def ask_approved(self, actor: Actor, user: str, stale: Stale, approvers: Sequence[Actor]) -> MutationRequest:
        """Ask for an administrator more, and let people say yes."""
        request = self.governance.submit(
            GrantAdmin(user=user), state_id=STATE, actor=actor, reason="joins the team", stale=stale
        )
        for approver in approvers:
            request = self.governance.approve(request.id, actor=approver)
        told = f"by {' and '.join(each.id for each in approvers)}; if stale: {stale}"
        self._note(actor, f"asks for {user}", request.status, told, request)
        return request

    def agree(self, request: MutationRequest, *actors: Actor) -> MutationRequest:
        """Let people say yes."""
        for actor in actors:
            request = self.governance.approve(request.id, actor=actor)
            met = request.requirement(f"{request.round}.1")
            told = f"{len(met.granted_by)} of {met.approval.quorum}: {', '.join(met.granted_by)}" if met else ""
            self._note(actor, "approves", request.status, told, request)
        return request

    def refused(self, actor: Actor, does: str, call: Any) -> None:
        """Try what a rule forbids."""
        try:
            call()
        except GovernanceError as error:
            told = error.message.replace(error.ids.get("request", " "), short(error.ids.get("request", " ")))
            self._note(actor, does, "refused", f"{error.rule}: {told}", None)

    def execute(self, request: MutationRequest, does: str = "executes", *, whole: bool = False) -> Outcome:
        """Let the worker run it."""
        before = self._value()
        outcome = self.governance.execute(request.id, actor=WORKER)
        resolution = outcome.resolution
        told = f"{resolution.outcome}: {resolution.reason}" if resolution else ""
        if outcome.executed:
            moved = resolution is not None and resolution.outcome != "matched"
            told = f"version {outcome.resulting_version}" + (f"; {told}" if moved else "")
        after = self._value()
        self._note(WORKER, does, outcome.request.status, told, request, *((before, after) if whole else ()))
        return outcome

    def revoke(self, actor: Actor, user: str, reason: str) -> None:
        """Take rights away, which needs nobody, at once."""
        outcome = self.governance.run(RevokeAdmin(user=user), state_id=STATE, actor=actor, reason=reason)
        told = f"version {outcome.resulting_version}; taking rights away needs nobody"
        self._note(actor, f"revokes {user}", outcome.request.status, told, outcome.request, changes=outcome.change_set)

    def compensate(self, request: MutationRequest, actor: Actor, reason: str) -> None:
        """Put right what the request did."""
        asked = self.governance.compensate(request.id, actor=actor, reason=reason)
        told = f"{short(asked.id)}: {asked.mutation.type} {compact(asked.mutation.payload)}, “{reason}”"
        self._note(actor, "compensates", asked.status, told, asked)
        outcome = self.execute(asked)
        status = self.governance.request(request.id).status
        told = f"{short(request.id)} is put right by {short(outcome.request.id)}, each names the other"
        self._note(actor, f"looks at {short(request.id)}", status, told, request)

    def begin(self) -> None:
        """Take over the roles that the tenant begins with."""
        imported = ImportRoles(admins=("bob",))
        outcome = self.governance.run(imported, state_id=STATE, actor=WORKER, reason="taken over from the old system")
        self.played.beginning = self._value()
        told = f"version 1 of {STATE}"
        self._note(WORKER, "imports roles", outcome.request.status, told, outcome.request)

    def end(self, first: MutationRequest, waiting: MutationRequest) -> Played:
        """Return all that happened."""
        played = self.played
        played.first, played.waiting, played.end = first.id, waiting.id, self._value()
        played.timeline = self.governance.history(first.id)
        return played

    def _value(self) -> Any:
        return self.governance.state(STATE).value.model_dump(mode="json")

    def _note(
        self,
        actor: Actor,
        does: str,
        status: str,
        told: str,
        request: MutationRequest | None,
        before: Any = None,
        after: Any = None,
        changes: ChangeSet = (),
    ) -> None:
        key = request.id if request else None
        step = Step(self.chapter, actor.id, does, str(status), told, key, changes, before, after)
        self.played.steps.append(step)


def play(governance: Governance) -> Played:
    """Play the case on an empty store and return what happened."""
    on = Play(governance)
    on.chapter = "Ada is to become an administrator: that needs two leads"
    on.begin()
    first = on.ask(GRACE, "ada", "on call this week")
    on.refused(GRACE, "approves it herself", lambda: governance.approve(first.id, actor=GRACE))
    on.agree(first, ALAN, EDSGER)
    on.execute(first, whole=True)
    on.refused(WORKER, "executes it again", lambda: governance.execute(first.id, actor=WORKER))
    _stale(on)
    on.chapter = "It was the wrong tenant: putting it right"
    on.compensate(first, GRACE, "wrong tenant")
    on.chapter = "And one that waits for you"
    waiting = on.agree(on.ask(GRACE, "niklaus", "holiday cover"), ALAN)
    return on.end(first, waiting)


def _stale(on: Play) -> None:
    on.chapter = "Three approved requests, and the state moves under them"
    ways: tuple[tuple[str, Stale], ...] = (("barbara", "reject"), ("donald", "revalidate"), ("tony", "renew"))
    asked = {user: on.ask_approved(GRACE, user, stale, (ALAN, EDSGER)) for user, stale in ways}
    on.revoke(LINUS, "bob", "left the company")
    on.chapter = "Three ways out for what was approved on a state that is no more"
    for user, stale in ways:
        on.execute(asked[user], f"executes {user} ({stale})")
    on.agree(asked["tony"], ALAN, EDSGER)
    on.execute(asked["tony"])
