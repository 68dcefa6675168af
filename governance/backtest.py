"""Back-testing: what other policies would have decided about the requests of the past, by the code that decides now."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from pydantic import Field

from governance.directory import DirectoryLookup
from governance.domain.catalog import Catalog
from governance.domain.errors import (
    DigestMismatchError,
    DirectoryUnavailableError,
    GovernanceError,
    StoreUnavailableError,
)
from governance.domain.events import Created, PoliciesEvaluated, Rejected
from governance.domain.evolution import replay
from governance.domain.policies import Policy, PolicySet
from governance.domain.recorded import Recorded
from governance.domain.request import MutationRequest
from governance.domain.requirements import ApprovalRequirement, Requirement
from governance.domain.rounds import check_possible
from governance.domain.values import Given, Ids, Moment, Value
from governance.evaluation import Evaluator
from governance.event_store.log import EventLog, translated_errors
from governance.execution import Executor
from governance.judgement import Judgement, judgement, judgement_now
from governance.repository import Repository
from governance.settings import Settings

PAGE = 200
BEGINNING = 40
"""How many events of a request are read for what was decided at first: more than a submission can record of that."""


class Selection(Given):
    """Which requests to look at: asked for in this time, both ends included, and of these mutation types if any."""

    since: Moment | None = None
    until: Moment | None = None
    mutations: Ids = ()
    limit: int | None = Field(default=None, ge=1)

    def takes(self, recorded: Recorded) -> bool:
        """Return whether the request that begins so is looked at."""
        event = recorded.event
        return (
            isinstance(event, Created)
            and (self.since is None or self.since <= recorded.at)
            and (self.until is None or recorded.at <= self.until)
            and (not self.mutations or event.mutation.type in self.mutations)
        )


class Comparison(Value):
    """What was decided about a request then, and what the other policies say of it now.

    `problem` says why it could not be judged again; then `now` is None. `unsatisfiable` tells of requirements that
    nobody could fill.
    """

    request_id: str
    position: int
    created_at: datetime
    mutation: str
    state_id: str
    state_version: int | None = None
    then: Judgement | None = None
    now: Judgement | None = None
    unsatisfiable: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def changed(self) -> bool:
        """Return whether something else would have been decided."""
        return self.then is not None and self.now is not None and not self.then.same_as(self.now)


class Backtest:
    """Replays requests from a log against policies; asks user code, reads the log, and stores nothing."""

    def __init__(
        self,
        log: EventLog,
        catalog: Catalog,
        policies: Iterable[Policy],
        *,
        settings: Settings | None = None,
        directory: DirectoryLookup | None = None,
    ) -> None:
        chosen = settings or Settings()
        self._log = log
        self._directory = directory
        self._evaluator = Evaluator(catalog, PolicySet(policies), chosen)
        self._executor = Executor(log, Repository(log, 0), catalog, self._evaluator, chosen)

    @property
    def policy_set(self) -> str:
        """Return the digest of the policies that are tried."""
        return self._evaluator.policies.digest

    def close(self) -> None:
        """End what runs on threads of its own; the log and the directory stay open."""
        self._evaluator.close()

    def compare(self, selection: Selection | None = None) -> Iterator[Comparison]:
        """Yield what was decided and what would be, request by request in the order in which they were asked for.

        A request is judged on the version of the state, and at the time, that it was judged on at first. One that
        cannot be judged again is yielded with its `problem`. Needs the same memory however many there are. Raises
        StoreUnavailableError and DirectoryUnavailableError.
        """
        chosen = selection or Selection()
        count = 0
        for recorded in self._beginnings():
            if not chosen.takes(recorded):
                continue
            yield self._compared(recorded)
            count += 1
            if count == chosen.limit:
                return

    def _beginnings(self) -> Iterator[Recorded]:
        after = 0
        while True:
            with translated_errors():
                page = self._log.event_recorder.select_notifications(
                    after, PAGE, topics=("Created",), inclusive_of_start=False
                )
                found: list[Recorded] = [self._log.mapper.to_domain_event(each) for each in page]  # type: ignore[misc]
            if not page:
                return
            yield from found
            after = page[-1].id

    def _compared(self, first: Recorded) -> Comparison:
        request = replay([first])
        if request is None or first.position is None:
            msg = f"stream {first.stream} does not begin with a request that is stored"
            raise TypeError(msg)
        about = Comparison(
            request_id=request.id,
            position=first.position,
            created_at=first.at,
            mutation=request.mutation.type,
            state_id=request.state_id,
        )
        try:
            return about.model_copy(update=self._judged(first, request))
        except (StoreUnavailableError, DirectoryUnavailableError):
            raise
        except GovernanceError as error:
            return about.model_copy(update={"problem": error.message})

    def _judged(self, first: Recorded, request: MutationRequest) -> dict[str, object]:
        events = [
            each.event
            for each in self._log.stream(first.stream, after=first.version, limit=BEGINNING)
            if each.append_id == first.append_id
        ]
        evaluated = next((each for each in events if isinstance(each, PoliciesEvaluated)), None)
        if evaluated is None:
            msg = f"request {request.id} was never evaluated"
            raise DigestMismatchError(msg, request=request.id)
        state = self._executor.version(request.state_id, request.state_type, evaluated.state_version)
        if state.digest != evaluated.state_digest:
            msg = f"version {state.version} of state {state.id} is not the one that was evaluated then"
            raise DigestMismatchError(msg, request=request.id, state=state.id, version=state.version)
        failed = next((e.reason for e in events if isinstance(e, Rejected) and e.code == "validation-failed"), None)
        evaluation = self._evaluator.evaluate(self._executor.subject(request), state, first.at, ask_policies=True)
        now = judgement_now(evaluation, request.mutation, request.requires)
        return {
            "state_version": state.version,
            "then": judgement(events, request.mutation, failed, request.requires),
            "now": now,
            "unsatisfiable": tuple(self._unsatisfiable(now.requirements, request)),
        }

    def _unsatisfiable(self, requirements: Iterable[Requirement], request: MutationRequest) -> Iterator[str]:
        for requirement in requirements:
            try:
                check_possible(requirement, request, request.created_at)
                if self._directory is not None and isinstance(requirement, ApprovalRequirement):
                    self._directory.check(requirement, request.requester)
            except DirectoryUnavailableError:
                raise
            except GovernanceError as error:
                yield error.message
