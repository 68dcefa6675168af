"""Drift within a batch: what its earlier items do to a state that a later one finds, before any stream holds it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from governance.domain.changes import changed_paths
from governance.domain.events import StateChanged, VersionResolved
from governance.domain.request import MutationRequest
from governance.domain.terms import Drift
from governance.execution import MAX_DRIFT, Prepared


@dataclass(frozen=True)
class Together:
    """The parts of an atomic execution, and the one that cannot be executed, if any.

    `imagined`: it cannot on a version of its state that only the batch would have made. As that version will not be,
    nothing about it may be recorded of the request.
    """

    prepared: tuple[Prepared, ...]
    failed: Prepared | None
    imagined: bool = False


def drift_by(request: MutationRequest, changed: StateChanged, version: int) -> Drift:
    """Return what an item of a batch does to its state, which it makes this version of."""
    return Drift.sound(version=version, request_id=request.id, paths=changed_paths(changed.change_set))


def telling(part: Prepared, drift: Sequence[Drift]) -> Prepared:
    """Return the part of a batch with what earlier parts did to its state added to what drift it tells."""
    events = [_told(event, drift) if isinstance(event, VersionResolved) else event for event in part.events]
    return replace(part, events=events)


def _told(event: VersionResolved, drift: Sequence[Drift]) -> VersionResolved:
    later = (each for each in drift if each.version > event.expected)
    return event.model_copy(update={"drift": (*event.drift, *islice(later, MAX_DRIFT - len(event.drift)))})
