"""Numbered steps that build the tables of a store, and which of them a store still needs."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from governance.event_store.recorder import SchemaOutdated, SchemaStatus


class Migration(BaseModel):
    """One step: statements that are applied together, once, in order of their number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    name: str
    statements: tuple[str, ...]


def pending(steps: Sequence[Migration], current: int) -> list[Migration]:
    """Returns the steps above the current number; raises SchemaOutdated if the store is newer than the code."""
    if current > len(steps):
        msg = f"the store is at schema {current}, newer than {len(steps)} which this code knows"
        raise SchemaOutdated(msg)
    return [step for step in steps if step.number > current]


def status(steps: Sequence[Migration], current: int) -> SchemaStatus:
    """Returns where a store stands."""
    names = tuple(step.name for step in steps if step.number > current)
    return SchemaStatus(current=current, target=len(steps), pending=names)


def statements(steps: Sequence[Migration]) -> list[str]:
    """Returns the statements of the steps, in order."""
    return [statement for step in steps for statement in step.statements]
