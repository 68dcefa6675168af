"""What is wrong with a log: each problem in its place, the earliest ones kept."""

from dataclasses import asdict, dataclass, field
from heapq import heapify, heappushpop
from typing import Any, Final

MOST_KEPT: Final = 100
NOWHERE: Final = 2**63


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: at which position (None when there is no such place), in which stream, and what."""

    position: int | None
    kind: str
    message: str
    stream: str | None = None
    version: int | None = None

    @property
    def place(self) -> int:
        """Return by what problems are ordered."""
        return NOWHERE if self.position is None else self.position


@dataclass
class Problems:
    """The problems with the lowest positions, and how many there are in all."""

    kept: list[tuple[int, int, Problem]] = field(default_factory=list)
    count: int = 0

    def add(self, problem: Problem) -> None:
        """Take a problem in."""
        self.count += 1
        entry = (-problem.place, -self.count, problem)
        if len(self.kept) < MOST_KEPT:
            self.kept.append(entry)
            if len(self.kept) == MOST_KEPT:
                heapify(self.kept)
        else:
            heappushpop(self.kept, entry)

    def in_order(self) -> list[Problem]:
        """Return what was kept, lowest position first."""
        return [each for *_, each in sorted(self.kept, key=lambda entry: (-entry[0], -entry[1]))]

    def document(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return {"count": self.count, "kept": [asdict(each) for each in self.in_order()]}

    @classmethod
    def read(cls, document: dict[str, Any]) -> "Problems":
        """Return what `document` has written."""
        problems = cls()
        for each in document["kept"]:
            problems.add(Problem(**each))
        problems.count = document["count"]
        return problems
