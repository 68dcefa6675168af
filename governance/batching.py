"""Batches: submitted in one transaction, approved as a whole or item by item, executed together or in order."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import reduce
from itertools import islice
from typing import Any

from pydantic import ConfigDict

from governance.appending import Append
from governance.batch_foresight import Foresight
from governance.domain.actors import Actor
from governance.domain.batch import BatchState, batch_digest, evolve_batch
from governance.domain.batch_events import BatchCreated
from governance.domain.commands import Approve, Command, SubmitBatch
from governance.domain.decider import decide
from governance.domain.digest import digest
from governance.domain.errors import (
    ConcurrencyError,
    GovernanceError,
    InputError,
    InvalidTransitionError,
    NotFoundError,
    StaleError,
)
from governance.domain.lifecycle import OPEN, Status
from governance.domain.request import MutationRequest
from governance.domain.values import Value
from governance.event_store.log import EventLog
from governance.idempotency import claim, claimant
from governance.ids import new_id
from governance.intake import Submission
from governance.repository import Repository
from governance.retrying import attempts
from governance.streams import batch_stream
from governance.submitting import Begun, Submitter

MAX_ITEMS = 1000


class BatchItem(Submission):
    """One mutation of a batch: the arguments of `submit`; actor and reason default to those of the batch."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True, extra="forbid")

    actor: Any = None
    reason: Any = None


class Batch(Value):
    """A batch and its requests, in order."""

    id: str
    atomic: bool
    status: str
    requests: tuple[MutationRequest, ...]
    state: BatchState

    @property
    def digest(self) -> str:
        """Return the digest of everything that a yes to the whole is a yes to."""
        return batch_digest(self.id, self.requests)

    @property
    def position(self) -> int | None:
        """Return the position of the latest event of the batch itself."""
        return self.state.position


