"""Submitting: from what a caller asks for to the first events of a request, and on if nothing is open."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Literal

from governance.appending import Append
from governance.directory import DirectoryLookup
from governance.domain.catalog import Catalog
from governance.domain.commands import Evaluation, Submit
from governance.domain.compensation import consequences
from governance.domain.errors import (
    ConcurrencyError,
    GovernanceError,
    InputError,
    StaleError,
)
from governance.domain.events import Rejected, RequestEvent
from governance.domain.lifecycle import Status
from governance.domain.request import MutationRequest
from governance.domain.state import StateVersion
from governance.domain.submission import created, judge
from governance.evaluation import Evaluator
from governance.event_store.log import EventLog
from governance.execution import Executor, outcome_of
from governance.idempotency import claim, claimant
from governance.ids import new_id
from governance.intake import Submission, content_of, take_in
from governance.outcome import Outcome
from governance.repository import Repository
from governance.retrying import attempts
from governance.settings import Settings
from governance.superseding import Superseder

Mode = Literal["commit", "simulate", "validate"]


@dataclass(frozen=True)
class Begun:
    """A request as its first events have made it, what they were based on, and the append that would store them."""

    append: Append
    request: MutationRequest
    state: StateVersion
    evaluation: Evaluation


class Submitter:
    """Takes requests in; the same path whether a request is only tried, stored, or executed at once.

    What is in memory of a state may be behind the store, which only an execution would notice; so nothing else is ever
    stored on its word: refusals and open requests are decided again on the store's.
    """

    def __init__(
        self,
        log: EventLog,
        repository: Repository,
        catalog: Catalog,
        evaluator: Evaluator,
        executor: Executor,
        settings: Settings,
        clock: Callable[[], datetime],
        directory: DirectoryLookup | None = None,
    ) -> None:
        self._log = log
        self._repository = repository
        self._catalog = catalog
        self._evaluator = evaluator
        self._executor = executor
        self._superseder = Superseder(log, repository, catalog, executor)
        self._settings = settings
        self._clock = clock
        self._directory = directory

    @property
    def executor(self) -> Executor:
        """Return what will execute the requests that are taken in."""
        return self._executor

    def submit(self, given: Submission, mode: Mode, state_type: str | None = None) -> MutationRequest:
        """Return the new request, or the earlier one of the same idempotency key; stored only in mode `commit`."""
        if mode not in ("commit", "simulate", "validate"):
            msg = f"mode: {mode!r} is not one of commit, simulate, validate"
            raise InputError(msg, field="mode")
        command = self._command(given, state_type)
        if mode != "commit":
            begun = self._begin(command, given, ask_policies=mode == "simulate", fresh=True)
            return self._link(command, begun.append, begun.request)
        return self._store(command, given, execute=False).request

    def run(self, given: Submission) -> Outcome:
        """Return what came of submitting and, if nothing is open, executing, in one transaction."""
        return self._store(self._command(given, None), given, execute=True)

    def begin_in(self, given: Submission, append: Append, batch_id: str) -> Begun:
        """Put the first events of one request of a batch into its append, and return the request as it has begun."""
        command = self._command(given, None).model_copy(update={"batch_id": batch_id})
        return self._begin(command, given, ask_policies=True, fresh=True, append=append)

    def _command(self, given: Submission, state_type: str | None) -> Submit:
        return take_in(given, self._catalog, state_type, self._settings.max_payload_bytes)

    def _store(self, command: Submit, given: Submission, *, execute: bool) -> Outcome:
        lost: GovernanceError | None = None
        ends = monotonic() + self._settings.budget_seconds
        for attempt in attempts(self._settings.budget_seconds):
            earlier = self._earlier(command)
            if earlier is not None:
                return _outcome_again(earlier)
            fresh = attempt > 0 or not execute
            try:
                with self._executor.slots.taken(ends) if execute else nullcontext():
                    begun = self._begin(command, given, ask_policies=True, fresh=fresh)
                if fresh or begun.request.status is Status.APPROVED:
                    return self._committed(command, begun, ends if execute else None)
            except GovernanceError as error:
                if fresh and not isinstance(error, ConcurrencyError):
                    raise
                lost = error
        raise lost or ConcurrencyError("the time budget was too short to submit", state=command.state_id)

    def _committed(self, command: Submit, begun: Begun, ends: float | None) -> Outcome:
        """Store the request, and execute it if that is to be done by a time; interceptors hold no slot meanwhile."""
        if ends is None or begun.request.status is not Status.APPROVED:
            return self._commit(command, begun, execute=False)

        def run() -> Outcome:
            with self._executor.slots.taken(ends):
                return self._commit(command, begun, execute=True)

        return self._executor.intercepted(lambda: [begun.request], command.actor, run, lambda outcome: [outcome])

    def _commit(self, command: Submit, begun: Begun, *, execute: bool) -> Outcome:
        append, request = begun.append, begun.request
        request = self._link(command, append, request)
        original = self._executor.original(request)
        if original is not None:
            ended = [each.event for each in append.recorded if isinstance(each.event, Rejected)]
            append.add_to(original, consequences(request, original, ended), causation_id=request.id)
        events: Sequence[RequestEvent] = ()
        if execute and request.status is Status.APPROVED:
            evaluation = begun.evaluation.model_copy(update={"verdicts": None})
            prepared = self._executor.prepare(request, begun.state, command.actor, append.at, evaluation)
            events, request = prepared.events, prepared.add_to(append)
        return outcome_of(append.store(self._log, self._repository, request), events)

    def _begin(
        self, command: Submit, given: Submission, *, ask_policies: bool, fresh: bool, append: Append | None = None
    ) -> Begun:
        state = self._executor.current_state(command.state_id, command.state_type, fresh=fresh)
        if given.expected_version is not None and given.expected_version != state.version:
            msg = f"state {state.id} is at version {state.version}, not at {given.expected_version}"
            raise StaleError(msg, state=state.id, expected=given.expected_version, current=state.version)
        clock = self._clock()
        now = max(clock, state.changed_at or clock)
        request_id = new_id(now)
        append = append or Append(new_id(now), command.actor, now)
        append.observe(state)
        request = append.begin(request_id, created(command, now), command.correlation_id or request_id)
        evaluation = self._evaluator.evaluate(self._executor.subject(request), state, now, ask_policies=ask_policies)
        request = append.add_to(request, judge(request, evaluation, now))
        self._executor.check(request, [each.asked for each in request.open_requirements])
        if self._directory is not None:
            for opened in request.open_approvals:
                self._directory.check(opened.approval, request.requester)
        return Begun(append, request, state, evaluation)

    def _link(self, command: Submit, append: Append, request: MutationRequest) -> MutationRequest:
        if command.idempotency_key is not None:
            claim(append, command.idempotency_key, "request", request.id, self._content(command))
        return self._superseder.supersede(command, append, request)

    def content(self, given: Submission) -> str:
        """Return the digest of what an idempotency key would stand for; raises what submitting it would raise first."""
        return self._content(self._command(given, None))

    def _content(self, command: Submit) -> str:
        return self._catalog.keyed(command.actor.id, content_of(command))

    def _earlier(self, command: Submit) -> MutationRequest | None:
        if command.idempotency_key is None:
            return None
        known = claimant(self._log, command.idempotency_key, "request", lambda: self._content(command))
        return None if known is None else self._repository.request(known)


def _outcome_again(request: MutationRequest) -> Outcome:
    executed = request.resulting_version is not None
    return Outcome(
        request=request,
        resolution=None,
        executed=executed,
        change_set=request.change_set if executed else (),
        resulting_version=request.resulting_version,
        effects=request.effects,
    )
