"""Drift within a batch: what its earlier items do to a state that a later one finds, before any stream holds it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from governance.domain.changes import changed_paths
from governance.domain.events import StateChanged, VersionResolved
from governance.domain.request import MutationRequest
from governance.domain.terms import Drift
from governance.execution import MAX_DRIFT, Prepared


class Stopped:
    """The parts of an atomic execution that cannot be executed, each the first such of its state.

    Each that met its state as it is says so of its request, so that all rounds that are needed open at once. Of one
    that met a version that only the batch would have made, nothing may be recorded: that version will not be.
    """

    def __init__(self) -> None:
        self.first: Prepared | None = None
        self.imagined = False
        self.told: list[Prepared] = []
        self._states: set[str] = set()

    def at(self, state_id: str) -> bool:
        """Return whether one about this state has been stopped: what others would find there, nobody knows."""
        return state_id in self._states

    def take(self, part: Prepared, *, imagined: bool) -> None:
        """Take in the next one; `imagined`: on a version that only the batch would have made."""
        self._states.add(part.state.id)
        if self.first is None:
            self.first, self.imagined = part, imagined
        if not imagined and part.held is None:
            self.told.append(part)


@dataclass(frozen=True)
class Together:
    """The parts of an atomic execution, and those of them that cannot be executed, if any."""

    prepared: tuple[Prepared, ...]
    stopped: Stopped


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
