"""What events of one stream say of another, checked in lots: states made, requests put right, replaced, or claimed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from governance.audit.lawful import LawfulRequest
from governance.domain import events
from governance.domain.batch_events import BatchCreated
from governance.domain.changes import equal_changes
from governance.domain.errors import GovernanceError
from governance.domain.recorded import Recorded
from governance.domain.request import MutationRequest
from governance.event_store.audit_decoding import decoded
from governance.event_store.audit_rows import AuditRows
from governance.streams import batch_stream, key_stream, request_stream, state_stream, stream_id


@dataclass(frozen=True)
class Claim:
    """An event, and where the event stands that has to bear it out: at a version, or any of these topics."""

    recorded: Recorded
    stream: str
    version: int | None
    topics: tuple[str, ...]
    holds: Callable[[Any], bool]
    message: str


def of_request(recorded: Recorded, lawful: LawfulRequest) -> Iterator[Claim]:
    """Return what the event of a request claims of other streams; the request is taken after the event."""
    event, request = recorded.event, lawful.request
    match event:
        case _ if request is None:
            return
        case events.PoliciesEvaluated() if event.state_version > 0:
            yield _evaluated(recorded, request.state_id, event)
        case events.Executed():
            yield from _ran(recorded, request, event)
        case events.Created() if event.idempotency_key is not None:
            yield _claimed(recorded, event.idempotency_key)
        case _:
            yield from _linked(recorded, event)


def _ran(recorded: Recorded, request: MutationRequest, event: events.Executed) -> Iterator[Claim]:
    yield _made(recorded, event)
    if request.compensation is not None:
        yield _puts_right(recorded, request.compensation.request_id, event)


def _linked(recorded: Recorded, event: Any) -> Iterator[Claim]:
    match event:
        case events.Compensated():
            yield _put_right(recorded, event)
            yield _meant_to(recorded, event)
        case events.Superseded():
            yield _replaced(recorded, event)
        case events.Replaced():
            yield of_supersession(recorded, event.predecessor)


def of_supersession(recorded: Recorded, supersedes: str) -> Claim:
    """Return what a request claims that took another's place: that the other says so too."""
    by = stream_id(recorded.stream)
    return Claim(
        recorded, request_stream(supersedes), None, ("Superseded",),
        lambda event: event.by == by, f"request {supersedes} does not say that this one took its place",
    )  # fmt: skip


def of_state(recorded: Recorded, event: events.StateChanged) -> Claim:
    """Return what a version of a state claims: that a request was executed and made it."""
    state_id, version = stream_id(recorded.stream), recorded.version
    return Claim(
        recorded, request_stream(event.request_id), None, ("Executed",),
        lambda executed: (executed.state_id, executed.version, executed.digest) == (state_id, version, event.digest),
        f"request {event.request_id} does not say that it made this version",
    )  # fmt: skip


def of_key(recorded: Recorded, event: events.KeyClaimed) -> Claim:
    """Return what a claimed key claims: that there is a request with it, or a batch."""
    key = stream_id(recorded.stream)
    if event.kind == "batch":
        return Claim(
            recorded, batch_stream(event.request_id), 1, ("BatchCreated",),
            lambda created: bool(created.requests), f"there is no batch {event.request_id}",
        )  # fmt: skip
    return Claim(
        recorded, request_stream(event.request_id), 1, ("Created",),
        lambda created: created.idempotency_key == key, f"request {event.request_id} was not made under this key",
    )  # fmt: skip


def of_batch(recorded: Recorded, event: BatchCreated) -> Iterator[Claim]:
    """Return what a batch claims: that its requests were made for it."""
    batch = stream_id(recorded.stream)
    for request_id in event.requests:
        yield Claim(
            recorded, request_stream(request_id), 1, ("Created",),
            lambda created: created.batch_id == batch, f"request {request_id} was not made for this batch",
        )  # fmt: skip


def refuted(rows: AuditRows, claims: Sequence[Claim]) -> Iterator[Claim]:
    """Return the claims that the log does not bear out."""
    placed = [(each.stream, each.version) for each in claims if each.version is not None]
    others = [each for each in claims if each.version is None]
    found = list(rows.at(list(dict.fromkeys(placed)))) if placed else []
    if others:
        topics = sorted({topic for each in others for topic in each.topics})
        found += rows.of_streams(sorted({each.stream for each in others}), topics)
    known: dict[str, list[Recorded]] = {}
    for row in found:
        try:
            recorded = decoded(row)
        except GovernanceError:
            continue  # named where its own stream is checked
        known.setdefault(recorded.stream, []).append(recorded)
    yield from (each for each in claims if not _borne_out(each, known.get(each.stream, ())))


def _borne_out(claim: Claim, found: Sequence[Recorded]) -> bool:
    return any(
        type(each.event).__name__ in claim.topics
        and (claim.version is None or each.version == claim.version)
        and claim.holds(each.event)
        for each in found
    )


SOMEBODY_ELSE: Final = ""
"""The request of a version that was seen in another system: seen by others before its execution was recorded."""
_STATE: Final = ("StateChanged", "ExternalStateChanged")


def _evaluated(recorded: Recorded, state_id: str, event: events.PoliciesEvaluated) -> Claim:
    return Claim(
        recorded, state_stream(state_id), event.state_version, _STATE,
        lambda changed: changed.digest == event.state_digest,
        f"version {event.state_version} of {state_id} is not the value that was evaluated",
    )  # fmt: skip


def _made(recorded: Recorded, event: events.Executed) -> Claim:
    made = [(by, event.digest) for by in (stream_id(recorded.stream), SOMEBODY_ELSE)]
    return Claim(
        recorded, state_stream(event.state_id), event.version, _STATE,
        lambda changed: (
            (changed.request_id, changed.digest) in made and equal_changes(changed.change_set, event.change_set)
        ),
        f"version {event.version} of {event.state_id} is not what this execution made",
    )  # fmt: skip


def _puts_right(recorded: Recorded, original: str, event: events.Executed) -> Claim:
    said = (stream_id(recorded.stream), event.version)
    return Claim(
        recorded, request_stream(original), None, ("Compensated",),
        lambda compensated: (compensated.by, compensated.version) == said,
        f"request {original} does not say that this one put it right",
    )  # fmt: skip


def _put_right(recorded: Recorded, event: events.Compensated) -> Claim:
    return Claim(
        recorded, request_stream(event.by), None, ("Executed",),
        lambda executed: executed.version == event.version, f"request {event.by} did not make version {event.version}",
    )  # fmt: skip


def _meant_to(recorded: Recorded, event: events.Compensated) -> Claim:
    this = stream_id(recorded.stream)
    return Claim(
        recorded, request_stream(event.by), 1, ("Created",),
        lambda created: created.compensates is not None and created.compensates.request_id == this,
        f"request {event.by} was not asked for to put this one right",
    )  # fmt: skip


def _replaced(recorded: Recorded, event: events.Superseded) -> Claim:
    this = stream_id(recorded.stream)
    return Claim(
        recorded, request_stream(event.by), None, ("Created", "Replaced"),
        lambda other: this in {getattr(other, "supersedes", None), getattr(other, "predecessor", None)},
        f"request {event.by} does not say that it took the place of this one",
    )  # fmt: skip


def _claimed(recorded: Recorded, key: str) -> Claim:
    this = stream_id(recorded.stream)
    return Claim(
        recorded, key_stream(key), 1, ("KeyClaimed",),
        lambda claimed: claimed.request_id == this, f"idempotency key {key!r} is not claimed by this request",
    )  # fmt: skip
