"""What the views should hold, folded independently of them: from whole events, with the domain's own aggregate."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from governance.domain.actors import Actor
from governance.domain.entitlement import refusal
from governance.domain.events import (
    Approved,
    Created,
    Executed,
    ExecutionFailed,
    Rejected,
    StateChanged,
    VersionResolved,
)
from governance.domain.evolution import replay
from governance.domain.recorded import Recorded
from governance.domain.request import MutationRequest, OpenedRequirement

Rows = list[dict[str, Any]]


def requests_of(history: Iterable[Recorded]) -> dict[str, MutationRequest]:
    """Return every request of the history as it stands at its end."""
    streams: dict[str, list[Recorded]] = defaultdict(list)
    for each in history:
        kind, _, name = each.stream.partition("-")
        if kind == "mutationRequest":
            streams[name].append(each)
    return {name: found for name, events in streams.items() if (found := replay(events)) is not None}


def request_row(request: MutationRequest) -> dict[str, Any]:
    """Return what the row of a request should say."""
    intent, link, glass = request.intent, request.compensation, request.glass_break
    return {
        "request_id": request.id,
        "state_id": request.state_id,
        "state_type": request.state_type,
        "mutation_type": request.mutation.type,
        "mutation_version": request.mutation.version,
        "status": str(request.status),
        "pending_reasons": request.pending_reasons,
        "requester": request.requester.id,
        "on_behalf_of": request.requester.on_behalf_of,
        "category": intent.category,
        "risk": intent.risk,
        "scope": intent.blast_radius.scope if intent.blast_radius else None,
        "tags": intent.tags,
        "reason": request.reason,
        "stale": request.stale,
        "round": request.round,
        "evaluated_version": request.evaluated_version,
        "resulting_version": request.resulting_version,
        "attempts": request.attempts,
        "effects": len(request.effects),
        "end_code": request.end_code,
        "ended_because": request.ended_because,
        "correlation_id": request.correlation_id,
        "supersedes": request.links.supersedes,
        "superseded_by": request.links.superseded_by,
        "compensates": request.links.compensates,
        "compensation_kind": link.kind if link else None,
        "compensated_by": request.links.compensated_by,
        "glass_broken_by": glass.by.id if glass else None,
        "reviewed_by": glass.reviewed_by if glass else None,
        "justified": glass.justified if glass else None,
        "created_at": request.created_at,
        "updated_at": request.updated_at,
        "expires_at": request.expires_at,
        "version": request.version,
        "position": request.position,
    }


def approval_row(request: MutationRequest, opened: OpenedRequirement) -> dict[str, Any]:
    """Return what the row of a requirement should say."""
    waiting = request.open_approvals
    step = min((each.approval.step for each in waiting), default=None)
    asked = opened.approval
    return {
        "request_id": request.id,
        "requirement_id": opened.id,
        "request_status": str(request.status),
        "status": opened.status,
        "step": asked.step,
        "quorum": asked.quorum,
        "missing": opened.missing,
        "granted_by": opened.granted_by,
        "rejected_by": tuple(vote.approver for vote in opened.votes if vote.decision == "rejected"),
        "actionable": opened in waiting and asked.step == step,
        "expires_at": opened.expires_at,
    }


def inbox_of(requests: Iterable[MutationRequest], actor: Actor, now: datetime) -> set[tuple[str, str]]:
    """Return what the actor may decide on, by the domain's own rules."""
    return {
        (request.id, opened.id)
        for request in requests
        if request.status == "pending"
        for opened in request.open_requirements
        if refusal(request, opened, actor, now) is None
    }


def decisions_of(history: Sequence[Recorded]) -> Rows:
    """Return one row per event of a request."""
    requests = requests_of(history)
    return [
        {
            "position": each.position,
            "request_id": each.stream.partition("-")[2],
            "decided_in": each.event.category,
            "decision": type(each.event).__name__,
            "actor": each.by.id,
            "at": each.at,
            "state_id": requests[each.stream.partition("-")[2]].state_id,
        }
        for each in history
        if each.stream.startswith("mutationRequest-")
    ]


def changes_of(history: Iterable[Recorded]) -> Rows:
    """Return one row per changed path."""
    return [
        {
            "position": each.position,
            "number": number,
            "state_id": each.stream.partition("-")[2],
            "version": each.version,
            "path": change.path,
            "kind": change.kind,
            "old": change.old,
            "new": change.new,
            "changed_by": each.by.id,
        }
        for each in history
        if isinstance(each.event, StateChanged)
        for number, change in enumerate(each.event.change_set, start=1)
    ]


def states_of(history: Iterable[Recorded]) -> dict[str, tuple[int, str]]:
    """Return version and digest of every state."""
    return {
        each.stream.partition("-")[2]: (each.version, each.event.digest)
        for each in history
        if isinstance(each.event, StateChanged)
    }


def executions_of(history: Iterable[Recorded]) -> Rows:
    """Return one row per attempt, with the first thing that followed from it."""
    attempts: dict[str, dict[str, Any]] = {}
    rows: Rows = []
    for each in history:
        event, stream = each.event, each.stream
        if isinstance(event, VersionResolved):
            usual = {"renewal_required": "sent back", "rejected_as_stale": "rejected"}.get(event.outcome, "resolved")
            attempts[stream] = {"position": each.position, "result": usual, "drift": len(event.drift)}
            rows.append(attempts[stream])
        elif isinstance(event, Executed):
            attempts[stream]["result"] = "executed"
        elif isinstance(event, ExecutionFailed):
            attempts[stream]["result"] = "failed"
        elif isinstance(event, Rejected) and attempts.get(stream, {}).get("result") == "resolved":
            attempts[stream]["result"] = "rejected"
    return rows


def agenda_of(requests: Iterable[MutationRequest]) -> set[tuple[str, str, str]]:
    """Return what is due: request, what, and which requirement."""
    return {(request.id, due, item) for request in requests for due, item in _due(request)}


def _due(request: MutationRequest) -> Iterator[tuple[str, str]]:
    glass = request.glass_break
    if glass is not None and glass.reviewed_by is None:
        yield "review", ""
    if request.status not in {"pending", "approved"}:
        return
    if request.expires_at is not None:
        yield "request-deadline", ""
    if request.status == "approved":
        yield "execution", ""
    for opened in request.open_requirements:
        if opened.expires_at is not None:
            yield "approval-deadline", opened.id


def activity_of(history: Iterable[Recorded]) -> Counter[tuple[datetime, str]]:
    """Return how often each hour saw submissions, approvals and executions."""
    names = {Created: "submitted", Approved: "approved", Executed: "executed"}
    return Counter(
        (each.at.replace(minute=0, second=0, microsecond=0), names[type(each.event)])
        for each in history
        if type(each.event) in names
    )
