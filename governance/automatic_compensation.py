"""Automatic compensation: putting an executed request right because something after it went wrong, and nobody asked."""

from collections.abc import Callable
from datetime import datetime

from governance.appending import Append
from governance.compensating import compensation_of
from governance.domain.actors import Actor
from governance.domain.catalog import Catalog
from governance.domain.compensation import check_compensable
from governance.domain.errors import ConcurrencyError, ConfigurationError, NotReversibleError, StaleError
from governance.domain.events import CompensationFailed
from governance.domain.lifecycle import Status
from governance.domain.request import MutationRequest
from governance.domain.terms import CompensationKind
from governance.domain.values import Value, clean
from governance.event_store.log import EventLog
from governance.execution import Executor
from governance.handling import Handler
from governance.ids import new_id
from governance.repository import Repository
from governance.retrying import attempts
from governance.submitting import Submitter


class PutRight(Value):
    """What came of putting a request right automatically.

    `compensation` is the request that does it, None when there is no way back; `done` is whether it was executed. When
    it is neither done nor waits for somebody, `failure` says why, and so does the original (`CompensationFailed`).
    """

    original: MutationRequest
    compensation: MutationRequest | None
    done: bool
    failure: str | None = None

    @property
    def waits(self) -> bool:
        """Return whether the compensation is there and waits, for approval or for execution."""
        return self.compensation is not None and not self.done and self.failure is None


class AutomaticCompensation:
    """Submits compensations with `trigger="automatic"`, governed like any other, and runs those that need nobody."""

    def __init__(
        self,
        log: EventLog,
        repository: Repository,
        catalog: Catalog,
        executor: Executor,
        submitter: Submitter,
        handler: Handler,
        clock: Callable[[], datetime],
        budget_seconds: float,
    ) -> None:
        self._log = log
        self._repository = repository
        self._catalog = catalog
        self._executor = executor
        self._submitter = submitter
        self._handler = handler
        self._clock = clock
        self._budget_seconds = budget_seconds

    def put_right(self, request_id: str, *, actor: Actor, reason: str, key: str) -> PutRight:
        """Return what came of it: the mutation's inverse, or the earlier value where there is none.

        Called again with the same key, after a crash for instance, it goes on where it was. When there is no way back,
        or the compensation ends without running, the original says so and who has to see to it, and stays compensable.
        Raises InvalidTransitionError for what was not executed, and ConcurrencyError.
        """
        original = self._repository.request(request_id)
        if original.status is Status.COMPENSATED:
            by = original.links.compensated_by
            return PutRight(original=original, compensation=self._repository.request(by) if by else None, done=True)
        check_compensable(original)
        try:
            undo = self._submitted(original, actor, reason, key)
        except (NotReversibleError, StaleError, ConfigurationError) as error:
            return self._impossible(original, actor, clean(str(error)))
        if undo.status is Status.APPROVED:
            undo = self._handler.execute(undo.id, actor).request
        return self._result(original.id, undo)

    def _submit(
        self, original: MutationRequest, actor: Actor, kind: CompensationKind, reason: str, key: str
    ) -> MutationRequest:
        """Return the compensating request, the same one for the same key; raises what `compensate` raises."""
        given = compensation_of(original, kind, None, self._catalog, self._executor, "automatic", now=self._clock())
        complete = given.model_copy(update={"actor": actor, "reason": reason, "idempotency_key": f"{key}-{kind}"})
        return self._submitter.submit(complete, "commit", original.state_type)

    def _submitted(self, original: MutationRequest, actor: Actor, reason: str, key: str) -> MutationRequest:
        try:
            return self._submit(original, actor, "corrective", reason, key)
        except NotReversibleError:
            return self._submit(original, actor, "restore", reason, key)

    def _result(self, original_id: str, undo: MutationRequest) -> PutRight:
        original = self._repository.request(original_id)
        if original.links.compensated_by not in {None, undo.id}:  # somebody else was first
            undo = self._repository.request(original.links.compensated_by or undo.id)
        done = undo.status in {Status.EXECUTED, Status.COMPENSATED}
        waits = undo.status in {Status.PENDING, Status.APPROVED}
        failure = None if done or waits else clean(undo.ended_because or f"it is {undo.status}")
        return PutRight(original=original, compensation=undo, done=done, failure=failure)

    def _impossible(self, original: MutationRequest, actor: Actor, why: str) -> PutRight:
        """Record that there is no way back, once for each reason."""
        failed = CompensationFailed(by=None, reason=why, owner=original.requester.person)
        for _ in attempts(self._budget_seconds):
            known = original.compensation_failure
            if known is not None and (known.by, known.reason) == (None, why):
                break
            now = max(self._clock(), original.updated_at)
            append = Append(new_id(now), actor, now)
            try:
                original = append.store(self._log, self._repository, append.add_to(original, [failed]))
                break
            except ConcurrencyError:
                original = self._repository.request(original.id)
        return PutRight(original=original, compensation=None, done=False, failure=why)
