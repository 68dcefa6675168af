"""Handling: load, decide and append one command on one request, again when somebody else was faster."""

from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic
from typing import Protocol, TypeGuard

from governance.appending import Append
from governance.directory import DirectoryLookup
from governance.domain.actors import Actor
from governance.domain.commands import Approve, BreakGlass, Command, Delegate, Reject, Replace, Review, Supersede
from governance.domain.compensation import consequences
from governance.domain.condition_commands import OverrideWindow, RecordCheck
from governance.domain.decider import check_certain, decide
from governance.domain.errors import ConcurrencyError, ExecutionBrokenOffError, GovernanceError, InputError
from governance.domain.events import RequestEvent
from governance.domain.lifecycle import check_command
from governance.domain.request import MutationRequest
from governance.domain.requirements import Approver
from governance.event_store.log import EventLog
from governance.execution import Executor, External, Prepared, outcome_of
from governance.ids import new_id
from governance.outcome import Outcome
from governance.repository import Repository
from governance.retrying import attempts


class Elsewhere(Protocol):
    """How an approved request is executed on a state that lives in another system."""

    @property
    def states(self) -> External:
        """Return what is known of such states."""

    def run(self, prepared: Prepared, actor: Actor, now: datetime) -> Outcome:
        """Execute it there and return what came of it."""


class Handler:
    """Handles commands; decides first on what is in memory, and on the store's word before it refuses anything."""

    def __init__(
        self,
        log: EventLog,
        repository: Repository,
        executor: Executor,
        clock: Callable[[], datetime],
        budget_seconds: float,
        directory: DirectoryLookup | None = None,
    ) -> None:
        self._log = log
        self._repository = repository
        self._executor = executor
        self._clock = clock
        self._budget_seconds = budget_seconds
        self._directory = directory
        self.elsewhere: Elsewhere | None = None

    def decide(self, request_id: str, command: Command, expected_version: int | None) -> MutationRequest:
        """Return the request after the command. Tries again after a lost race, but never across a new round.

        A decision made during one round must not count for another, so a round that changes under the call raises
        ConcurrencyError, like a version that is not the expected one.
        """
        first: MutationRequest | None = None
        lost: GovernanceError | None = None
        for attempt in attempts(self._budget_seconds):
            fresh = attempt > 0 or expected_version is not None
            request = self._repository.request(request_id, fresh=fresh)
            if fresh:
                first = first or request
                _check_unmoved(request, first, expected_version)
            try:
                return self._append(request, command)
            except ConcurrencyError as error:
                lost = error
            except GovernanceError as error:
                if fresh:
                    raise
                lost = error
        raise lost or _out_of_time(request_id)

    def execute(self, request_id: str, actor: Actor, at: datetime | None = None) -> Outcome:
        """Return what came of executing the request, intercepted; the loser of a race gets ConcurrencyError.

        Tries again when only the state has moved: then the request's own strategy says what that means for it.
        """
        return self._executor.intercepted(
            lambda: [self._repository.request(request_id)],
            actor,
            lambda: self._executed(request_id, actor, at),
            lambda outcome: [outcome],
        )

    def _executed(self, request_id: str, actor: Actor, at: datetime | None) -> Outcome:
        first: MutationRequest | None = None
        lost: GovernanceError | None = None
        ends = monotonic() + self._budget_seconds
        for attempt in attempts(self._budget_seconds):
            fresh = attempt > 0
            request = self._repository.request(request_id, fresh=fresh)
            if fresh:
                first = first or request
                _check_same(request, first)
            try:
                with self._executor.slots.taken(ends):
                    outcome = self._execute(request, actor, at or self._clock(), fresh=fresh)
            except ExecutionBrokenOffError:
                raise
            except GovernanceError as error:
                if fresh and not _lost_race(error):
                    raise
                lost = error
                continue
            if outcome is not None:
                return outcome
        raise lost or _out_of_time(request_id)

    def supersede(self, request_id: str, successor_id: str, actor: Actor) -> MutationRequest:
        """Return the request that another has taken the place of; both say so, in one transaction."""
        lost: ConcurrencyError | None = None
        for _ in attempts(self._budget_seconds):
            old, new = self._repository.request(request_id), self._repository.request(successor_id)
            check_same_state(old, new)
            now = max(self._clock(), old.updated_at, new.updated_at)
            append = Append(new_id(now), actor, now)
            replaced = self._added(append, old, decide(Supersede(actor=actor, by=new.id), old, now), new.id)
            successor = append.add_to(new, decide(Replace(actor=actor, predecessor=old.id), new, now))
            try:
                stored = append.store(self._log, self._repository, replaced)
            except ConcurrencyError as error:
                lost = error
            else:
                self._repository.forget(successor.id)
                return stored
        raise lost or _out_of_time(request_id)

    def _append(self, request: MutationRequest, command: Command) -> MutationRequest:
        command = self.vouched(request, command)
        now = max(self._clock(), request.updated_at)
        append = Append(new_id(now), command.actor, now)
        decided = self._added(append, request, decide(command, request, now))
        return append.store(self._log, self._repository, decided)

    def _added(
        self, append: Append, request: MutationRequest, events: Sequence[RequestEvent], cause: str | None = None
    ) -> MutationRequest:
        """Put the events into the append, and what they mean for the request that this one was to put right."""
        after = append.add_to(request, events, causation_id=cause)
        original = self._executor.original(request)
        if original is not None:
            append.add_to(original, consequences(request, original, events), causation_id=request.id)
        return after

    def vouched(self, request: MutationRequest, command: Command) -> Command:
        """Return the command with its actor as the directory knows them, where roles and groups give a right."""
        if self._directory is None:
            return command
        asked: tuple[Approver, ...] = ()
        if isinstance(command, Approve | Reject | Delegate):
            asked = tuple(each for opened in request.current_approvals for each in opened.approval.approvers)
        elif isinstance(command, BreakGlass | Review | OverrideWindow) or _by_a_person(command):
            asked = (Approver(kind="role", id=command.permission),)
        else:
            return command
        return command.model_copy(update={"actor": self._directory.actor(command.actor, asked)})

    def _execute(self, request: MutationRequest, actor: Actor, at: datetime, *, fresh: bool) -> Outcome | None:
        """Return the outcome, or None when it is no execution and what is in memory may be behind the store."""
        prepared, now = self._prepared(request, actor, at, fresh=fresh)
        if prepared.state_event is None and not fresh:
            return None
        if prepared.state_event is not None and self.elsewhere is not None and self._executor.elsewhere(request):
            return self.elsewhere.run(prepared, actor, now)
        append = Append(new_id(now), actor, now)
        stored = append.store(self._log, self._repository, prepared.add_to(append))
        return outcome_of(stored, prepared.events)

    def _prepared(
        self, request: MutationRequest, actor: Actor, at: datetime, *, fresh: bool
    ) -> tuple[Prepared, datetime]:
        check_command("execute", request.status, request.id)
        check_certain(request, "execute")
        state = self._executor.current_state(request.state_id, request.state_type, fresh=fresh)
        now = max(at, request.updated_at, state.changed_at or request.updated_at)
        return self._executor.prepare(request, state, actor, now), now

    def planned(self, request_id: str, actor: Actor, at: datetime) -> tuple[Append, MutationRequest] | None:
        """Return what executing the request is to append, by what is in memory, and the request that it leads to.

        None when it takes more than that: interceptors, a limit, another system, a request that does not come to run.
        """
        executor = self._executor
        request = self._repository.request(request_id, fresh=False)
        if executor.interceptors is not None or executor.slots.limited or executor.elsewhere(request):
            return None
        prepared, now = self._prepared(request, actor, at, fresh=False)
        if prepared.state_event is None:
            return None
        append = Append(new_id(now), actor, now)
        return append, prepared.add_to(append)


