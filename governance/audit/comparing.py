"""Reading every row once, in order: hashed, compared with the kept tree, and folded into the roots that follow."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from governance.audit.hashing import Hashed
from governance.audit.keeping import unpacked
from governance.audit.problems import Problem, Problems
from governance.audit.proofs import HASH_BYTES
from governance.audit.tree import TILE, TILE_HEIGHT, Frontier, fold
from governance.event_store.tree_tables import Tile

BEFORE_ALL: Final = -(2**63)
_MOST_DIFFERENCES: Final = 100


class Difference(NamedTuple):
    """A place where rows and kept tree differ: leaf number in the tree, position, and how."""

    leaf: int
    position: int
    how: str


@dataclass
class Compared:
    """How far the comparison is; can be stored and taken up again."""

    position: int = BEFORE_ALL
    actual: Frontier = field(default_factory=Frontier)
    stored: Frontier = field(default_factory=Frontier)
    stored_position: int = 0
    tree_broken: bool = False
    differences: list[Difference] = field(default_factory=list)
    difference_count: int = 0
    actual_roots: dict[int, bytes] = field(default_factory=dict)
    stored_roots: dict[int, bytes] = field(default_factory=dict)
    last_positions: dict[int, int] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        hexed = {
            name: {str(size): root.hex() for size, root in getattr(self, name).items()}
            for name in ("actual_roots", "stored_roots")
        }
        plain = ("position", "stored_position", "tree_broken", "differences", "difference_count", "last_positions")
        frontiers = {name: _frontier_document(getattr(self, name)) for name in ("actual", "stored")}
        return {**{name: getattr(self, name) for name in plain}, **hexed, **frontiers}

    @classmethod
    def read(cls, document: dict[str, Any]) -> "Compared":
        """Return what `document` has written."""
        given = dict(document)
        for name in ("actual", "stored"):
            given[name] = Frontier(given[name]["size"], map(bytes.fromhex, given[name]["nodes"]))
            roots = f"{name}_roots"
            given[roots] = {int(size): bytes.fromhex(root) for size, root in given[roots].items()}
        given["differences"] = [Difference(*each) for each in given["differences"]]
        given["last_positions"] = {int(size): position for size, position in given["last_positions"].items()}
        return cls(**given)


class Comparison:
    """Compares hashed rows with tiles; what is found goes into `so_far` and `problems`."""

    def __init__(self, source: Iterator[Hashed], sizes: Sequence[int], so_far: Compared, problems: Problems) -> None:
        self._source = source
        self._sizes = frozenset(sizes)
        self._waiting = Hashed([], [], [])
        self._used = 0
        self._so_far = so_far
        self._problems = problems

    def tile(self, tile: Tile) -> None:
        """Compare the rows up to the last position of a tile with it, unless the kept tree has been found broken."""
        if self._so_far.tree_broken or not self._usable(tile):
            return
        expected = unpacked(tile.positions)
        positions, hashes = self._upto(expected[-1])
        if b"".join(hashes) != tile.hashes or tuple(positions) != expected:
            self._differ(tile, expected, dict(zip(positions, hashes, strict=True)))
        self._grow(positions, hashes)
        self._grow_stored(tile, hashes)
        self._so_far.stored_position = expected[-1]

    def rest(self) -> Iterator[int]:
        """Take in the rows behind the kept tree; return the position after each lot of them."""
        while self._used < len(self._waiting.positions) or self._read():
            positions, hashes = self._taken(min(self._used + TILE, len(self._waiting.positions)))
            self._grow(positions, hashes)
            yield positions[-1]

    def _usable(self, tile: Tile) -> bool:
        so_far, positions = self._so_far, unpacked(tile.positions)
        rising = all(one < two for one, two in zip((so_far.stored_position, *positions), positions, strict=False))
        whole = len(tile.hashes) == HASH_BYTES * len(positions) and len(tile.positions) == 8 * len(positions)
        if whole and rising and positions and so_far.stored.size == tile.number * TILE:
            return True
        so_far.tree_broken = True
        told = f"tile {tile.number} of the kept tree is not one: the tree tables were changed"
        self._problems.add(Problem(None, "tree", told))
        return False

    def _upto(self, position: int) -> tuple[list[int], list[bytes]]:
        positions: list[int] = []
        hashes: list[bytes] = []
        while True:
            end = bisect_right(self._waiting.positions, position, lo=self._used)
            more = self._taken(end)
            positions += more[0]
            hashes += more[1]
            if end < len(self._waiting.positions) or not self._read():
                return positions, hashes

    def _taken(self, end: int) -> tuple[list[int], list[bytes]]:
        start, self._used = self._used, end
        return self._waiting.positions[start:end], self._waiting.hashes[start:end]

    def _read(self) -> bool:
        self._waiting, self._used = next(self._source, Hashed([], [], [])), 0
        for problem in self._waiting.problems:
            self._problems.add(problem)
        return bool(self._waiting.positions)

    def _grow(self, positions: Sequence[int], hashes: list[bytes]) -> None:
        so_far = self._so_far
        before = so_far.actual.size
        for size in self._sizes:
            if before < size <= before + len(positions):
                so_far.last_positions[size] = positions[size - before - 1]
        _grow(so_far.actual, hashes, self._sizes, so_far.actual_roots)
        if positions:
            so_far.position = positions[-1]

    def _grow_stored(self, tile: Tile, hashes: list[bytes]) -> None:
        so_far = self._so_far
        stored = [tile.hashes[at : at + HASH_BYTES] for at in range(0, len(tile.hashes), HASH_BYTES)]
        if stored == hashes and so_far.actual.size == so_far.stored.size + len(stored) and not so_far.differences:
            # As long as nothing differs the two trees are one: no need to hash it twice.
            so_far.stored = so_far.actual.copy()
            so_far.stored_roots = dict(so_far.actual_roots)
        else:
            _grow(so_far.stored, stored, self._sizes, so_far.stored_roots)

    def _differ(self, tile: Tile, positions: Sequence[int], found: dict[int, bytes]) -> None:
        start = tile.number * TILE
        for inside, position in enumerate(positions):
            kept = tile.hashes[inside * HASH_BYTES : (inside + 1) * HASH_BYTES]
            actual = found.pop(position, None)
            if actual is None:
                self._note(Difference(start + inside, position, "is not there any more"))
            elif actual != kept:
                self._note(Difference(start + inside, position, "is not what it was"))
        for position in found:
            before = sum(each < position for each in positions)
            self._note(Difference(start + before, position, "was put in between"))

    def _note(self, difference: Difference) -> None:
        self._so_far.difference_count += 1
        if len(self._so_far.differences) < _MOST_DIFFERENCES:
            self._so_far.differences.append(difference)


def _grow(frontier: Frontier, hashes: list[bytes], sizes: frozenset[int], roots: dict[int, bytes]) -> None:
    after = range(frontier.size + 1, frontier.size + len(hashes) + 1)
    if len(hashes) == TILE and frontier.size % TILE == 0 and sizes.isdisjoint(after[:-1]):
        frontier.add(fold(b"".join(hashes)), TILE_HEIGHT)
    else:
        for size, hashed in zip(after, hashes, strict=True):
            frontier.add(hashed)
            if size in sizes:
                roots[size] = frontier.root()
    if frontier.size in sizes:
        roots[frontier.size] = frontier.root()


def _frontier_document(frontier: Frontier) -> dict[str, Any]:
    return {"size": frontier.size, "nodes": [node.hex() for node in frontier.nodes]}
