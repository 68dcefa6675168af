"""The upper levels of the kept tree, checked against the leaf tiles below them as these are read."""

from collections.abc import Iterator
from typing import Final

from governance.audit.problems import Problem
from governance.audit.proofs import HASH_BYTES
from governance.audit.tree import TILE, fold
from governance.event_store.tree_tables import Tile, TreeTables

_FULL: Final = TILE * HASH_BYTES


class Levels:
    """Folds leaf tiles upwards and compares each tile above with what is kept; holds one tile per level."""

    def __init__(self, tables: TreeTables) -> None:
        self._tables = tables
        self._filling: dict[int, tuple[int, bytes]] = {}

    def add(self, tile: Tile) -> Iterator[Problem]:
        """Take in the next leaf tile; return what is wrong above it."""
        level, hashes = 1, tile.hashes
        while len(hashes) == _FULL:
            number, filled = self._filling.get(level, (tile.number >> 8 * level, b""))
            filled += fold(hashes)
            self._filling[level] = (number, filled)
            if len(filled) < _FULL:
                return
            yield from self._compared(level, number, filled)
            self._filling[level] = (number + 1, b"")
            level, hashes = level + 1, filled

    def end(self) -> Iterator[Problem]:
        """Return what is wrong with the tiles that are not full."""
        for level, (number, filled) in self._filling.items():
            if filled:
                yield from self._compared(level, number, filled)

    def _compared(self, level: int, number: int, hashes: bytes) -> Iterator[Problem]:
        kept = self._tables.tile(level, number)
        if kept is None or kept.hashes != hashes:
            told = f"tile {number} at level {level} of the kept tree does not follow from the leaves below it"
            yield Problem(None, "tree", told)
