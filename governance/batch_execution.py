"""Executing batches: all in one transaction or not at all, or in order with what was done put right when one fails."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import reduce
from time import monotonic

from governance.appending import Append
from governance.automatic_compensation import AutomaticCompensation
from governance.batch_drift import Stopped, Together, drift_by, telling
from governance.batching import Batch, Batches
from governance.domain.actors import SYSTEM, Actor
from governance.domain.batch import BatchState, evolve_batch
from governance.domain.batch_events import (
    BatchEvent,
    BatchExecuted,
    BatchFailed,
    BatchItemCompensated,
    BatchItemNotCompensated,
)
from governance.domain.errors import (
    ConcurrencyError,
    ExecutionInDoubtError,
    GovernanceError,
    InvalidTransitionError,
    NotDueError,
    OutcomeUnknownError,
    StoreUnavailableError,
)
from governance.domain.lifecycle import OPEN, Status, check_command
from governance.domain.request import MutationRequest
from governance.domain.state import StateVersion
from governance.domain.terms import Drift
from governance.domain.values import Value, clean
from governance.event_store.log import EventLog
from governance.execution import Executor, Prepared, outcome_of
from governance.handling import Handler
from governance.ids import new_id
from governance.outcome import Outcome
from governance.repository import Repository
from governance.retrying import attempts
from governance.streams import batch_stream

NOT_OF_THE_ITEM = (ConcurrencyError, StoreUnavailableError, OutcomeUnknownError, ExecutionInDoubtError)
"""Errors that do not say that a request failed: nothing is recorded, and calling again goes on."""


class BatchOutcome(Value):
    """What came of executing a batch. `executed` is True only when every request of it was.

    `outcomes` are those of the requests that this call executed, or of those that failed, in order. `failed` names the
    (first) request that could not be executed, `compensations` the requests that put right what was done before it.
    """

    batch: Batch
    executed: bool
    outcomes: tuple[Outcome, ...]
    failed: str | None = None
    reason: str | None = None
    compensations: tuple[MutationRequest, ...] = ()


class BatchExecutor:
    """Executes batches through the same path as single requests."""

    def __init__(
        self,
        log: EventLog,
        repository: Repository,
        executor: Executor,
        handler: Handler,
        batches: Batches,
        compensation: AutomaticCompensation,
        clock: Callable[[], datetime],
        budget_seconds: float,
    ) -> None:
        self._log = log
        self._repository = repository
        self._executor = executor
        self._handler = handler
        self._batches = batches
        self._compensation = compensation
        self._clock = clock
        self._budget_seconds = budget_seconds

    def execute(self, batch_id: str, actor: Actor) -> BatchOutcome:
        """Return what came of the batch; goes on where an earlier call was cut off."""
        if self._batches.state(batch_id).atomic:
            return self._executor.intercepted(
                lambda: self._batches.get(batch_id).requests,
                actor,
                lambda: self._together(batch_id, actor),
                lambda outcome: outcome.outcomes,
            )
        return self._in_order(self._batches.get(batch_id), actor)

    def _together(self, batch_id: str, actor: Actor) -> BatchOutcome:
        """Decide first on what is in memory, and on the store's word before anything is refused or has failed."""
        lost: GovernanceError | None = None
        ends = monotonic() + self._budget_seconds
        for attempt in attempts(self._budget_seconds):
            try:
                with self._executor.slots.taken(ends):
                    outcome = self._try_together(batch_id, actor, fresh=attempt > 0)
            except GovernanceError as error:
                if attempt > 0 and not (isinstance(error, ConcurrencyError) and "stream" in error.ids):
                    raise
                lost = error
                continue
            if outcome is not None:
                return outcome
        raise lost or ConcurrencyError("the time budget was too short to execute the batch", batch=batch_id)

    def _try_together(self, batch_id: str, actor: Actor, *, fresh: bool) -> BatchOutcome | None:
        batch = self._batches.get(batch_id, fresh=fresh)
        _refuse_executed(batch)
        for each in batch.requests:
            check_command("execute", each.status, each.id)
            self._executor.refuse_elsewhere(each)
        states = self._states(batch.requests, fresh=fresh)
        changed = (each.changed_at for each in states.values() if each.changed_at is not None)
        now = max(self._clock(), *(each.updated_at for each in batch.requests), *changed)
        together = self._prepare_together(batch.requests, states, actor, now)
        refuted = together.stopped.first is not None and not fresh
        return None if refuted else self._append_together(batch, together, actor, now)

    def _states(self, requests: Iterable[MutationRequest], *, fresh: bool) -> dict[str, StateVersion]:
        states: dict[str, StateVersion] = {}
        for each in requests:
            if each.state_id not in states:
                states[each.state_id] = self._executor.current_state(each.state_id, each.state_type, fresh=fresh)
        return states

    def _prepare_together(
        self, requests: Iterable[MutationRequest], states: dict[str, StateVersion], actor: Actor, now: datetime
    ) -> Together:
        before: dict[str, Prepared] = {}
        drift: dict[str, list[Drift]] = defaultdict(list)
        made, stopped = list[Prepared](), Stopped()
        for request in requests:
            state, last = states[request.state_id], before.get(request.state_id)
            if stopped.at(state.id):
                continue
            if last is not None and last.state_event is not None:
                drift[state.id].append(drift_by(last.request, last.state_event, last.state.version + 1))
                state = last.state_after(now)
            part = self._executor.prepare(request, state, actor, now)
            if stopped.first is None:
                _refuse_held(part.request, part.held)
            if part.state_event is None:
                stopped.take(part, imagined=last is not None)
                continue
            before[state.id] = part
            made.append(telling(part, drift[state.id]) if last is not None else part)
        return Together(tuple(made), stopped)

    def _append_together(self, batch: Batch, together: Together, actor: Actor, now: datetime) -> BatchOutcome:
        append, failed = Append(new_id(now), actor, now), together.stopped.first
        parts = together.prepared if failed is None else together.stopped.told
        requests = [part.add_to(append) for part in parts]
        event: BatchEvent = BatchExecuted()
        if failed is not None:
            event = BatchFailed(
                request_id=failed.request.id, reason=_why(failed, together.stopped.imagined), executed=()
            )
        append.add(batch_stream(batch.id), batch.state.version, [event], correlation_id=batch.id)
        stored = append.store_all(self._log, self._repository, requests)
        outcomes = tuple(outcome_of(known, part.events) for known, part in zip(stored, parts, strict=True))
        return self._outcome(batch.id, outcomes, fresh=False)

    def _in_order(self, batch: Batch, actor: Actor) -> BatchOutcome:
        _refuse_executed(batch)
        outcomes: list[Outcome] = []
        state = self._begun(batch, actor)
        for request in batch.requests if state.failed_request is None else ():
            if request.resulting_version is not None:
                continue
            outcome, reason = self._one(request, actor)
            outcomes += [outcome] if outcome is not None else []
            if reason is not None:
                state = self._record_failure(state, request, reason, actor)
                break
        if state.failed_request is None:
            self._record(state, BatchExecuted(), actor)
            return self._outcome(batch.id, tuple(outcomes))
        return self._outcome(batch.id, tuple(outcomes), self._put_right(state, actor))

    def _begun(self, batch: Batch, actor: Actor) -> BatchState:
        """Return the batch, failed if one of it has ended; refuse to begin or go on before all that is left may run."""
        if batch.state.failed_request is not None:
            return batch.state
        ended = next((each for each in batch.requests if each.status not in {*OPEN, Status.EXECUTED}), None)
        if ended is not None:
            why = clean(ended.ended_because or f"it is {ended.status}")
            return self._record_failure(batch.state, ended, why, actor)
        for each in batch.requests:
            if each.resulting_version is None:
                check_command("execute", each.status, each.id)
                self._refuse_hold(each)
        return batch.state

    def _refuse_hold(self, request: MutationRequest) -> None:
        hold = self._executor.hold(request, self._clock())
        _refuse_held(request, hold.because if hold is not None and not hold.ends else None)

    def _one(self, request: MutationRequest, actor: Actor) -> tuple[Outcome | None, str | None]:
        self._refuse_hold(request)
        try:
            outcome = self._handler.execute(request.id, actor)
        except NOT_OF_THE_ITEM:
            raise
        except GovernanceError as error:
            return None, clean(str(error))
        last = outcome.resolution.reason if outcome.resolution is not None else None
        why = outcome.request.ended_because or last or f"it is {outcome.request.status}"
        return outcome, None if outcome.executed else clean(why)

    def _record_failure(self, state: BatchState, request: MutationRequest, reason: str, actor: Actor) -> BatchState:
        requests = self._batches.get(state.id).requests
        executed = tuple(each.id for each in requests if each.resulting_version is not None)
        return self._record(state, BatchFailed(request_id=request.id, reason=reason, executed=executed), actor)

    def _put_right(self, state: BatchState, actor: Actor) -> tuple[MutationRequest, ...]:
        done: list[MutationRequest] = []
        for request_id in reversed(state.executed_before):
            if request_id in state.settled:
                continue
            event, compensation = self._put_one_right(state.id, request_id, actor)
            state = self._record(state, event, actor)
            done += [compensation] if compensation is not None else []
        return tuple(done)

    def _put_one_right(self, batch_id: str, request_id: str, actor: Actor) -> tuple[BatchEvent, MutationRequest | None]:
        request = self._repository.request(request_id)
        if request.status is Status.COMPENSATED:
            by = request.links.compensated_by or ""
            return BatchItemCompensated(request_id=request_id, by=by, done=True), None
        reason, key = f"batch {batch_id} failed", f"batch-{batch_id}-{request_id}"
        try:
            put = self._compensation.put_right(request_id, actor=actor, reason=reason, key=key)
        except NOT_OF_THE_ITEM:
            raise
        except GovernanceError as error:
            return BatchItemNotCompensated(request_id=request_id, reason=clean(str(error))), None
        if put.compensation is None or put.failure is not None:
            failure = put.failure or "there is no way back"
            return BatchItemNotCompensated(request_id=request_id, reason=failure), put.compensation
        return BatchItemCompensated(request_id=request_id, by=put.compensation.id, done=put.done), put.compensation

    def _record(self, state: BatchState, event: BatchEvent, actor: Actor) -> BatchState:
        """Return the batch after an event; ConcurrencyError when somebody else has executed it meanwhile."""
        now = self._clock()
        append = Append(new_id(now), actor, now)
        recorded = append.add(batch_stream(state.id), state.version, [event], correlation_id=state.id)
        append.store_all(self._log, self._repository, ())
        return reduce(evolve_batch, recorded, state)

    def _outcome(
        self,
        batch_id: str,
        outcomes: tuple[Outcome, ...],
        compensations: tuple[MutationRequest, ...] = (),
        *,
        fresh: bool = True,
    ) -> BatchOutcome:
        batch = self._batches.get(batch_id, fresh=fresh)
        executed = batch.status == "executed"
        return BatchOutcome.model_construct(
            batch=batch,
            executed=executed,
            outcomes=outcomes,
            failed=None if executed else batch.state.failed_request,
            reason=None if executed else batch.state.failure,
            compensations=compensations,
        )


def _refuse_executed(batch: Batch) -> None:
    if batch.status == "executed":
        msg = f"batch {batch.id} has been executed already"
        raise InvalidTransitionError(msg, batch=batch.id, status=batch.status, command="execute batch")


def _why(failed: Prepared, imagined: bool) -> str:
    request = failed.add_to(Append("", SYSTEM, failed.request.updated_at))
    resolution = outcome_of(request, failed.events).resolution
    why = request.ended_because or (resolution.reason if resolution else None) or f"it is {request.status}"
    if imagined:
        why = f"after what the batch does to state {failed.state.id} before it: {why}"
    return clean(why)


def _refuse_held(request: MutationRequest, because: str | None) -> None:
    """Refuse to go on while a window or a freeze holds a request of the batch: NotDueError, and nothing is stored."""
    if because is not None:
        msg = f"request {request.id} of batch {request.links.batch_id} may not run now: {because}"
        raise NotDueError(msg, request=request.id, batch=request.links.batch_id)
