"""Reading every row once, in order: hashed, compared with the kept tree, and folded into the roots that follow."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from governance.audit.keeping import unpacked
from governance.audit.problems import Problem, Problems
from governance.audit.proofs import HASH_BYTES, event_hashes
from governance.audit.tree import TILE, TILE_HEIGHT, Frontier, fold
from governance.event_store.audit_rows import AuditRows, Row
from governance.event_store.tree_tables import Tile

BEFORE_ALL: Final = -(2**63)
UNREADABLE: Final = bytes(HASH_BYTES)
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
    """Compares rows with tiles; what is found goes into `so_far` and `problems`."""

    def __init__(self, rows: AuditRows, upto: int, sizes: Sequence[int], so_far: Compared, problems: Problems) -> None:
        self._upto = upto
        self._sizes = frozenset(sizes)
        self._pages = rows.pages(so_far.position, upto)
        self._waiting: list[Row] = []
        self._used = 0
        self._so_far = so_far
        self._problems = problems

    def tile(self, tile: Tile) -> None:
        """Compare the rows up to the last position of a tile with it, unless the kept tree has been found broken."""
        if self._so_far.tree_broken or not self._usable(tile):
            return
        positions = unpacked(tile.positions)
        rows = list(self._rows_upto(positions[-1]))
        hashes = self._hashes(rows)
        if b"".join(hashes) != tile.hashes or tuple(row[0] for row in rows) != positions:
            self._differ(tile, positions, {row[0]: hashed for row, hashed in zip(rows, hashes, strict=True)})
        self._grow(rows, hashes)
        self._grow_stored(tile, hashes)
        self._so_far.stored_position = positions[-1]

    def rest(self) -> Iterator[int]:
        """Take in the rows behind the kept tree; return the position after each lot of them."""
        while rows := self._some_rows():
            self._grow(rows, self._hashes(rows))
            yield rows[-1][0]

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

    def _rows_upto(self, position: int) -> Iterator[Row]:
        while True:
            end = bisect_right(self._waiting, position, lo=self._used, key=_position)
            yield from self._waiting[self._used : end]
            self._used = end
            if end < len(self._waiting) or not self._read():
                return

    def _some_rows(self) -> list[Row]:
        if self._used == len(self._waiting) and not self._read():
            return []
        rows = self._waiting[self._used : self._used + TILE]
        self._used += len(rows)
        return rows

    def _read(self) -> bool:
        self._waiting, self._used = next(self._pages, []), 0
        return bool(self._waiting)

    def _hashes(self, rows: Sequence[Row]) -> list[bytes]:
        try:
            return event_hashes(rows)
        except ValueError:
            return [self._hash(row) for row in rows]

    def _hash(self, row: Row) -> bytes:
        try:
            return event_hashes([row])[0]
        except ValueError as error:
            self._problems.add(Problem(row[0], "row", str(error)))
            return UNREADABLE

    def _grow(self, rows: Sequence[Row], hashes: list[bytes]) -> None:
        so_far = self._so_far
        before = so_far.actual.size
        for size in self._sizes:
            if before < size <= before + len(rows):
                so_far.last_positions[size] = rows[size - before - 1][0]
        _grow(so_far.actual, hashes, self._sizes, so_far.actual_roots)
        if rows:
            so_far.position = rows[-1][0]

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


def _position(row: Row) -> int:
    return row[0]


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
