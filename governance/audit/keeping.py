"""The kept tree: brought up to date from the log page by page, and asked for roots and proofs."""

import struct
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from governance.audit.proofs import HASH_BYTES, Leaf, event_hash, event_hashes
from governance.audit.tree import TILE, TILE_HEIGHT, consistency_path, fold, inclusion_path, root_of
from governance.domain.errors import ConcurrencyError, NotFoundError, TamperedError
from governance.event_store.audit_rows import AuditRows, Row
from governance.event_store.tree_tables import Tile, TreeHead, TreeTables

PAGE: Final = 16 * TILE
_TRIES: Final = 20
_CACHED_TILES: Final = 256


class KeptTree:
    """The tree as its tables keep it. What they say is proven only by a signed checkpoint that agrees with it."""

    def __init__(self, rows: AuditRows, tables: TreeTables) -> None:
        self._rows = rows
        self._tables = tables
        self._tile = lru_cache(_CACHED_TILES)(self._read_tile)

    def head(self) -> TreeHead:
        """Return how far the tree is."""
        return self._tables.head() if self._tables.exist() else TreeHead()

    def catch_up(self, tell: Callable[[int, int], None] = lambda position, upto: None) -> TreeHead:
        """Take in every settled event; TamperedError for a log that does not hold what the tree ends with.

        Rows are hashed outside of any transaction; tiles and head are then stored together.
        """
        self._tables.make()
        upto = self._rows.numbers().settled
        head = self._checked(upto)
        lost = 0
        while page := self._rows.page(head.position, upto, PAGE - head.size % TILE):
            tiles, after = self._grown(head, page)
            if self._tables.save(head, after, tiles):
                head = after
                tell(head.position, upto)
            else:
                lost += 1
                if lost > _TRIES:
                    msg = "others keep bringing the tree up to date at the same time"
                    raise ConcurrencyError(msg)
                head = self._tables.head()
        self._tile.cache_clear()
        return head

    def node(self, level: int, number: int) -> bytes:
        """Return the root of a complete subtree; TamperedError when the tables do not hold it."""
        tile_level, inside = divmod(level, TILE_HEIGHT)
        start = number << inside
        hashes = self._tile(tile_level, start // TILE).hashes
        found = hashes[start % TILE * HASH_BYTES : (start % TILE + (1 << inside)) * HASH_BYTES]
        if len(found) != HASH_BYTES << inside:
            msg = f"the kept tree lacks hashes of tile {start // TILE} at level {tile_level}"
            raise TamperedError(msg)
        return fold(found)

    def root(self, size: int) -> bytes:
        """Return the root of the first `size` leaves."""
        return root_of(self.node, size)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the proof that a leaf is in the tree of the first `size` leaves."""
        return inclusion_path(self.node, index, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the tree has only grown between two sizes."""
        return consistency_path(self.node, old, new)

    def index_of(self, position: int) -> int:
        """Return the leaf number of the event at a position; NotFoundError when the tree has none there."""
        found = self.last_at(position)
        if found is None or self.position_of(found) != position:
            msg = f"the tree holds no event at position {position}"
            raise NotFoundError(msg, position=position)
        return found

    def last_at(self, position: int) -> int | None:
        """Return the number of the last leaf up to a position, None when there is none."""
        low, high = 0, (self.head().size + TILE - 1) // TILE
        while high - low > 1:
            middle = (low + high) // 2
            if self._positions(middle)[0] <= position:
                low = middle
            else:
                high = middle
        inside = bisect_right(self._positions(low), position) if high else 0
        return low * TILE + inside - 1 if inside else None

    def position_of(self, index: int) -> int:
        """Return the position of a leaf."""
        return self._positions(index // TILE)[index % TILE]

    def _positions(self, number: int) -> Sequence[int]:
        return unpacked(self._tile(0, number).positions)

    def _read_tile(self, level: int, number: int) -> Tile:
        tile = self._tables.tile(level, number)
        if tile is None or (level == 0 and not tile.positions):
            msg = f"the kept tree lacks tile {number} at level {level}"
            raise TamperedError(msg)
        return tile

    def _checked(self, upto: int) -> TreeHead:
        """Refuse to grow on a log that is not the one that the tree was made of."""
        head = self._tables.head()
        if head.size == 0:
            return head
        last = self._rows.page(head.position - 1, head.position, 1)
        if upto < head.position or not last or event_hash(Leaf(*last[0])) != self.node(0, head.size - 1):
            msg = (
                f"the log has not the event at position {head.position} that the tree ends with: "
                "it was changed, or restored from an older backup; gov audit verify says more"
            )
            raise TamperedError(msg, position=head.position)
        return head

    def _grown(self, head: TreeHead, page: Sequence[Row]) -> tuple[list[Tile], TreeHead]:
        try:
            hashes = event_hashes(page)
        except ValueError as error:
            msg = f"behind position {head.position} there is a row that no store of ours can hold: {error}"
            raise TamperedError(msg, position=head.position) from None
        positions = packed([row[0] for row in page])
        number, filled = divmod(head.size, TILE)
        before = self._tables.tile(0, number) if filled else None
        old = before or Tile(0, number, b"", b"")
        grown = _cut(0, number, old.hashes + b"".join(hashes), old.positions + positions)
        return [*grown, *self._above(grown, 1)], TreeHead(head.size + len(page), page[-1][0])

    def _above(self, below: Sequence[Tile], level: int) -> list[Tile]:
        full = [tile for tile in below if len(tile.hashes) == TILE * HASH_BYTES]
        if not full:
            return []
        number, filled = divmod(full[0].number, TILE)
        before = self._tables.tile(level, number) if filled else None
        kept = before.hashes[: filled * HASH_BYTES] if before else b""
        grown = _cut(level, number, kept + b"".join(fold(tile.hashes) for tile in full), b"")
        return [*grown, *self._above(grown, level + 1)]


def packed(positions: Sequence[int]) -> bytes:
    """Return positions as the tables keep them: 8 bytes each, big-endian."""
    return struct.pack(f">{len(positions)}Q", *positions)


def unpacked(positions: bytes) -> tuple[int, ...]:
    """Return what `packed` has written; bytes left over at the end are left out."""
    return struct.unpack_from(f">{len(positions) // 8}Q", positions)


def _cut(level: int, number: int, hashes: bytes, positions: bytes) -> list[Tile]:
    size = TILE * HASH_BYTES
    return [
        Tile(level, number + nth, hashes[at : at + size], positions[nth * TILE * 8 : (nth + 1) * TILE * 8])
        for nth, at in enumerate(range(0, len(hashes), size))
    ]
