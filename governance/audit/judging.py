"""What follows from a comparison: which checkpoints hold, and whether rows or the kept tree were changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from governance.audit.comparing import Compared, Difference
from governance.audit.notes import Checkpoint
from governance.audit.problems import Problem
from governance.audit.proofs import EMPTY_ROOT
from governance.event_store.audit_rows import Numbers


@dataclass(frozen=True)
class Anchor:
    """A checkpoint whose signature counts, and how it is called."""

    name: str
    checkpoint: Checkpoint

    @property
    def size(self) -> int:
        """Return how many events it covers."""
        return self.checkpoint.size


@dataclass(frozen=True)
class Judged:
    """What a comparison comes to."""

    compared: Compared
    anchors: Sequence[Anchor]

    @property
    def holding(self) -> tuple[Anchor, ...]:
        """Return the checkpoints that the rows agree with, smallest first."""
        return tuple(each for each in self._in_order() if self._agrees(each, stored=False))

    def problems(self) -> Iterator[Problem]:
        """Return what is wrong, except for what the numbers of the store say."""
        yield from map(self._difference, self.compared.differences)
        left = self.compared.difference_count - len(self.compared.differences)
        if left:
            yield Problem(None, "row", f"{left:,} more places differ from the kept tree")
        for anchor in self._in_order():
            if not self._agrees(anchor, stored=False):
                yield self._broken(anchor)

    def _in_order(self) -> list[Anchor]:
        return sorted(self.anchors, key=lambda each: each.size)

    def _agrees(self, anchor: Anchor, *, stored: bool) -> bool:
        roots = self.compared.stored_roots if stored else self.compared.actual_roots
        found = EMPTY_ROOT if anchor.size == 0 else roots.get(anchor.size)
        return found == anchor.checkpoint.root

    def _difference(self, difference: Difference) -> Problem:
        leaf, position, how = difference
        for anchor in self._in_order():
            if anchor.size <= leaf:
                continue
            if self._agrees(anchor, stored=False):
                told = f"the kept tree was changed here; the event is as checkpoint {anchor.name} has it"
                return Problem(position, "tree", told)
            if self._agrees(anchor, stored=True):
                return Problem(position, "row", f"the event {how}: checkpoint {anchor.name} covers another")
        return Problem(position, "row", f"the event {how}, by the kept tree; no checkpoint says which is right")

    def _broken(self, anchor: Anchor) -> Problem:
        actual = self.compared.actual.size
        named = f"checkpoint {anchor.name} of {anchor.size:,} events"
        place = self._after_last_good(anchor)
        if actual < anchor.size:
            told = f"{named}: the log has only {actual:,}; events were removed, or an older backup was restored"
            return Problem(None if self.compared.differences else place, "checkpoint", told)
        exact = self._agrees(anchor, stored=True) and bool(self.compared.differences)
        if exact:
            return Problem(None, "checkpoint", f"{named} does not hold: see the events named here")
        told = f"{named} does not hold, and no kept tree says where: at this position or later"
        return Problem(place, "checkpoint", told)

    def _after_last_good(self, anchor: Anchor) -> int:
        """Return the first position at which something can be wrong for a checkpoint to fail."""
        good = [each for each in self.holding if each.size < anchor.size]
        if self.compared.actual.size < anchor.size and not good:
            return self.compared.position + 1 if self.compared.actual.size else 1
        return self.compared.last_positions.get(good[-1].size, 0) + 1 if good else 1


def of_numbers(numbers: Numbers, known: int) -> Iterator[Problem]:
    """Return what is wrong with the positions that a store says to have given out; `known` is the last ever seen."""
    highest = max(numbers.last, known)
    if numbers.drawn < highest:
        told = (
            f"the store says to have given out positions up to {numbers.drawn:,} only, and {highest:,} was used: "
            "the sequence was set back, or an older backup was restored"
        )
        yield Problem(numbers.drawn + 1, "sequence", told)
