"""The tables that keep the hashes of the Merkle tree beside the events, as tiles of up to 256 hashes."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from governance.event_store.audit_connection import AuditConnection

_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS {schema}governance_tree (
        one integer PRIMARY KEY CHECK (one = 1), size bigint NOT NULL, position bigint NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS {schema}governance_tree_tiles (
        level integer NOT NULL, number bigint NOT NULL, hashes BYTES NOT NULL, positions BYTES NOT NULL,
        PRIMARY KEY (level, number))""",
)
_EXISTS_POSTGRES: Final = "SELECT to_regclass('{schema}governance_tree_tiles') IS NOT NULL"
_EXISTS_SQLITE: Final = "SELECT count(*) FROM sqlite_master WHERE name = 'governance_tree_tiles'"
_SAVE_TILE: Final = """
INSERT INTO {schema}governance_tree_tiles (level, number, hashes, positions) VALUES (?, ?, ?, ?)
ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes, positions = excluded.positions
"""
_SAVE_HEAD: Final = """
INSERT INTO {schema}governance_tree (one, size, position) VALUES (1, ?, ?)
ON CONFLICT (one) DO UPDATE SET size = excluded.size, position = excluded.position
"""
_TILE: Final = "SELECT level, number, hashes, positions FROM {schema}governance_tree_tiles WHERE level = ? AND number "
_TILES_AT_ONCE: Final = 64


class Tile(NamedTuple):
    """Up to 256 hashes of one level, one behind the other; at level 0 also the positions of the events, 8 bytes each.

    At level n, hash number i is the root of the complete subtree of 256^n leaves with that number.
    """

    level: int
    number: int
    hashes: bytes
    positions: bytes


class TreeHead(NamedTuple):
    """How many leaves the kept tree has, and the position of the last."""

    size: int = 0
    position: int = 0


class TreeTables:
    """Reads and writes the kept tree."""

    def __init__(self, connection: AuditConnection) -> None:
        self._connection = connection

    def exist(self) -> bool:
        """Return whether a tree was ever kept in this store."""
        on_postgres = self._connection.on_postgres
        return bool(self._connection.ask(_EXISTS_POSTGRES if on_postgres else _EXISTS_SQLITE)[0][0])

    def make(self) -> None:
        """Make the tables, if they are not there."""
        if self.exist():
            return
        kind = "bytea" if self._connection.on_postgres else "blob"
        with self._connection.transaction():
            if self._connection.on_postgres:
                self._connection.ask("SELECT pg_advisory_xact_lock(hashtextextended('governance tree', 0))")
            for table in _TABLES:
                self._connection.ask(table.replace("BYTES", kind))

    def head(self, *, locked: bool = False) -> TreeHead:
        """Return how far the tree is; `locked` lets nobody else move it until the transaction ends."""
        if locked and self._connection.on_postgres:
            self._connection.ask("LOCK TABLE {schema}governance_tree IN EXCLUSIVE MODE")
        found = self._connection.ask("SELECT size, position FROM {schema}governance_tree")
        return TreeHead(*found[0]) if found else TreeHead()

    def tile(self, level: int, number: int) -> Tile | None:
        """Return a tile, None when it was never written."""
        found = self._connection.ask(f"{_TILE}= ?", (level, number))
        return _tile(found[0]) if found else None

    def leaf_tiles(self, number: int) -> Iterator[Tile]:
        """Return the tiles of leaves from one on, in order."""
        while found := self._connection.ask(
            f"{_TILE}>= ? ORDER BY number LIMIT {_TILES_AT_ONCE}",
            (0, number),
        ):
            yield from map(_tile, found)
            number = int(found[-1][1]) + 1

    def save(self, before: TreeHead, after: TreeHead, tiles: Iterable[Tile]) -> bool:
        """Store tiles and head in one transaction; return False, storing nothing, when somebody else has moved on."""
        with self._connection.transaction():
            if self.head(locked=True) != before:
                return False
            for tile in tiles:
                self._connection.ask(_SAVE_TILE, tile)
            self._connection.ask(_SAVE_HEAD, after)
        return True


def _tile(row: tuple[Any, ...]) -> Tile:
    return Tile(int(row[0]), int(row[1]), bytes(row[2]), bytes(row[3]))
