"""Questions: what a request, a state or an execution is, was and would be; nothing is stored by asking."""

from collections.abc import Callable, Sequence
from datetime import datetime

from governance.decisions import RequestId
from governance.directory import DirectoryLookup
from governance.domain.actors import SYSTEM, Actor
from governance.domain.execution import check_approved_content, outcome_of_resolving
from governance.domain.lifecycle import Status, check_command
from governance.domain.recorded import Recorded
from governance.domain.request import MutationRequest
from governance.domain.state import AnyState
from governance.engines.conditions import Conditions
from governance.event_store.log import EventLog
from governance.execution import Executor
from governance.explaining import explain
from governance.ids import request_key
from governance.intake import check_actor
from governance.outcome import Explanation, Held, Preview, RequirementExplanation
from governance.reading import StateReader, as_of
from governance.repository import Repository
from governance.streams import request_stream


class Questions:
    """The part of `Governance` that answers."""

    log: EventLog
    _clock: Callable[[], datetime]
    _repository: Repository
    _executor: Executor
    _directory: DirectoryLookup | None
    _states: StateReader
    _conditions: Conditions

    def preview(self, request_id: RequestId, *, actor: Actor = SYSTEM) -> Preview:
        """Return what executing would do now, by the same code; nothing is stored. For open requests only."""
        check_actor(actor)
        request = self._repository.look(request_key(request_id))
        check_command("cancel", request.status, request.id)
        if request.status is Status.APPROVED:
            check_approved_content(request)
        state = self._executor.current_state(request.state_id, request.state_type)
        now = self._clock()
        command = self._executor.command(request, state, actor, now)
        resolution, evaluation = outcome_of_resolving(command, request, now), command.evaluation
        return Preview(
            request_id=request.id,
            state_id=request.state_id,
            status=request.status,
            expected=resolution.expected,
            current=resolution.current,
            outcome=resolution.outcome,
            reason=resolution.reason,
            change_set=evaluation.change_set,
            validation_errors=evaluation.validation_errors,
            failure=evaluation.failure,
            verdicts=request.verdicts if evaluation.verdicts is None else evaluation.verdicts,
            digest=request.digest,
            changed_paths=command.changed_paths,
            drift=command.drift,
            reversibility=request.reversibility,
            held=self._conditions.held(request, now),
        )

    def held(self, request: MutationRequest | str) -> tuple[Held, ...]:
        """Return what would keep a request from running now, besides people who have to decide, and until when.

        A freeze, a closed window, a time that has not come, other requests, tokens, checks. Takes an id, or a request
        itself, so that one that was only simulated (`submit(mode="simulate")`) can be asked about, too.
        """
        found = request if isinstance(request, MutationRequest) else self._repository.request(request_key(request))
        return self._conditions.held(found, self._clock())

    def explain(self, request_id: RequestId, *, actor: Actor | None = None) -> Explanation:
        """Return what the request still needs and from whom; with an actor, whether that one may, or why not."""
        if actor is not None:
            check_actor(actor)
        request, now = self._repository.look(request_key(request_id)), self._clock()
        explanation = explain(request, now, actor, self._directory)
        known = tuple(self._with_earliest(request, each, now) for each in explanation.requirements)
        hold = self._executor.hold(request, now) if request.status is Status.APPROVED else None
        text = explanation.text if hold is None else f"nothing is missing, but it may not run now: {hold.because}"
        held = self._conditions.held(request, now)
        return explanation.model_copy(update={"requirements": known, "text": text, "held": held})

    def _with_earliest(
        self, request: MutationRequest, explained: RequirementExplanation, now: datetime
    ) -> RequirementExplanation:
        opened = request.requirement(explained.id)
        if opened is None or not explained.active:
            return explained
        return explained.model_copy(update={"earliest": self._conditions.earliest(request, opened, now)})

    def request(
        self, request_id: RequestId, *, version: int | None = None, at: datetime | None = None
    ) -> MutationRequest:
        """Return the request as it is now, as it was after one of its events, or as it was at a time.

        Of a request of many events the earlier lines of `decisions` are read when they are needed, while the store is
        open. Raises NotFoundError when there was none.
        """
        key = request_key(request_id)
        if version is None and at is None:
            return self._repository.look(key)
        return as_of(self.log.stream(request_stream(key)), key, version=version, at=at)

    def state(self, state_id: str, *, version: int | None = None, at: datetime | None = None) -> AnyState:
        """Return a state as it is now, at a version, or at a time.

        One that does not exist (yet) has version 0 and, when only one type of state is registered, its default value.
        Raises NotFoundError for a version that does not exist.
        """
        return self._states.state(state_id, version=version, at=at)

    def history(self, request_id: RequestId) -> Sequence[Recorded]:
        """Return every event of a request, oldest first; NotFoundError when there is none."""
        key = request_key(request_id)
        self._repository.look(key)
        return self.log.stream(request_stream(key))

    def state_history(self, state_id: str) -> Sequence[Recorded]:
        """Return every version of a state as an event, oldest first; none for a state that does not exist yet."""
        return self._states.history(state_id)
