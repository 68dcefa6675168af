"""Interceptors: an application's own work before and after executions, in order, for the mutations that it names."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from governance.appending import Append
from governance.domain.actors import Actor
from governance.domain.catalog import AnyMutation, Catalog
from governance.domain.errors import ConcurrencyError, ConfigurationError, GovernanceError, InterceptedError
from governance.domain.events import InterceptorFailed
from governance.domain.lifecycle import check_command
from governance.domain.mutations import Mutation
from governance.domain.request import MutationRequest
from governance.domain.terms import InterceptorStage
from governance.domain.values import Id, Value, clean, error_text, first_problem
from governance.event_store.log import EventLog
from governance.ids import new_id
from governance.outcome import Outcome
from governance.repository import Repository
from governance.retrying import attempts

R = TypeVar("R")
_NAME: TypeAdapter[str] = TypeAdapter(Id)
_log = logging.getLogger("governance")


class Call(Value):
    """One execution as interceptors see it: which request, by whom, and when it began."""

    request: MutationRequest
    actor: Actor
    at: datetime


class Interceptor:
    """Work around executions; a subclass defines the hooks that it needs, and `mutations` if not all concern it.

    Lower `order` comes first before an execution and last after it. Each execution that `before` has let through ends
    in exactly one of `after` (it ran), `failed` (the mutation raised) and `blocked` (it did not come to run, because of
    a rule, another interceptor or a lost race), unless the process dies. Whatever `before` raises blocks the execution.
    Whatever the others raise is recorded in the request and changes nothing: what has to happen is an effect.
    """

    name: str = ""
    order: int = 0
    mutations: Iterable[type[AnyMutation] | str] | None = None

    def before(self, call: Call) -> None:
        """Do something before an execution; raise to block it."""

    def after(self, call: Call, outcome: Outcome) -> None:
        """Do something after the mutation ran and is stored."""

    def failed(self, call: Call, error: str) -> None:
        """Do something after the mutation raised."""

    def blocked(self, call: Call, reason: str) -> None:
        """Do something after an execution was let through and then did not come to run."""


Entered = tuple[Call, list[Interceptor]]
"""A call and the interceptors that have let it through, in their order."""


class Interceptors:
    """The interceptors of an application, in order; none cost nothing."""

    def __init__(
        self,
        given: Iterable[Interceptor],
        log: EventLog,
        repository: Repository,
        catalog: Catalog,
        clock: Callable[[], datetime],
        budget_seconds: float,
    ) -> None:
        self._log = log
        self._repository = repository
        self._clock = clock
        self._budget_seconds = budget_seconds
        self._ordered = _checked(given)
        self._concerned = [(each, _types(each, catalog)) for each in self._ordered]

    def around(
        self,
        requests: Sequence[MutationRequest],
        actor: Actor,
        run: Callable[[], R],
        outcomes: Callable[[R], Iterable[Outcome]],
    ) -> R:
        """Return what `run` returns, with the hooks around it; InterceptedError, naming who, when one blocks it.

        `run` executes the requests; `outcomes` gets what came of each out of what it returns.
        """
        if not self._ordered:
            return run()
        for request in requests:
            check_command("execute", request.status, request.id)
        entered = self._enter(requests, actor)
        try:
            result = run()
        except BaseException as error:
            self._leave(entered, {}, clean(str(error)) if isinstance(error, GovernanceError) else error_text(error))
            raise
        self._leave(entered, {each.request.id: each for each in outcomes(result)}, "what it belongs to did not run")
        return result

    def _enter(self, requests: Sequence[MutationRequest], actor: Actor) -> list[Entered]:
        entered: list[Entered] = []
        for request in requests:
            passed: list[Interceptor] = []
            call = Call(request=request, actor=actor, at=self._clock())
            entered.append((call, passed))
            for each in self._for(request):
                try:
                    each.before(call)
                except BaseException as error:
                    reason = f"interceptor {each.name} blocked it: {error_text(error)}"
                    self._leave(entered, {}, reason)
                    if not isinstance(error, Exception):  # the program is being stopped
                        raise
                    msg = f"request {request.id} was not executed: {reason}"
                    raise InterceptedError(msg, request=request.id, interceptor=each.name) from error
                passed.append(each)
        return entered

    def _leave(self, entered: Sequence[Entered], outcomes: Mapping[str, Outcome], reason: str) -> None:
        """Call the last hook of all that were let through; what stops the program is raised when all have been."""
        stopped: BaseException | None = None
        for call, passed in reversed(entered):
            stage, hook = _hook(call, outcomes.get(call.request.id), reason)
            failures = []
            for each in reversed(passed):
                try:
                    hook(each)
                except BaseException as error:
                    stopped = stopped or (None if isinstance(error, Exception) else error)
                    failures.append(InterceptorFailed(interceptor=each.name, stage=stage, error=error_text(error)))
            if failures:
                self._record(call, failures)
        if stopped is not None:
            raise stopped

    def _record(self, call: Call, failures: Sequence[InterceptorFailed]) -> None:
        """Put the failures into the request's stream; what cannot be stored is logged, for the outcome stands."""
        try:
            for _ in attempts(self._budget_seconds):
                request = self._repository.request(call.request.id)
                now = max(self._clock(), request.updated_at)
                append = Append(new_id(now), call.actor, now)
                try:
                    append.store(self._log, self._repository, append.add_to(request, failures))
                except ConcurrencyError:
                    continue
                return
        except GovernanceError as error:
            told = "; ".join(f"{each.interceptor} ({each.stage}): {each.error}" for each in failures)
            _log.warning("interceptors of request %s failed: %s; not recorded: %s", call.request.id, told, error)

    def _for(self, request: MutationRequest) -> list[Interceptor]:
        return [each for each, types in self._concerned if types is None or request.mutation.type in types]


