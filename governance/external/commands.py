"""States in other systems, as the part of `Governance` that runs on them and settles what broke off."""

from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID

from governance.domain.actors import SYSTEM, Actor
from governance.domain.catalog import Catalog
from governance.domain.lifecycle import Status
from governance.domain.request import MutationRequest
from governance.event_store.log import EventLog
from governance.execution import Executor
from governance.external.executing import ExternalExecution
from governance.external.states import ExternalStates
from governance.external.stores import StateStore
from governance.handling import Handler
from governance.ids import request_key
from governance.intake import Submission, check_actor
from governance.outcome import Outcome
from governance.repository import Repository
from governance.settings import Settings
from governance.submitting import Submitter


class ExternalCommands:
    """What can be done about executions that broke off in another system."""

    log: EventLog
    settings: Settings
    catalog: Catalog
    _clock: Callable[[], datetime]
    _handler: Handler
    _submitter: Submitter
    _external: ExternalExecution

    def reconcile(self, request_id: str | UUID, *, actor: Actor = SYSTEM) -> MutationRequest:
        """Settle an execution that was begun in another system and not told of since, by asking that system.

        Workers do this by themselves. Raises InvalidTransitionError when there is nothing to settle,
        StoreUnavailableError when that system does not answer.
        """
        check_actor(actor)
        return self._external.reconcile(request_key(request_id), actor)

    def _begin_elsewhere(
        self, repository: Repository, executor: Executor, stores: Iterable[StateStore]
    ) -> ExternalStates:
        states = ExternalStates(stores, self.catalog, repository, self.settings.max_state_bytes)
        self._external = ExternalExecution(
            self.log, repository, executor, states, self._clock, self.settings.budget_seconds
        )
        executor.external, self._handler.elsewhere = states, self._external
        return states

    def _run_elsewhere(self, given: Submission) -> Outcome:
        """Submit and execute, in more than one transaction: what happens in another system cannot be in ours."""
        request = self._submitter.submit(given, "commit")
        if request.status is Status.APPROVED:
            return self._handler.execute(request.id, request.requester)
        return Outcome(request=request, resolution=None, executed=False)
