"""A request as the view `requests` keeps it, and the row that it makes."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from projections.events import AnyEvent
from projections.labels import folded, label, pair
from projections.progress import Progress
from projections.tables import json_text, stored_moment
from projections.view import Row
from projections.vocabulary import DECISION_BITS, RISKS, SCOPES


class Request:
    """What the row of a request is made from."""

    __slots__ = (
        "approved_at", "attempts", "compensated_by", "correlation", "created", "created_at", "created_position",
        "decided_at", "decisions", "effects", "end_code", "ended_at", "ended_because", "evaluated_version",
        "executed_at", "glass_broken_by", "id", "justified", "mutation", "position", "progress", "resulting_version",
        "review_until", "reviewed_by", "superseded_by", "supersedes", "updated_at", "version",
    )  # fmt: skip

    def __init__(self, stream: str) -> None:
        self.id = stream
        self.progress = Progress()
        self.created: Any = None
        self.mutation: Any = None
        self.glass_broken_by: str | None = None
        self.review_until: str | None = None
        self.reviewed_by: str | None = None
        self.justified: bool | None = None
        self.correlation: str | None = None
        self.created_at = self.updated_at = ""
        self.created_position = self.position = self.version = 0
        self.decisions = self.evaluated_version = self.attempts = 0
        self.resulting_version: int | None = None
        self.effects: tuple[str, ...] = ()
        self.approved_at: str | None = None
        self.decided_at: str | None = None
        self.executed_at: str | None = None
        self.ended_at: str | None = None
        self.end_code: str | None = None
        self.ended_because: str | None = None
        self.superseded_by: str | None = None
        self.supersedes: str | None = None
        self.compensated_by: str | None = None

    def apply(self, event: AnyEvent) -> None:
        """Take one event of the request in."""
        self.position = event.position
        self.version = event.version
        self.updated_at = event.at
        self.decisions |= DECISION_BITS.get(event.topic, 0)
        self.progress.apply(event)
        step = _STEPS.get(event.topic)
        if step is not None:
            step(self, event)


def row(state: Request) -> Row:
    """Return the row, in the order of the table's columns."""
    return (
        state.id,
        state.created_position,
        state.position,
        state.version,
        *_asked(state.created, state.mutation, state.progress),
        *_came_of_it(state),
        *_linked(state),
        state.decisions,
        stored_moment(state.created_at),
        stored_moment(state.updated_at),
        stored_moment(state.decided_at),
        stored_moment(state.approved_at),
        stored_moment(state.executed_at),
        stored_moment(state.ended_at),
        stored_moment(state.created.expires_at),
    )


def labels(state: Request) -> Iterator[tuple[str, str]]:
    """Return kind and value of every label of the request; some may come twice."""
    created, progress = state.created, state.progress
    for tag in created.intent.tags:
        yield "tag", tag
    for reason in progress.pending_reasons():
        yield "pending", reason
    for opened in progress.actionable():
        for approver in opened.approvers:
            yield "awaits", label(f"{approver.kind}:{approver.id}")
    for name, value in created.metadata.items():
        yield "metadata", pair(name, value)
    for name, value in created.intent.metadata.items():
        yield "intent", pair(name, value)
    for contract in state.effects:
        yield "effect", contract


def _asked(created: Any, mutation: Any, progress: Progress) -> Row:
    intent, requester, radius = created.intent, created.requester, created.intent.blast_radius
    return (
        created.state_id,
        created.state_type,
        mutation.type,
        mutation.version,
        progress.status,
        json_text(progress.pending_reasons()),
        requester.id,
        requester.kind,
        requester.name,
        requester.on_behalf_of,
        intent.category,
        intent.description,
        RISKS.index(intent.risk) if intent.risk else None,
        SCOPES.index(radius.scope) if radius else None,
        radius.count if radius else None,
        json_text(intent.tags) if intent.tags else "[]",
        created.reason,
        folded(created.reason),
        created.stale,
    )


def _came_of_it(state: Request) -> Row:
    return (
        state.progress.round,
        state.evaluated_version,
        state.resulting_version,
        state.attempts,
        len(state.effects),
        state.end_code,
        state.ended_because,
        state.correlation,
    )


def _linked(state: Request) -> Row:
    created, link = state.created, state.created.compensates
    return (
        created.idempotency_key,
        state.supersedes or created.supersedes,
        state.superseded_by,
        link.request_id if link else None,
        link.kind if link else None,
        link.trigger if link else None,
        state.compensated_by,
        state.glass_broken_by,
        stored_moment(state.review_until),
        state.reviewed_by,
        state.justified,
    )


def _created(state: Request, event: AnyEvent) -> None:
    state.created = event.data
    state.mutation = event.data.mutation
    state.created_at = event.at
    state.created_position = event.position
    state.correlation = event.correlation


def _amended(state: Request, event: AnyEvent) -> None:
    state.mutation = event.data.mutation


def _glass_broken(state: Request, event: AnyEvent) -> None:
    state.glass_broken_by = event.by.id
    state.review_until = event.data.review_until
    state.reviewed_by = state.justified = None


def _reviewed(state: Request, event: AnyEvent) -> None:
    state.reviewed_by = event.data.reviewer
    state.justified = event.data.justified


def _evaluated(state: Request, event: AnyEvent) -> None:
    state.evaluated_version = event.data.state_version


def _decided(state: Request, event: AnyEvent) -> None:
    state.decided_at = event.at


def _approved(state: Request, event: AnyEvent) -> None:
    state.approved_at = event.at


def _executed(state: Request, event: AnyEvent) -> None:
    data = event.data
    state.executed_at = state.ended_at = event.at
    state.resulting_version = data.version
    state.attempts = data.attempt
    state.effects = tuple(effect.contract for effect in data.effects)


def _failed(state: Request, event: AnyEvent) -> None:
    state.attempts = event.data.attempt
    if event.data.final:
        _end(state, event, "failed", event.data.error)


def _rejected(state: Request, event: AnyEvent) -> None:
    _end(state, event, event.data.code, event.data.reason)


def _canceled(state: Request, event: AnyEvent) -> None:
    _end(state, event, "canceled", event.data.reason)


def _expired(state: Request, event: AnyEvent) -> None:
    _end(state, event, "expired", "its deadline passed")


def _superseded(state: Request, event: AnyEvent) -> None:
    _end(state, event, "superseded", state.ended_because)
    state.superseded_by = event.data.by


def _replaced(state: Request, event: AnyEvent) -> None:
    state.supersedes = event.data.predecessor


def _compensated(state: Request, event: AnyEvent) -> None:
    state.compensated_by = event.data.by


def _end(state: Request, event: AnyEvent, code: str, because: str | None) -> None:
    state.ended_at, state.end_code, state.ended_because = event.at, code, because


_STEPS: Final[dict[str, Callable[[Request, AnyEvent], None]]] = {
    "Created": _created,
    "Amended": _amended,
    "GlassBroken": _glass_broken,
    "Reviewed": _reviewed,
    "PoliciesEvaluated": _evaluated,
    "ApprovalGranted": _decided,
    "ApprovalRejected": _decided,
    "Approved": _approved,
    "Executed": _executed,
    "ExecutionFailed": _failed,
    "Rejected": _rejected,
    "Canceled": _canceled,
    "Expired": _expired,
    "Superseded": _superseded,
    "Replaced": _replaced,
    "Compensated": _compensated,
}