class Batches:
    """Takes batches in, reads them, and approves them as a whole."""

    def __init__(
        self,
        log: EventLog,
        repository: Repository,
        submitter: Submitter,
        clock: Callable[[], datetime],
        budget_seconds: float,
        vouched: Callable[[MutationRequest, Command], Command],
    ) -> None:
        self._log = log
        self._repository = repository
        self._submitter = submitter
        self._clock = clock
        self._budget_seconds = budget_seconds
        self._vouched = vouched

    def submit(self, items: Iterable[BatchItem | Mapping[str, Any]], asked: SubmitBatch) -> Batch:
        """Return the new batch, all of it stored in one transaction, or the earlier one of the same key."""
        if not isinstance(items, Iterable):
            msg = f"items: {type(items).__name__} does not hold items"
            raise InputError(msg, field="items")
        given = [_completed(item, asked.actor, asked.reason) for item in islice(items, MAX_ITEMS + 1)]
        if not 1 <= len(given) <= MAX_ITEMS:
            msg = f"items: a batch has 1 to {MAX_ITEMS:,} items, and these are {'more' if given else 'none'}"
            raise InputError(msg, field="items")
        lost: ConcurrencyError | None = None
        for _ in attempts(self._budget_seconds):
            earlier = self._earlier(given, asked)
            if earlier is not None:
                return self.get(earlier)
            try:
                return self._store(given, asked)
            except ConcurrencyError as error:
                lost = error
        raise lost or ConcurrencyError("the time budget was too short to submit the batch")

    def _store(self, given: Sequence[Submission], asked: SubmitBatch) -> Batch:
        now = self._clock()
        batch_id, append = new_id(now), Append(new_id(now), asked.actor, now)
        ahead = Foresight(self._submitter.executor)
        begun = [self._begin(number, item, append, batch_id, ahead) for number, item in enumerate(given)]
        append.put_off(max(each.state.changed_at or now for each in begun))
        ids = tuple(each.request.id for each in begun)
        created = BatchCreated(requests=ids, atomic=asked.atomic, reason=asked.reason)
        append.add(batch_stream(batch_id), 0, [created], correlation_id=batch_id)
        if asked.idempotency_key is not None:
            claim(append, asked.idempotency_key, "batch", batch_id, self._content(given, asked))
        append.store_all(self._log, self._repository, [each.request for each in begun] if append.at == now else ())
        return self.get(batch_id)

    def _earlier(self, given: Sequence[Submission], asked: SubmitBatch) -> str | None:
        if asked.idempotency_key is None:
            return None
        return claimant(self._log, asked.idempotency_key, "batch", lambda: self._content(given, asked))

    def _content(self, given: Sequence[Submission], asked: SubmitBatch) -> str:
        items = [self._submitter.content(each) for each in given]
        return digest({"items": items, "atomic": asked.atomic, "reason": asked.reason, "actor": asked.actor.id})

    def get(self, batch_id: str, *, fresh: bool = True) -> Batch:
        """Return a batch with its requests, with `fresh` as they are now; NotFoundError when there is none."""
        state = self.state(batch_id)
        requests = tuple(self._repository.request(each, fresh=fresh) for each in state.request_ids)
        return Batch.model_construct(
            id=batch_id,
            atomic=state.atomic,
            status=state.status,
            requests=requests,
            state=state,
        )

    def refuse_apart(self, request_id: str) -> None:
        """Refuse to execute one request of an atomic batch without the others: InvalidTransitionError."""
        request = self._repository.request(request_id, fresh=False)
        batch_id = request.links.batch_id
        if batch_id is not None and request.status in OPEN and self.state(batch_id).atomic:
            msg = f"request {request_id} runs with all of atomic batch {batch_id} or not at all: execute the batch"
            raise InvalidTransitionError(msg, request=request_id, batch=batch_id, command="execute")

    def state(self, batch_id: str) -> BatchState:
        """Return what is recorded of the batch itself."""
        history = self._log.stream(batch_stream(batch_id))
        if not history:
            msg = f"there is no batch {batch_id}"
            raise NotFoundError(msg, batch=batch_id)
        state: BatchState | None = reduce(evolve_batch, history, None)
        if state is None:
            raise NotFoundError(batch_id, batch=batch_id)
        return state

    def approve(self, batch_id: str, *, actor: Actor, seen: str | None, comment: str | None) -> Batch:
        """Say yes to every pending request of the batch, in one transaction; refused for all if refused for one.

        With `seen`, the batch's `digest`, anything that has moved raises StaleError.
        """
        lost: ConcurrencyError | None = None
        for _ in attempts(self._budget_seconds):
            batch = self.get(batch_id)
            if seen is not None and seen != batch.digest:
                msg = f"batch {batch_id} is not what was seen any more: look at it again, then decide"
                raise StaleError(msg, batch=batch_id, seen=seen, current=batch.digest)
            seen = batch.digest
            now = max(self._clock(), *(each.updated_at for each in batch.requests))
            append = Append(new_id(now), actor, now)
            command = Approve(actor=actor, comment=comment)
            pending = [each for each in batch.requests if each.status is Status.PENDING]
            approved = [append.add_to(each, decide(self._vouched(each, command), each, now)) for each in pending]
            if not approved:
                msg = f"no request of batch {batch_id} waits for approval"
                raise InputError(msg, field="batch_id")
            try:
                append.store_all(self._log, self._repository, approved)
                return self.get(batch_id)
            except ConcurrencyError as error:
                lost = error
        raise lost or ConcurrencyError("the time budget was too short to approve the batch", batch=batch_id)

    def _begin(self, number: int, item: Submission, append: Append, batch_id: str, ahead: Foresight) -> Begun:
        try:
            begun = self._submitter.begin_in(item, append, batch_id)
            ahead.take(begun)
            return begun
        except GovernanceError as error:
            error.ids.setdefault("item", str(number))
            error.message = f"item {number}: {error.message}"
            raise


def _completed(item: BatchItem | Mapping[str, Any], actor: Actor, reason: str) -> Submission:
    if isinstance(item, Submission):
        given = {name: getattr(item, name) for name in type(item).model_fields}
    elif isinstance(item, Mapping):
        given = dict(item)
    else:
        msg = f"items: {type(item).__name__} is neither a mapping nor a BatchItem"
        raise InputError(msg, field="items")
    unknown = sorted(set(given) - set(Submission.model_fields))
    if unknown or "mutation" not in given or "state_id" not in given:
        what = f"does not take {unknown[0]!r}" if unknown else "needs mutation and state_id"
        msg = f"items: an item {what}"
        raise InputError(msg, field="items")
    for refused in ("idempotency_key", "supersedes", "compensates"):
        if given.get(refused) is not None:
            msg = f"items.{refused}: is not for items of a batch"
            raise InputError(msg, field=f"items.{refused}")
    filled = {"actor": actor, "reason": reason, **{k: v for k, v in given.items() if v is not None}}
    fields = Submission.model_fields
    return Submission.model_construct(**{name: filled.get(name, each.default) for name, each in fields.items()})
