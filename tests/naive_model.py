"""The rules of the request life cycle, written down a second time, naively, from the description of the product.

Nothing here is taken from the code under test. A refusal is the set of the names of all errors that would be right.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

OPEN = ("pending", "approved")


class RefusedError(Exception):
    """The command is refused, for any of these reasons."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(*reasons)
        self.reasons = set(reasons)


@dataclass(frozen=True)
class Person:
    """Who acts, and for whom."""

    id: str
    roles: frozenset[str] = frozenset()
    acts_for: str | None = None
    administrator: bool = False

    @property
    def counts_as(self) -> str:
        return self.acts_for or self.id

    @property
    def people(self) -> set[str]:
        return {self.id, self.counts_as}


@dataclass(frozen=True)
class Ask:
    """What is asked of whom."""

    role: str | None = None
    names: frozenset[str] = frozenset()
    quorum: int = 1
    step: int = 1
    hours: int | None = None
    until: datetime | None = None
    veto: bool = True

    def demand(self) -> object:
        return (self.role, self.names, self.quorum, self.step, self.veto)

    def asks_for(self, person: Person) -> bool:
        return self.role in person.roles if self.role else person.counts_as in self.names

    def deadline(self, now: datetime) -> datetime | None:
        return now + timedelta(hours=self.hours) if self.hours else self.until


@dataclass
class Open:
    """A requirement of the current round, with the votes on it: person -> (yes, the people behind the vote)."""

    ask: Ask
    deadline: datetime | None
    met: bool = False
    votes: dict[str, tuple[bool, set[str]]] = field(default_factory=dict)

    def yes(self) -> int:
        return sum(1 for yes, _ in self.votes.values() if yes)

    def hopeless(self, requester: Person) -> bool:
        against = {name for name, (yes, _) in self.votes.items() if not yes}
        return not self.ask.role and len(self.ask.names - against - requester.people) < self.ask.quorum


@dataclass(frozen=True)
class Value:
    """The state: who is an admin, in order, and a note."""

    admins: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Change:
    """What is to be done to the state."""

    kind: str
    text: str = ""
    value: Value | None = None

    def invalid(self, on: Value) -> bool:
        return self.kind == "grant" and self.text in on.admins

    def after(self, on: Value) -> Value:
        if self.kind == "restore":
            assert self.value is not None
            return self.value
        if self.kind == "note":
            return replace(on, note=self.text)
        left = tuple(each for each in on.admins if each != self.text)
        return replace(on, admins=(*left, self.text) if self.kind == "grant" else left)

    def would_change(self, on: Value) -> object:
        """What a person would call the change, as exactly as a change set does for these mutations."""
        if self.kind == "grant":
            return ("add", self.text)
        if self.kind == "revoke":
            return ("remove", on.admins.index(self.text)) if self.text in on.admins else None
        return ("from", on, "to", self.after(on)) if self.kind == "restore" else (on.note, self.text)

    def looks_at(self, one: Value, other: Value) -> bool:
        """Whether the difference of two values is where this reads or writes."""
        if self.kind == "revoke":
            return one.admins != other.admins
        return one.note != other.note if self.kind == "note" else True


@dataclass
class Request:
    """What is known of a request."""

    requester: Person
    change: Change
    strategy: str
    created: datetime
    updated: datetime
    status: str = "pending"
    end: str | None = None
    round: int = 1
    expires: datetime | None = None
    evaluated: int = 0
    approved_change: object = None
    open: list[Open] = field(default_factory=list)
    result: int | None = None
    compensates: "Request | None" = None
    compensated_by: "Request | None" = None
    superseded_by: "Request | None" = None

    def finish(self, status: str, end: str | None = None) -> None:
        self.status, self.end = status, end