def check_same_state(old: MutationRequest, new: MutationRequest) -> None:
    """Refuse to put a request in the place of one about another state, or of itself: InputError."""
    if old.state_id != new.state_id or old.id == new.id:
        msg = f"supersedes: request {new.id} is not another one about state {old.state_id}"
        raise InputError(msg, field="supersedes", request=old.id, by=new.id)


def _by_a_person(command: Command) -> TypeGuard[RecordCheck]:
    """Return whether somebody answers for a check by a role, not as a service or by a token."""
    return isinstance(command, RecordCheck) and command.actor.kind == "user" and not command.by_token


def _lost_race(error: GovernanceError) -> bool:
    return isinstance(error, ConcurrencyError) and "stream" in error.ids


def _check_unmoved(request: MutationRequest, first: MutationRequest, expected_version: int | None) -> None:
    if expected_version is not None and request.version != expected_version:
        msg = f"request {request.id} is at version {request.version}, not at {expected_version}"
        raise ConcurrencyError(msg, request=request.id, expected=expected_version, current=request.version)
    if request.round != first.round:
        msg = f"a new round of request {request.id} was opened during the call: look at it, then decide again"
        raise ConcurrencyError(msg, request=request.id, round=request.round)


def _check_same(request: MutationRequest, first: MutationRequest) -> None:
    if request.version != first.version:
        msg = f"somebody else changed request {request.id} during the call; it is {request.status} now"
        raise ConcurrencyError(msg, request=request.id, status=request.status)


def _out_of_time(request_id: str) -> ConcurrencyError:
    msg = f"others kept changing request {request_id} for the whole time budget"
    return ConcurrencyError(msg, request=request_id)
