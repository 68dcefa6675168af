"""Compensation: a linked forward request that puts right what an executed one did, once."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, JsonValue, TypeAdapter

from governance.domain.errors import AlreadyCompensatedError
from governance.domain.events import (
    Canceled,
    Compensated,
    CompensationFailed,
    Executed,
    ExecutionFailed,
    Expired,
    Rejected,
    RequestEvent,
    Superseded,
)
from governance.domain.lifecycle import Status, check_command
from governance.domain.mutations import Mutation
from governance.domain.request import MutationRequest
from governance.domain.values import clean

_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)


class Restore(Mutation[BaseModel]):
    """Puts back the value that a state had at `version`, before an executed request; the value is what is approved."""

    mutation_type: ClassVar[str] = "restore"

    request_id: str
    version: int
    value: JsonValue

    def apply(self, state: BaseModel) -> BaseModel:
        """Return the earlier value, read by the model of the state that it goes back to."""
        return type(state).model_validate_json(_JSON.dump_json(self.value))


def consequences(
    request: MutationRequest, original: MutationRequest, events: Sequence[RequestEvent]
) -> Sequence[Compensated | CompensationFailed]:
    """Return what the events of a compensating request mean for the original one, to be stored together with them."""
    link = request.compensation
    if link is None or not events or original.status is not Status.EXECUTED:
        return ()
    last = events[-1]
    if isinstance(last, Executed):
        return [Compensated(by=request.id, kind=link.kind, version=last.version)]
    reason = _ended_because(last)
    if reason is None:
        return ()
    by_hand = request.requester if link.trigger == "operator" else original.requester
    return [CompensationFailed(by=request.id, reason=clean(reason), owner=by_hand.person)]


def _ended_because(last: RequestEvent) -> str | None:
    match last:
        case Rejected():
            return last.reason
        case ExecutionFailed():
            return (last.error or "failed") if last.final else None
        case Canceled():
            return f"it was canceled: {last.reason}" if last.reason else "it was canceled"
        case Expired():
            return "its deadline passed"
        case Superseded():
            return f"request {last.by} took its place"
    return None


def check_compensable(original: MutationRequest) -> None:
    """Refuse to compensate what was not executed, or was compensated before."""
    if original.status is Status.COMPENSATED:
        by = original.links.compensated_by
        msg = f"request {original.id} has been compensated already, by {by}"
        raise AlreadyCompensatedError(msg, request=original.id, compensated_by=by)
    check_command("compensate", original.status, original.id)