class World:
    """All requests on one state, and that state's versions."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.versions = [Value()]
        self.changed = now - timedelta(days=365)
        self.requests: list[Request] = []

    @property
    def state(self) -> Value:
        return self.versions[-1]

    def policies(self, change: Change, original: Change | None) -> tuple[bool, list[Ask]]:
        """Whether the one policy denies, and what it asks for; it is about grants and the undoing of grants."""
        if change.kind != "grant" and (original is None or original.kind != "grant" or change.kind != "restore"):
            return False, []
        if self.state.note == "frozen":
            return True, []
        return False, [Ask(role="auditor")] if len(self.state.admins) >= 2 else []

    def submit(self, request: Request, asks: list[Ask], supersedes: Request | None = None) -> Request:
        """Take a request in; everything about it that time or the state decides is filled in here."""
        now = max(self.now, self.changed)
        if request.expires is not None and request.expires <= now:
            raise RefusedError("InputError")
        request.created = request.updated = now
        request.evaluated, request.approved_change = self.version, request.change.would_change(self.state)
        denied, demanded = self.policies(request.change, request.compensates.change if request.compensates else None)
        if request.change.invalid(self.state):
            request.finish("rejected", "validation-failed")
        elif denied:
            request.finish("rejected", "policy-denied")
        else:
            self.open_round(request, [*asks, *demanded], now)
        if supersedes is not None and request.status in OPEN:
            if supersedes.status not in OPEN:
                raise RefusedError("InvalidTransitionError")
            self.owner(supersedes, request.requester)
            supersedes.finish("superseded", "superseded")
            supersedes.superseded_by = request
            supersedes.updated = max(now, supersedes.updated)
        self.requests.append(request)
        return request

    @property
    def version(self) -> int:
        return len(self.versions) - 1

    def open_round(self, request: Request, asks: list[Ask], now: datetime) -> None:
        unique = sorted(dict.fromkeys(asks), key=lambda ask: ask.step)
        for ask in unique:
            ends = ask.deadline(now)
            alone = ask.names and len(ask.names - request.requester.people) < ask.quorum
            if alone or (ends is not None and ends <= now):
                raise RefusedError("ConfigurationError")
        request.open = [Open(ask, ask.deadline(now)) for ask in unique]
        request.status = "pending" if unique else "approved"

    def owner(self, request: Request, person: Person) -> None:
        if not person.people & request.requester.people and not person.administrator:
            raise RefusedError("NotAuthorizedError")

    def why_not(self, request: Request, opened: Open, person: Person, now: datetime) -> set[str]:
        """Return every reason why the person may not decide on the requirement."""
        reasons = set()
        if person.people & request.requester.people:
            reasons.add("SelfApprovalError")
        if not opened.ask.asks_for(person):
            reasons.add("NotAuthorizedError")
        if opened.met or any(people & person.people for _, people in opened.votes.values()):
            reasons.add("AlreadyDecidedError")
        if any(ends is not None and ends <= now for ends in (opened.deadline, request.expires)):
            reasons.add("ApprovalExpiredError")
        if opened.ask.step > min(each.ask.step for each in request.open if not each.met):
            reasons.add("OutOfStepError")
        return reasons

    def decide(self, request: Request, person: Person, *, yes: bool, number: int | None) -> None:
        """Say yes or no to one requirement, or to all that the person may decide on."""
        now = self.check(request, "pending")
        if number is not None and number >= len(request.open):
            raise RefusedError("NotFoundError")
        chosen = request.open if number is None else [request.open[number]]
        reasons = [self.why_not(request, each, person, now) for each in chosen]
        may = [each for each, why in zip(chosen, reasons, strict=True) if not why]
        if not may:
            raise RefusedError(*(each for why in reasons for each in why))
        for opened in may:
            opened.votes[person.counts_as] = (yes, person.people)
            opened.met = opened.yes() >= opened.ask.quorum
        request.updated = now
        if not yes and any(each.ask.veto or each.hopeless(request.requester) for each in may):
            request.finish("rejected", "approval-rejected")
        elif all(each.met for each in request.open):
            request.finish("approved")

    def withdraw(self, request: Request, person: Person) -> None:
        now = self.check(request, "pending")
        voted = [each for each in request.open if person.counts_as in each.votes]
        if not voted:
            raise RefusedError("NotFoundError")
        for opened in voted:
            del opened.votes[person.counts_as]
            opened.met = False
        request.updated = now

    def cancel(self, request: Request, person: Person) -> None:
        now = self.check(request, *OPEN)
        self.owner(request, person)
        request.updated = now
        request.finish("canceled", "canceled")

    def expire(self, request: Request) -> None:
        now = self.check(request, *OPEN)
        if not self.ended_by_time(request, now):
            raise RefusedError("ApprovalExpiredError")

    def comment(self, request: Request) -> None:
        request.updated = max(self.now, request.updated)

    def ended_by_time(self, request: Request, now: datetime) -> bool:
        waiting = [each.deadline for each in request.open if request.status == "pending" and not each.met]
        if request.expires is not None and request.expires <= now:
            request.finish("expired", "expired")
        elif any(deadline is not None and deadline <= now for deadline in waiting):
            request.finish("rejected", "approval-expired")
        else:
            return False
        request.updated = now
        return True

    def check(self, request: Request, *statuses: str) -> datetime:
        if request.status not in statuses:
            raise RefusedError("InvalidTransitionError")
        return max(self.now, request.updated)
