"""Batches: several requests that are executed together or in order, as a stream of their own."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, assert_never

from pydantic import Field

from governance.domain.batch_events import (
    BatchCreated,
    BatchExecuted,
    BatchFailed,
    BatchItemCompensated,
    BatchItemNotCompensated,
)
from governance.domain.digest import digest
from governance.domain.errors import MisplacedEventError
from governance.domain.recorded import Recorded
from governance.domain.request import MutationRequest
from governance.domain.values import Value

BatchStatus = Literal["open", "executed", "failed"]


class BatchState(Value):
    """What is known of a batch after its latest event.

    `compensations` maps requests to those that put them right, `not_compensated` requests to why that was not possible.
    """

    id: str
    version: int
    position: int | None
    request_ids: tuple[str, ...]
    atomic: bool
    reason: str
    created_at: datetime
    status: BatchStatus = "open"
    failed_request: str | None = None
    failure: str | None = None
    executed_before: tuple[str, ...] = ()
    compensations: dict[str, str] = Field(default_factory=dict)
    not_compensated: dict[str, str] = Field(default_factory=dict)

    @property
    def settled(self) -> frozenset[str]:
        """Return the executed requests of a failed batch for which it is recorded what became of them."""
        return frozenset((*self.compensations, *self.not_compensated))


def evolve_batch(batch: BatchState | None, recorded: Recorded) -> BatchState:
    """Return the batch after the event; never refuses."""
    event: Any = recorded.event
    if isinstance(event, BatchCreated):
        return BatchState(
            id=recorded.stream.partition("-")[2],
            version=recorded.version,
            position=recorded.position,
            request_ids=event.requests,
            atomic=event.atomic,
            reason=event.reason,
            created_at=recorded.at,
        )
    if batch is None:
        msg = f"stream {recorded.stream} begins with {recorded.type}, not with BatchCreated"
        raise MisplacedEventError(msg, stream=recorded.stream, version=recorded.version)
    update = {"version": recorded.version, "position": recorded.position}
    return batch.model_copy(update={**_changes(batch, event), **update})


def _changes(
    batch: BatchState, event: BatchExecuted | BatchFailed | BatchItemCompensated | BatchItemNotCompensated
) -> dict[str, Any]:
    match event:
        case BatchExecuted():
            return {"status": "executed"}
        case BatchFailed():
            failure = {"failed_request": event.request_id, "failure": event.reason, "executed_before": event.executed}
            return failure if batch.atomic else {**failure, "status": "failed"}
        case BatchItemCompensated():
            return {"compensations": {**batch.compensations, event.request_id: event.by}}
        case BatchItemNotCompensated():
            return {"not_compensated": {**batch.not_compensated, event.request_id: event.reason}}
    assert_never(event)


def batch_digest(batch_id: str, requests: Iterable[MutationRequest]) -> str:
    """Return the digest of everything that a yes to the whole batch is a yes to."""
    return digest({"batch": batch_id, "items": [[each.id, each.digest] for each in requests]})
