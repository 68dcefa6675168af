"""Foresight: what the items of a batch lead their states to, and which of them could never run behind the others."""

from dataclasses import dataclass, replace

from governance.domain.commands import Evaluation
from governance.domain.errors import InputError
from governance.domain.lifecycle import OPEN
from governance.domain.request import MutationRequest
from governance.domain.resolution import resolve
from governance.domain.state import StateVersion
from governance.execution import Executor
from governance.submitting import Begun


@dataclass(frozen=True)
class Ahead:
    """A state as the items so far make it, and the version that all of them found it in."""

    found: int
    state: StateVersion


class Foresight:
    """Goes through the items of one batch in order, as they are submitted; stores nothing."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._ahead: dict[str, Ahead] = {}

    def take(self, begun: Begun) -> None:
        """Take in the next item; InputError for one that could not run on what those before it make of its state.

        Asked is by the very code that executes it, as if its requirements were met. What was refused when it was asked
        for makes nothing of its state.
        """
        request, found = begun.request, begun.state
        if request.status not in OPEN or self._executor.elsewhere(request):
            return
        known = self._ahead.get(request.state_id)
        if known is None or known.found != found.version:  # the first, or the state has moved while they were taken in
            self._ahead[request.state_id] = Ahead(found.version, _after(found, request, begun.evaluation))
            return
        evaluation = self._behind(begun, known.state)
        self._ahead[request.state_id] = replace(known, state=_after(known.state, request, evaluation))

    def _behind(self, begun: Begun, state: StateVersion) -> Evaluation:
        request, append = begun.request, begun.append
        command = self._executor.command(request, state, append.actor, append.at)
        told = resolve(_as_if_met(request), command)
        why = told.reason if told.end_code or told.outcome == "renewal_required" else command.evaluation.failure
        if why is not None:
            msg = f"behind those before it on state {state.id} it could never run: {why}"
            raise InputError(msg, field="items", state=state.id)
        return command.evaluation


def _as_if_met(request: MutationRequest) -> MutationRequest:
    met = tuple(each.model_copy(update={"status": "satisfied"}) for each in request.requirements)
    return request.model_copy(update={"requirements": met})


def _after(state: StateVersion, request: MutationRequest, evaluation: Evaluation) -> StateVersion:
    return state.model_copy(
        update={
            "version": state.version + 1,
            "value": evaluation.value,
            "digest": evaluation.value_digest,
            "request_id": request.id,
            "position": None,
        }
    )
