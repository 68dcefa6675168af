"""Compensation: a linked forward request that puts right what an executed one did, once."""

from typing import ClassVar

from pydantic import BaseModel, JsonValue, TypeAdapter

from governance.domain.errors import AlreadyCompensatedError
from governance.domain.lifecycle import Status, check_command
from governance.domain.mutations import Mutation
from governance.domain.request import MutationRequest

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


def check_compensable(original: MutationRequest) -> None:
    """Refuse to compensate what was not executed, or was compensated before."""
    if original.status is Status.COMPENSATED:
        by = original.links.compensated_by
        msg = f"request {original.id} has been compensated already, by {by}"
        raise AlreadyCompensatedError(msg, request=original.id, compensated_by=by)
    check_command("compensate", original.status, original.id)