def _hook(call: Call, outcome: Outcome | None, reason: str) -> tuple[InterceptorStage, Callable[[Interceptor], None]]:
    if outcome is None:
        return "blocked", lambda each: each.blocked(call, reason)
    if outcome.executed:
        return "after", lambda each: each.after(call, outcome)
    error = outcome.failure
    if error is not None:
        return "failed", lambda each: each.failed(call, error)
    resolved = outcome.resolution.reason if outcome.resolution is not None else None
    why = outcome.request.ended_because or resolved or f"it is {outcome.request.status}"
    return "blocked", lambda each: each.blocked(call, why)


def _checked(given: Iterable[Interceptor]) -> list[Interceptor]:
    ordered = list(given)
    for each in ordered:
        if not isinstance(each, Interceptor):
            msg = f"interceptors: {type(each).__name__} is not an Interceptor"
            raise ConfigurationError(msg)
        each.name = _name(each)
    names = [each.name for each in ordered]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        msg = f"interceptors: two are named {min(doubled)}; set a name on one of them"
        raise ConfigurationError(msg, interceptor=min(doubled))
    return sorted(ordered, key=lambda each: each.order)


def _name(interceptor: Interceptor) -> str:
    try:
        return _NAME.validate_python(interceptor.name or type(interceptor).__name__, strict=True)
    except ValidationError as error:
        problem = first_problem(error, "name").message
        msg = f"interceptors: {type(interceptor).__name__} has no usable name: {problem}"
        raise ConfigurationError(msg) from None


def _types(interceptor: Interceptor, catalog: Catalog) -> frozenset[str] | None:
    if interceptor.mutations is None:
        return None
    types = frozenset(_type(each) for each in interceptor.mutations)
    unknown = sorted(types - {*catalog.mutations, "restore"})
    if unknown:
        msg = f"interceptor {interceptor.name} is for {unknown[0]}, which is not among the mutations"
        raise ConfigurationError(msg, interceptor=interceptor.name, mutation=unknown[0])
    return types


def _type(mutation: Any) -> str:
    is_class = isinstance(mutation, type) and issubclass(mutation, Mutation)
    return mutation.mutation_type if is_class else str(mutation)
