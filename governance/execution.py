"""Resolve and execute: gathers what the rules need to know about an approved request and the state as it is now."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

from governance.appending import Append
from governance.domain.actors import Actor
from governance.domain.catalog import AnyMutation, Catalog
from governance.domain.changes import changed_paths, diff
from governance.domain.commands import Evaluation, Execute
from governance.domain.compensation import consequences
from governance.domain.condition_events import PendingDependency, PendingSchedule
from governance.domain.decider import decide
from governance.domain.errors import ConfigurationError, DigestMismatchError, NotFoundError
from governance.domain.events import (
    Executed,
    ExecutionFailed,
    Rejected,
    RequestEvent,
    StateChanged,
    VersionResolved,
)
from governance.domain.execution import state_changed
from governance.domain.expiry import due
from governance.domain.lifecycle import Status, check_command
from governance.domain.request import MutationRequest
from governance.domain.resolution import is_stale
from governance.domain.state import StateVersion
from governance.domain.state_evolution import state_version
from governance.domain.terms import Drift
from governance.evaluation import Evaluator, Subject
from governance.event_store.log import EventLog
from governance.execution_slots import ExecutionSlots
from governance.holding import Checks, Holds, nothing_holds, nothing_to_check, possible
from governance.intercepting import Interceptors
from governance.outcome import Outcome
from governance.repository import Repository
from governance.settings import Settings
from governance.streams import state_stream

R = TypeVar("R")
MAX_DRIFT = 20
"""How many changes of the state in between are named in `VersionResolved`; the paths are complete in any case."""


class External(Protocol):
    """What an execution needs to know of states that live in other systems."""

    def governs(self, state_type: str | None) -> bool:
        """Return whether states of this type do."""

    def current(self, state_id: str, state_type: str) -> StateVersion:
        """Return such a state as it is there now."""


@dataclass(frozen=True)
class Prepared:
    """Everything that an execution appends, over up to three streams, before anything of it is stored."""

    request: MutationRequest
    events: Sequence[RequestEvent]
    state: StateVersion
    state_event: StateChanged | None = None
    original: MutationRequest | None = None
    original_events: Sequence[RequestEvent] = field(default_factory=tuple)

    @property
    def held(self) -> str | None:
        """Return what holds the request back, None when nothing does."""
        return next(
            (str(each.because) for each in self.events if isinstance(each, PendingSchedule | PendingDependency)), None
        )

    def state_after(self, at: datetime) -> StateVersion:
        """Return the version of the state that this execution makes."""
        if self.state_event is None:
            return self.state
        return StateVersion.sound(
            id=self.state.id,
            version=self.state.version + 1,
            type=self.state_event.state_type,
            value=self.state_event.value,
            digest=self.state_event.digest,
            changed_at=at,
            request_id=self.request.id,
            position=None,
            external_version=None,
            observed=None,
        )

    def add_to(self, append: Append) -> MutationRequest:
        """Put the events into one append and return the request that they lead to."""
        append.observe(self.state)
        request = append.add_to(self.request, self.events)
        if self.state_event is not None:
            append.add(
                state_stream(self.state.id),
                self.state.version,
                [self.state_event],
                correlation_id=self.request.correlation_id,
                causation_id=self.request.id,
            )
        if self.original is not None and self.original_events:
            append.add_to(self.original, self.original_events, causation_id=self.request.id)
        return request


class Executor:
    """The only way from an approved request to a changed state."""

    def __init__(
        self, log: EventLog, repository: Repository, catalog: Catalog, evaluator: Evaluator, settings: Settings
    ) -> None:
        self._log = log
        self._repository = repository
        self._catalog = catalog
        self._evaluator = evaluator
        self._settings = settings
        self.slots = ExecutionSlots(settings.max_concurrent_executions, settings.budget_seconds)
        self.interceptors: Interceptors | None = None
        self.external: External | None = None
        self.hold: Holds = nothing_holds
        self.check: Checks = nothing_to_check

    def intercepted(
        self,
        requests: Callable[[], Sequence[MutationRequest]],
        actor: Actor,
        run: Callable[[], R],
        outcomes: Callable[[R], Iterable[Outcome]],
    ) -> R:
        """Return what running the requests returns, with the application's interceptors around it."""
        return run() if self.interceptors is None else self.interceptors.around(requests(), actor, run, outcomes)

    def current_state(self, state_id: str, state_type: str, *, fresh: bool = True) -> StateVersion:
        """Return the latest version of a state, the default of its type when it does not exist yet."""
        if self.external is not None and self.external.governs(state_type):
            return self.external.current(state_id, state_type)
        return self.mirrored(state_id, state_type, fresh=fresh)

    def mirrored(self, state_id: str, state_type: str, *, fresh: bool = True) -> StateVersion:
        """Return the latest version of a state that the log knows."""
        found = self._repository.state(state_id, fresh=fresh)
        if found is None:
            return self._catalog.initial(state_id, state_type)
        if found.type != state_type:
            msg = f"state {state_id} is a {found.type}; this mutation changes a {state_type}"
            raise ConfigurationError(msg, state=state_id, state_type=state_type)
        return found

    def elsewhere(self, request: MutationRequest) -> bool:
        """Return whether the request changes a state that lives in another system."""
        return self.external is not None and self.external.governs(request.state_type)

    def refuse_elsewhere(self, request: MutationRequest) -> None:
        """Refuse to execute together with others what changes a state in another system: ConfigurationError."""
        if self.elsewhere(request):
            msg = f"state {request.state_id} lives in another system, which no transaction here can hold together"
            raise ConfigurationError(msg, request=request.id, state=request.state_id)

    def subject(self, request: MutationRequest) -> Subject:
        """Return what is to be evaluated for a request."""
        mutation = self._catalog.load(request.mutation)
        governing: tuple[AnyMutation, ...] = (mutation,)
        if request.compensation is not None and request.compensation.kind == "restore":
            original = self._repository.request(request.compensation.request_id)
            governing = (mutation, self._catalog.load(original.mutation))
        return Subject(request=request, mutation=mutation, governing=governing)

    def prepare(
        self,
        request: MutationRequest,
        state: StateVersion,
        actor: Actor,
        now: datetime,
        evaluation: Evaluation | None = None,
    ) -> Prepared:
        """Return what executing the request on this state appends.

        `evaluation` is given when the same call has evaluated the request on the very same state just before.
        """
        check_command("execute", request.status, request.id)
        original = self.original(request)
        expired = due(request, now)
        if expired:
            return Prepared(request, expired, state, None, original, _follow(request, original, expired))
        if original is not None and original.status is Status.COMPENSATED:
            return Prepared(request, [_too_late(original)], state)
        command = self.command(request, state, actor, now, evaluation)
        hold = self.hold(request, now)
        command = command if hold is None else command.model_copy(update={"hold": hold})
        events = possible(self.check, request, decide(command, request, now), hold)
        executed = any(isinstance(event, Executed) for event in events)
        return Prepared(
            request,
            events,
            state,
            state_event=state_changed(request, command.evaluation) if executed else None,
            original=original,
            original_events=_follow(request, original, events),
        )

    def command(
        self,
        request: MutationRequest,
        state: StateVersion,
        actor: Actor,
        now: datetime,
        evaluation: Evaluation | None = None,
    ) -> Execute:
        """Return the command with all that the rules need: drift, and what user code says of the state as it is."""
        drift: tuple[Drift, ...] = ()
        paths: tuple[str, ...] = ()
        if state.version != request.evaluated_version:
            paths, drift = self._drift(request, state)
        elif state.digest != request.evaluated_digest:
            msg = (
                f"version {state.version} of state {state.id} is not the one that request {request.id} was evaluated on"
            )
            raise DigestMismatchError(msg, request=request.id, state=state.id, version=state.version)
        if evaluation is None:
            subject = self.subject(request)
            moved = state.version != request.evaluated_version
            stale = moved and is_stale(request, state.version, self._evaluator.reads(subject.mutation), paths)
            evaluation = self._evaluator.evaluate(subject, state, now, ask_policies=stale)
        return Execute(
            actor=actor,
            evaluation=evaluation,
            drift=drift,
            changed_paths=paths,
            max_attempts=self._settings.max_attempts,
            max_rounds=self._settings.max_rounds,
        )

    def reads(self, request: MutationRequest) -> tuple[str, ...] | None:
        """Return what the mutation of a request says it reads and writes, None for all of the state."""
        return self._evaluator.reads(self._catalog.load(request.mutation))

    def version(self, state_id: str, state_type: str | None, version: int) -> StateVersion:
        """Return a given version of a state; NotFoundError when it does not exist."""
        if version == 0 and state_type is not None:
            return self._catalog.initial(state_id, state_type)
        found = self._log.stream(state_stream(state_id), after=version - 1, upto=version) if version > 0 else ()
        if not found:
            msg = f"state {state_id} has no version {version}"
            raise NotFoundError(msg, state=state_id, version=version)
        return state_version(found[0])

    def _drift(self, request: MutationRequest, state: StateVersion) -> tuple[tuple[str, ...], tuple[Drift, ...]]:
        evaluated = self.version(state.id, request.state_type, request.evaluated_version)
        between = self._log.stream(
            state_stream(state.id), after=request.evaluated_version, upto=state.version, limit=MAX_DRIFT
        )
        drift = tuple(
            Drift(version=each.version, request_id=each.event.request_id, paths=changed_paths(each.event.change_set))
            for each in between
            if isinstance(each.event, StateChanged)
        )
        return changed_paths(diff(evaluated.value, state.value)), drift

    def original(self, request: MutationRequest) -> MutationRequest | None:
        """Return the request that this one puts right, None when it puts none right."""
        link = request.compensation
        return self._repository.request(link.request_id) if link is not None else None


def _too_late(original: MutationRequest) -> Rejected:
    by = original.links.compensated_by
    return Rejected(code="already-compensated", reason=f"request {original.id} was compensated by {by} meanwhile")


def _follow(
    request: MutationRequest, original: MutationRequest | None, events: Sequence[RequestEvent]
) -> Sequence[RequestEvent]:
    return () if original is None else consequences(request, original, events)


def outcome_of(request: MutationRequest, events: Sequence[object]) -> Outcome:
    """Return what these events of a request amount to for the caller who caused them."""
    resolution = next((event for event in events if isinstance(event, VersionResolved)), None)
    executed = next((event for event in events if isinstance(event, Executed)), None)
    return Outcome.sound(
        request=request,
        resolution=resolution,
        executed=executed is not None,
        change_set=executed.change_set if executed else (),
        resulting_version=executed.version if executed else None,
        effects=executed.effects if executed else (),
        failure=next((event.error for event in events if isinstance(event, ExecutionFailed)), None),
    )
