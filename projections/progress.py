"""How far a request has come: its status, its round and its requirements, as several views need them."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from projections.approval_facts import Approver
from projections.events import AnyEvent
from projections.tables import stored_moment

APPROVAL: Final = "approval"


class Vote(NamedTuple):
    """One person's decision, who cast it, and in whose place."""

    approver: str
    decision: str
    cast_by: str
    delegated_by: str | None


class Delegation(NamedTuple):
    """Who may decide in whose place, and until when."""

    delegator: str
    delegate: str
    until: str


class Opened:
    """A requirement of one round and the decisions that stand on it."""

    __slots__ = (
        "approvers", "delegations", "different_from", "earliest", "expires_at", "id", "kind", "name", "opened_at",
        "position", "quorum", "round", "settled_at", "status", "step", "veto", "votes",
    )  # fmt: skip

    def __init__(self, event: AnyEvent) -> None:
        data = event.data
        self.id: str = data.requirement_id
        self.round: int = data.round
        self.kind: str = data.requirement.kind
        self.name: str | None = data.requirement.name
        self.step: int = data.requirement.step
        self.quorum: int = data.requirement.quorum
        self.veto: bool = data.requirement.veto
        self.approvers: tuple[Approver, ...] = data.requirement.approvers
        self.expires_at: str | None = data.expires_at
        self.opened_at: str = event.at
        self.position: int = event.position
        self.status = "open"
        self.settled_at: str | None = None
        self.earliest: str | None = getattr(data.requirement, "not_before", None)
        self.different_from: tuple[int, ...] = data.requirement.different_from
        self.votes: list[Vote] = []
        self.delegations: list[Delegation] = []

    def voters(self, decision: str) -> list[str]:
        """Return who decided so, in order."""
        return [vote.approver for vote in self.votes if vote.decision == decision]

    def behind_votes(self) -> list[str]:
        """Return everybody who stands behind a decision: as approver, as delegate, or as who cast it."""
        return [each for vote in self.votes for each in (vote.approver, vote.cast_by, vote.delegated_by) if each]

    def delegates(self) -> dict[str, str]:
        """Return who may decide in whose place, and until when: not any more once the delegator has decided."""
        if not self.delegations:
            return {}
        decided = {each for vote in self.votes for each in (vote.approver, vote.delegated_by)}
        open_ones = [each for each in self.delegations if each.delegator not in decided]
        latest: dict[str, str] = {}
        for each in open_ones:
            latest[each.delegate] = max(each.until, latest.get(each.delegate, ""))
        return latest


class Progress:
    """Status, round and requirements after the events so far."""

    __slots__ = ("opened", "round", "status")

    def __init__(self) -> None:
        self.status = "pending"
        self.round = 0
        self.opened: dict[str, Opened] = {}

    def apply(self, event: AnyEvent) -> None:
        """Take one event of the request in; events that move nothing here are passed over."""
        step = _STEPS.get(event.topic)
        if step is not None:
            step(self, event)

    def open(self) -> list[Opened]:
        """Return the requirements that stand in the way now."""
        if self.status != "pending":
            return []
        return [each for each in self.opened.values() if each.round == self.round and each.status == "open"]

    def barred(self, opened: Opened) -> list[str]:
        """Return who may not decide on the requirement, because of what they decided in other steps of the round."""
        if not opened.different_from:
            return []
        current = [each for each in self.opened.values() if each.round == self.round and each.status != "void"]
        return [person for each in current if each.step in opened.different_from for person in each.behind_votes()]

    def actionable(self) -> list[Opened]:
        """Return the open approvals whose turn it is: those of the lowest step."""
        if self.status != "pending":
            return []
        waiting = [each for each in self.open() if each.kind == APPROVAL]
        step = min((each.step for each in waiting), default=0)
        return [each for each in waiting if each.step == step]

    def pending_reasons(self) -> list[str]:
        """Return the kinds of the open requirements, each once."""
        if self.status != "pending":
            return []
        return list(dict.fromkeys(each.kind for each in self.open()))


def _evaluated(progress: Progress, event: AnyEvent) -> None:
    progress.round = event.data.round


def _pending(progress: Progress, event: AnyEvent) -> None:
    progress.status = "pending"
    progress.opened[event.data.requirement_id] = Opened(event)


def _voted(decision: str) -> Callable[[Progress, AnyEvent], None]:
    def vote(progress: Progress, event: AnyEvent) -> None:
        opened = progress.opened.get(event.data.requirement_id)
        if opened is not None:
            opened.votes.append(Vote(event.data.approver, decision, event.by.id, event.data.delegated_by))

    return vote


def _withdrawn(progress: Progress, event: AnyEvent) -> None:
    opened = progress.opened.get(event.data.requirement_id)
    if opened is not None:
        opened.votes = [vote for vote in opened.votes if vote.approver != event.data.approver]
        opened.status, opened.settled_at = "open", None


def _delegated(progress: Progress, event: AnyEvent) -> None:
    opened, data = progress.opened.get(event.data.requirement_id), event.data
    if opened is not None:
        until = stored_moment(data.until) or ""
        opened.delegations.append(Delegation(data.delegator, data.delegate, until))


def _settled(status: str) -> Callable[[Progress, AnyEvent], None]:
    def settle(progress: Progress, event: AnyEvent) -> None:
        opened = progress.opened.get(event.data.requirement_id)
        if opened is not None:
            opened.status, opened.settled_at = status, event.at

    return settle


def _resolved(progress: Progress, event: AnyEvent) -> None:
    if event.data.outcome != "renewal_required":
        return
    progress.status = "pending"
    for opened in progress.opened.values():
        opened.status = "void"


def _failed(progress: Progress, event: AnyEvent) -> None:
    if event.data.final:
        progress.status = "failed"


def _status(status: str) -> Callable[[Progress, AnyEvent], None]:
    def become(progress: Progress, event: AnyEvent) -> None:
        del event
        progress.status = status

    return become


_STEPS: Final[dict[str, Callable[[Progress, Any], None]]] = {
    "PoliciesEvaluated": _evaluated,
    "PendingApproval": _pending,
    "PendingExternalCheck": _pending,
    "PendingSchedule": _pending,
    "PendingDependency": _pending,
    "PendingQuota": _pending,
    "ExternalCheckPassed": _settled("satisfied"),
    "ExternalCheckFailed": _settled("rejected"),
    "ScheduleReached": _settled("satisfied"),
    "DependencySatisfied": _settled("satisfied"),
    "QuotaReserved": _settled("satisfied"),
    "ApprovalGranted": _voted("granted"),
    "ApprovalRejected": _voted("rejected"),
    "ApprovalDelegated": _delegated,
    "ApprovalReassigned": _settled("void"),
    "ApprovalWithdrawn": _withdrawn,
    "ApprovalExpired": _settled("expired"),
    "QuorumReached": _settled("satisfied"),
    "VersionResolved": _resolved,
    "ExecutionFailed": _failed,
    "Approved": _status("approved"),
    "Executed": _status("executed"),
    "Rejected": _status("rejected"),
    "Canceled": _status("canceled"),
    "Expired": _status("expired"),
    "Superseded": _status("superseded"),
    "Compensated": _status("compensated"),
}
