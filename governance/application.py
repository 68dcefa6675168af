"""Load, decide, append: the only way to change anything, and the questions that can be asked of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from governance.automatic_compensation import AutomaticCompensation, PutRight
from governance.batch_commands import BatchCommands
from governance.batch_execution import BatchExecutor
from governance.batching import Batches
from governance.checks.checkers import Checker
from governance.clock import utc_clock
from governance.compensating import compensation_of
from governance.decisions import Decisions, RequestId
from governance.directory import Directory, DirectoryLookup
from governance.domain.actors import SYSTEM, Actor
from governance.domain.catalog import AnyMutation, Catalog
from governance.domain.intent import Intent
from governance.domain.policies import Policy, PolicySet
from governance.domain.request import MutationRequest
from governance.domain.requirements import Requirement
from governance.domain.terms import CompensationKind, Stale
from governance.drifting import DriftCommands, DriftReader
from governance.effects.handlers import EffectHandler
from governance.effects.operating import Effects
from governance.engines.engine import Engine
from governance.engines.reconciling import Reconciliations
from governance.erasing import Erasure
from governance.evaluation import Evaluator
from governance.event_store.connect import open_recorder
from governance.event_store.log import EventLog, translated_errors
from governance.event_store.personal_keys import PersonalKeys
from governance.event_store.sealing import Vault
from governance.event_store.settings import RecorderSettings
from governance.execution import Executor
from governance.external.commands import ExternalCommands
from governance.external.stores import StateStore
from governance.handling import Handler
from governance.ids import request_key
from governance.intake import Submission, check_actor
from governance.intercepting import Interceptor, Interceptors
from governance.outcome import Outcome
from governance.questions import Questions
from governance.reading import StateReader
from governance.repository import Repository
from governance.settings import Settings
from governance.submitting import Mode, Submitter
from governance.waiting import Waiting


class Governance(Decisions, BatchCommands, DriftCommands, Questions, Erasure, Effects, Waiting, ExternalCommands):
    """Puts every change of governed state under governance; open one a process and share it between threads."""

    def __init__(
        self,
        log: EventLog,
        *,
        mutations: Iterable[type[AnyMutation]],
        policies: Iterable[Policy] = (),
        directory: Directory | None = None,
        checkers: Iterable[Checker] = (),
        effect_handlers: Iterable[EffectHandler] = (),
        state_stores: Iterable[StateStore] = (),
        interceptors: Iterable[Interceptor] = (),
        settings: Settings | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.log = log
        self._clock = utc_clock(clock)
        self.catalog = Catalog(mutations, max_payload_bytes=self.settings.max_payload_bytes, sealer=log.vault)
        self._repository = Repository.chosen(log, self.settings)
        self._directory = (
            DirectoryLookup(directory, timeout_seconds=self.settings.budget_seconds) if directory is not None else None
        )
        self._evaluator = Evaluator(self.catalog, PolicySet(policies), self.settings)
        parts = (log, self._repository, self.catalog, self._evaluator)
        self._executor = Executor(*parts, self.settings)
        given = tuple(interceptors)
        if given:
            around = (log, self._repository, self.catalog, self._clock, self.settings.budget_seconds)
            self._executor.interceptors = Interceptors(given, *around)
        self._submitter = Submitter(*parts, self._executor, self.settings, self._clock, self._directory)
        self._handler = Handler(
            log, self._repository, self._executor, self._clock, self.settings.budget_seconds, self._directory
        )
        self._batches = Batches(
            *(log, self._repository, self._submitter, self._clock, self.settings.budget_seconds), self._handler.vouched
        )
        self._automatic = AutomaticCompensation(
            *(log, self._repository, self.catalog, self._executor, self._submitter, self._handler, self._clock),
            budget_seconds=self.settings.budget_seconds,
        )
        self._batch_executor = BatchExecutor(
            log,
            self._repository,
            self._executor,
            self._handler,
            self._batches,
            self._automatic,
            self._clock,
            self.settings.budget_seconds,
        )
        self._begin_effects(self._repository, effect_handlers)
        elsewhere = self._begin_elsewhere(self._repository, self._executor, state_stores)
        self._begin_waiting(self._repository, self._executor, self._handler, checkers)
        self._states = StateReader(log, self._repository, self.catalog, elsewhere)
        self._drifts = DriftReader(log, self._repository, self._executor, self._clock)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        mutations: Iterable[type[AnyMutation]],
        policies: Iterable[Policy] = (),
        directory: Directory | None = None,
        checkers: Iterable[Checker] = (),
        effect_handlers: Iterable[EffectHandler] = (),
        state_stores: Iterable[StateStore] = (),
        interceptors: Iterable[Interceptor] = (),
        settings: Settings | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> Self:
        """Return the governance of the store at the url, its tables created if need be.

        `sqlite://` is in memory, `sqlite:///path.db` a file, `postgresql://…` a server. `clock` returns an aware
        datetime. With a `directory`, roles and groups are what it says at the moment of a decision; without, what the
        trusted caller gives with the actor. Raises ConfigurationError for mutations or policies that cannot work, and
        StoreUnavailableError.
        """
        chosen = settings or Settings()
        recorder_settings = RecorderSettings(
            budget_seconds=chosen.budget_seconds,
            database_schema=chosen.database_schema,
            create_schema=chosen.create_schema,
        )
        with translated_errors():
            recorder = open_recorder(url, settings=recorder_settings)
            keys = PersonalKeys(url, chosen.database_schema, chosen.personal_key_file)
            log = EventLog(recorder, Vault(keys, chosen.personal_texts))
        try:
            return cls(
                log,
                mutations=mutations,
                policies=policies,
                directory=directory,
                checkers=checkers,
                effect_handlers=effect_handlers,
                state_stores=state_stores,
                interceptors=interceptors,
                settings=chosen,
                clock=clock,
            )
        except BaseException:
            log.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Store what is waiting and let go of the database."""
        self._evaluator.close()
        self.effects_engine.close()
        if self._directory is not None:
            self._directory.close()
        self.log.close()

    @property
    def policies(self) -> PolicySet:
        """Return the policies in force."""
        return self._evaluator.policies

    @property
    def engines(self) -> tuple[Engine, ...]:
        """Return all engines of due work, in the order in which one pass goes through them."""
        reconciliations = Reconciliations(self.agenda, self._repository, self._external)
        return (*self._engines, reconciliations, self.effects_engine)

    def register_policies(self, *policies: Policy) -> None:
        """Put more policies in force; they count from the next command on, and change the digest of the set."""
        self._evaluator.policies = self.policies.extended(policies)

    def submit(
        self,
        mutation: AnyMutation,
        *,
        state_id: str,
        actor: Actor,
        reason: str,
        intent: Intent | None = None,
        requires: Sequence[Requirement] = (),
        expected_version: int | None = None,
        stale: Stale = "revalidate",
        expires_at: datetime | None = None,
        idempotency_key: str | None = None,
        supersedes: RequestId | None = None,
        correlation_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        mode: Mode = "commit",
    ) -> MutationRequest:
        """Ask for a mutation and return the request: pending, approved, or rejected by validation or a policy.

        `requires` adds to what policies require. `stale` says what happens when the state has moved by the time of
        execution: `reject`, `renew` all approvals, or `revalidate`. With an `idempotency_key`, the same content again
        returns the same request, other content raises IdempotencyConflictError. `mode="simulate"` returns what would
        come of it, `mode="validate"` the same without asking policies; neither stores anything.

        Raises InputError (names the field), UnknownMutationError, ConfigurationError (a requirement that nobody can
        fill), StaleError (the state is not at `expected_version`), NotFoundError (`supersedes`).
        """
        return self._submitter.submit(_submission(locals()), mode)

    def run(
        self,
        mutation: AnyMutation,
        *,
        state_id: str,
        actor: Actor,
        reason: str,
        intent: Intent | None = None,
        requires: Sequence[Requirement] = (),
        expected_version: int | None = None,
        stale: Stale = "revalidate",
        expires_at: datetime | None = None,
        idempotency_key: str | None = None,
        supersedes: RequestId | None = None,
        correlation_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Outcome:
        """Submit and, if nothing is open, execute, in one transaction; on a hot state, on whatever version is latest.

        Takes what `submit` takes and raises what it raises. `executed` is False when something is open or a rule said
        no; `request.status` tells which.
        """
        given = _submission(locals())
        if self._external.states.changed_by(mutation):
            return self._run_elsewhere(given)
        return self._submitter.run(given)

    def execute(self, request_id: RequestId, *, actor: Actor) -> Outcome:
        """Resolve the version and run the approved mutation, exactly once.

        Returns `executed=False` when resolution ends the request or sends it back for approval, when it has expired,
        and when the mutation raised an error (which is recorded, and may be tried again). Raises
        InvalidTransitionError unless the request is approved, and for one of an atomic batch (`execute_batch` runs all
        of it), AlreadyExecutedError when it has run, ConcurrencyError when somebody else changed the request
        meanwhile, DigestMismatchError when the store was tampered with.
        """
        check_actor(actor)
        key = request_key(request_id)
        self._batches.refuse_apart(key)
        return self._handler.execute(key, actor)

    def compensate(
        self,
        request_id: RequestId,
        *,
        actor: Actor,
        reason: str,
        kind: CompensationKind = "corrective",
        mutation: AnyMutation | None = None,
    ) -> MutationRequest:
        """Ask to put right what an executed request did, and return the new, linked request, governed like any other.

        `corrective` runs the given mutation, or the original's own inverse, on the latest state; `restore` puts the
        earlier value back and raises StaleError if the state has moved since. Raises AlreadyCompensatedError,
        InvalidTransitionError (not executed), NotReversibleError (no inverse and none given).
        """
        original = self._repository.request(request_key(request_id))
        given = compensation_of(original, kind, mutation, self.catalog, self._executor, now=self._clock())
        complete = given.model_copy(update={"actor": actor, "reason": reason})
        return self._submitter.submit(complete, "commit", original.state_type)

    def compensate_automatically(
        self, request_id: RequestId, *, reason: str, key: str, actor: Actor = SYSTEM
    ) -> PutRight:
        """Put an executed request right because something after it went wrong, such as an effect never delivered.

        The request that does it is governed like any other and runs at once if nobody has to approve it. The same `key`
        again goes on where an earlier call was cut off. What cannot be put right is recorded in the request.
        """
        check_actor(actor)
        return self._automatic.put_right(request_key(request_id), actor=actor, reason=reason, key=key)


def _submission(arguments: dict[str, Any]) -> Submission:
    given = {key: value for key, value in arguments.items() if key not in {"self", "mode"}}
    return Submission.sound(**given, compensates=None)
