"""What a mutation is about: category, risk, reach and tags, as declared by its class and refined by the requester."""

from typing import Literal

from pydantic import Field

from governance.domain.frozen_json import FrozenDict, JsonObject
from governance.domain.reversibility import Reversibility, less_reversible
from governance.domain.values import Given, Id, Ids, Text

Risk = Literal["low", "medium", "high", "critical"]
Scope = Literal["single", "module", "system", "global"]
RISKS: tuple[Risk, ...] = ("low", "medium", "high", "critical")
SCOPES: tuple[Scope, ...] = ("single", "module", "system", "global")


class BlastRadius(Given):
    """How far a mutation reaches: a scope, and optionally how many things and which."""

    scope: Scope = "single"
    count: int | None = Field(default=None, ge=0, le=2**53 - 1)
    text: Text | None = None


class Intent(Given):
    """What the requester says of the mutation; what is left out comes from the mutation's class."""

    category: Id | None = None
    description: Text | None = None
    risk: Risk | None = None
    blast_radius: BlastRadius | None = None
    tags: Ids = ()
    metadata: JsonObject = Field(default_factory=FrozenDict)
    reversibility: Reversibility | None = None


def refine(declared: Intent, given: Intent | None) -> Intent:
    """Return the declared intent with what the requester gave; risk and reach can be raised, never lowered.

    The way back can be made shorter, never longer.
    """
    if given is None:
        return declared
    return Intent(
        category=given.category or declared.category,
        description=declared.description if given.description is None else given.description,
        risk=_higher(declared.risk, given.risk),
        blast_radius=_wider(declared.blast_radius, given.blast_radius),
        tags=tuple(sorted({*declared.tags, *given.tags})),
        metadata={**declared.metadata, **given.metadata},
        reversibility=less_reversible(declared.reversibility, given.reversibility),
    )


def _higher(declared: Risk | None, given: Risk | None) -> Risk:
    return max(declared or "low", given or "low", key=RISKS.index)


def _wider(declared: BlastRadius | None, given: BlastRadius | None) -> BlastRadius:
    floor = declared or BlastRadius()
    if given is None:
        return floor
    scope = max(floor.scope, given.scope, key=SCOPES.index)
    counts = [each.count for each in (floor, given) if each.count is not None]
    return BlastRadius(
        scope=scope, count=max(counts, default=None), text=floor.text if given.text is None else given.text
    )
