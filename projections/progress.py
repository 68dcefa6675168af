"""How far a request has come: its status, its round and its requirements, as several views need them."""

from collections.abc import Callable
from typing import Any, Final

from projections.events import AnyEvent
from projections.facts import Approver


class Opened:
    """A requirement of one round and the decisions that stand on it."""

    __slots__ = (
        "approvers", "expires_at", "granted", "id", "kind", "name", "opened_at", "position", "quorum", "rejected",
        "round", "settled_at", "status", "step", "veto",
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
        self.granted: list[str] = []
        self.rejected: list[str] = []


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

    def actionable(self) -> list[Opened]:
        """Return the open requirements whose turn it is: those of the lowest step."""
        waiting = self.open()
        step = min((each.step for each in waiting), default=0)
        return [each for each in waiting if each.step == step]

    def pending_reasons(self) -> list[str]:
        """Return the kinds of the open requirements, each once."""
        return list(dict.fromkeys(each.kind for each in self.open()))


def _evaluated(progress: Progress, event: AnyEvent) -> None:
    progress.round = event.data.round


def _pending(progress: Progress, event: AnyEvent) -> None:
    progress.status = "pending"
    progress.opened[event.data.requirement_id] = Opened(event)


def _granted(progress: Progress, event: AnyEvent) -> None:
    opened = progress.opened.get(event.data.requirement_id)
    if opened is not None:
        opened.granted.append(event.data.approver)


def _rejected_by_one(progress: Progress, event: AnyEvent) -> None:
    opened = progress.opened.get(event.data.requirement_id)
    if opened is not None:
        opened.rejected.append(event.data.approver)


def _withdrawn(progress: Progress, event: AnyEvent) -> None:
    opened = progress.opened.get(event.data.requirement_id)
    if opened is not None:
        opened.granted = [each for each in opened.granted if each != event.data.approver]
        opened.rejected = [each for each in opened.rejected if each != event.data.approver]
        opened.status, opened.settled_at = "open", None


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
    "ApprovalGranted": _granted,
    "ApprovalRejected": _rejected_by_one,
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
