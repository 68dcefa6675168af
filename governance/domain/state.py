"""Governed states: a value with an id and a version, each version one event that holds the whole value."""

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue

from governance.domain.events import ExternalStateChanged
from governance.domain.values import Value

V = TypeVar("V")


class StateVersion(Value):
    """One version of a state as stored; version 0 is the state that does not exist yet, with its type's default.

    Of a state that lives in another system, `external_version` is what that system calls the version, and `observed`
    is the event by which the log is still to learn of it.
    """

    id: str
    version: int = 0
    type: str | None = None
    value: JsonValue = None
    digest: str = ""
    changed_at: datetime | None = None
    request_id: str | None = None
    position: int | None = None
    external_version: str | None = None
    observed: ExternalStateChanged | None = None


class State(BaseModel, Generic[V]):
    """One version of a state, its value read by its model.

    `value` is None for a state that does not exist yet when more than one type is registered, and plain JSON for one
    whose type is not registered.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    id: str
    version: int
    value: V
    type: str | None = None
    digest: str = ""
    changed_at: datetime | None = None
    request_id: str | None = None
    position: int | None = None


AnyState = State[Any]
