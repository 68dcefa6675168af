"""Facts about states that live in another system: an execution that was begun there."""

from typing import ClassVar

from pydantic import JsonValue

from governance.domain.changes import Change
from governance.domain.effects import RecordedEffect
from governance.domain.terms import Fact


class ExecutionStarted(Fact):
    """The state's own store is about to be told; until the next event says what came of it, nobody knows.

    Everything that the execution will have done is in here, so that whoever finds out what came of it can record it.
    `expected` is the version in that store which the write is bound to, None for a state that is not there yet.
    """

    category: ClassVar[str] = "execution"
    key: str
    attempt: int
    state_id: str
    expected: str | None
    value: JsonValue
    digest: str
    change_set: tuple[Change, ...]
    effects: tuple[RecordedEffect, ...]
