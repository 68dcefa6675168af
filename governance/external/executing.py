"""Executing on external states: said first, then done there, then recorded; and settled by asking when it broke off."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from governance.appending import Append
from governance.domain.actors import Actor
from governance.domain.changes import ChangeSet, diff
from governance.domain.compensation import consequences
from governance.domain.errors import (
    ConcurrencyError,
    ExecutionBrokenOffError,
    InvalidTransitionError,
    StoreUnavailableError,
)
from governance.domain.events import (
    Executed,
    ExecutionFailed,
    ExecutionStarted,
    ExternalStateChanged,
    RequestEvent,
)
from governance.domain.request import MutationRequest
from governance.event_store.log import EventLog
from governance.execution import Executor, Prepared, outcome_of
from governance.external.states import ExternalStates
from governance.external.stores import VersionMismatchError
from governance.ids import new_id
from governance.outcome import Outcome
from governance.repository import Repository
from governance.retrying import attempts
from governance.streams import state_stream


@dataclass(frozen=True)
class Begun:
    """A request whose execution was begun in the state's own store."""

    request: MutationRequest
    started: ExecutionStarted


class ExternalExecution:
    """The way of an approved request to a state that lives in another system."""

    def __init__(
        self,
        log: EventLog,
        repository: Repository,
        executor: Executor,
        states: ExternalStates,
        clock: Callable[[], datetime],
        budget_seconds: float,
    ) -> None:
        self._log = log
        self._repository = repository
        self._executor = executor
        self._clock = clock
        self._budget_seconds = budget_seconds
        self.states = states

    def run(self, prepared: Prepared, actor: Actor, now: datetime) -> Outcome:
        """Say that it begins, do it in the state's store, and record it.

        Raises ExecutionBrokenOffError when the store did not answer: nobody knows then, until `reconcile` has asked.
        """
        begun, before = self._begin(prepared, actor, now)
        try:
            version = self._write(begun)
        except VersionMismatchError as error:
            failed = self._failed(begun, actor, error.message)
            return outcome_of(failed, [*before, failed_event(begun, error.message)])
        except StoreUnavailableError as error:
            msg = (
                f"{error.message}: nobody knows whether request {begun.request.id} was executed, until it is reconciled"
            )
            raise ExecutionBrokenOffError(msg, request=begun.request.id, state=begun.started.state_id) from error
        request, events = self._finished(begun, actor, version)
        return outcome_of(request, [*before, *events])

    def reconcile(self, request_id: str, actor: Actor) -> MutationRequest:
        """Return the request after the state's store was asked what came of the execution that was begun.

        What was written is recorded. What was not written, and cannot be any more because the state has moved, has
        failed. What was not written but still could be, by whoever began it, is written under the same key, which
        writes once. Raises InvalidTransitionError when there is nothing to settle.
        """
        begun = _begun(self._repository.request(request_id))
        started, kind = begun.started, begun.request.state_type
        version = self.states.outcome(kind, started.state_id, started.key)
        if version is None and self.states.version_of(kind, started.state_id) == started.expected:
            try:
                version = self._write(begun)
            except VersionMismatchError:
                version = self.states.outcome(kind, started.state_id, started.key)
        if version is None:
            return self._failed(begun, actor, "the state had moved in its own store, and nothing was written")
        return self._finished(begun, actor, version)[0]

    def _begin(self, prepared: Prepared, actor: Actor, now: datetime) -> tuple[Begun, Sequence[RequestEvent]]:
        executed = prepared.events[-1]
        if not isinstance(executed, Executed) or prepared.state_event is None:
            msg = f"request {prepared.request.id} is not executed by this"
            raise InvalidTransitionError(msg, request=prepared.request.id)
        append = Append(new_id(now), actor, now)
        started = ExecutionStarted(
            key=f"{prepared.request.id}:{prepared.request.version}",
            attempt=executed.attempt,
            state_id=executed.state_id,
            expected=prepared.state.external_version,
            value=prepared.state_event.value,
            digest=executed.digest,
            change_set=executed.change_set,
            effects=executed.effects,
        )
        before = prepared.events[:-1]
        append.observe(prepared.state)
        request = append.add_to(prepared.request, [*before, started])
        return Begun(append.store(self._log, self._repository, request), started), before

    def _write(self, begun: Begun) -> str:
        started = begun.started
        return self.states.write(
            begun.request.state_type, started.state_id, started.value, started.expected, started.key
        )

    def _finished(self, begun: Begun, actor: Actor, version: str) -> tuple[MutationRequest, Sequence[RequestEvent]]:
        """Record what was written; returns what is there already when somebody else has done so."""
        lost: ConcurrencyError | None = None
        for _ in attempts(self._budget_seconds):
            request = self._repository.request(begun.request.id)
            if request.started != begun.started:
                return request, ()
            now = max(self._clock(), request.updated_at)
            append = Append(new_id(now), actor, now)
            made, change_set = self._mirrored(begun, version, append)
            events = [_executed(begun.started, made, change_set)]
            after = append.add_to(request, events)
            original = self._executor.original(request)
            if original is not None:
                append.add_to(original, consequences(request, original, events), causation_id=request.id)
            try:
                return append.store(self._log, self._repository, after), events
            except ConcurrencyError as error:
                lost = error
        raise lost or ConcurrencyError("the time budget was too short", request=begun.request.id)

    def _mirrored(self, begun: Begun, version: str, append: Append) -> tuple[int, ChangeSet]:
        """Return the mirror's version that holds what was written, and its changes; puts it there if none does yet."""
        started, kind = begun.started, begun.request.state_type
        latest = self._executor.mirrored(started.state_id, kind)
        for each in self._log.latest(state_stream(started.state_id), limit=100):
            if isinstance(each.event, ExternalStateChanged) and each.event.external_version == version:
                return each.version, each.event.change_set
        moved = latest.external_version != started.expected
        changed = ExternalStateChanged(
            state_type=kind,
            value=started.value,
            digest=started.digest,
            change_set=diff(latest.value, started.value) if moved else started.change_set,
            request_id=begun.request.id,
            external_version=version,
        )
        append.add(
            state_stream(started.state_id),
            latest.version,
            [changed],
            correlation_id=begun.request.correlation_id,
            causation_id=begun.request.id,
        )
        return latest.version + 1, changed.change_set

    def _failed(self, begun: Begun, actor: Actor, why: str) -> MutationRequest:
        request = self._repository.request(begun.request.id)
        if request.started != begun.started:
            return request
        now = max(self._clock(), request.updated_at)
        append = Append(new_id(now), actor, now)
        return append.store(self._log, self._repository, append.add_to(request, [failed_event(begun, why)]))


def _begun(request: MutationRequest) -> Begun:
    if request.started is None:
        msg = f"no execution of request {request.id} was begun without being told what came of it"
        raise InvalidTransitionError(msg, request=request.id, status=request.status, command="reconcile")
    return Begun(request, request.started)


def failed_event(begun: Begun, why: str) -> ExecutionFailed:
    """Return the event that nothing was written; it counts as no attempt, for the mutation itself has not failed."""
    return ExecutionFailed(attempt=max(1, begun.request.attempts), error=why, final=False)


def _executed(started: ExecutionStarted, version: int, change_set: ChangeSet) -> Executed:
    return Executed(
        state_id=started.state_id,
        version=version,
        digest=started.digest,
        change_set=change_set,
        effects=started.effects,
        attempt=started.attempt,
    )
