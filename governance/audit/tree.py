"""The Merkle tree of RFC 6962 over hashes that are kept elsewhere: roots, proofs, and growing by a frontier."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from hashlib import sha256
from typing import Final

from governance.audit.proofs import EMPTY_ROOT, HASH_BYTES, node_hash

TILE_HEIGHT: Final = 8
TILE: Final = 1 << TILE_HEIGHT
"""How many hashes a full tile holds."""

Node = Callable[[int, int], bytes]
"""Gives the hash of the complete subtree of 2^level leaves with the given number among those of its level."""


@lru_cache(maxsize=16)  # a tile is folded several times in a row: where it stands, and for the level above
def fold(hashes: bytes) -> bytes:
    """Return the root over a power of two of hashes that stand one behind the other."""
    while len(hashes) > HASH_BYTES:
        pairs = range(0, len(hashes), 2 * HASH_BYTES)
        hashes = b"".join([sha256(b"\x01" + hashes[at : at + 2 * HASH_BYTES]).digest() for at in pairs])
    return hashes


def root_of(node: Node, size: int) -> bytes:
    """Return the root of the first `size` leaves."""
    return _range(node, 0, size) if size else EMPTY_ROOT


def inclusion_path(node: Node, index: int, size: int) -> list[bytes]:
    """Return the proof that leaf `index` is in the tree of the first `size` leaves: PATH of RFC 6962."""
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range(node, middle, high))
            high = middle
        else:
            path.append(_range(node, low, middle))
            low = middle
    return path[::-1]


def consistency_path(node: Node, old: int, new: int) -> list[bytes]:
    """Return the proof that the tree of `new` leaves is that of `old` leaves grown: PROOF of RFC 6962."""
    if old in {0, new}:
        return []
    path: list[bytes] = []
    low, high, whole = 0, new, True
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(_range(node, middle, high))
            high = middle
        else:
            path.append(_range(node, low, middle))
            low, whole = middle, False
    if not whole:
        path.append(_range(node, low, high))
    return path[::-1]


class Frontier:
    """What is needed of a tree to let it grow: the roots of its complete subtrees, largest first."""

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = ()) -> None:
        self.size = size
        self.nodes = list(nodes)

    @classmethod
    def of(cls, node: Node, size: int) -> "Frontier":
        """Return the frontier of the first `size` leaves."""
        return cls(size, (node(level, number) for level, number in complete_subtrees(size)))

    def add(self, hashed: bytes, level: int = 0) -> None:
        """Take in a leaf hash, or the root of a complete subtree that fits where the tree ends."""
        number = self.size >> level
        while number & 1:
            hashed = node_hash(self.nodes.pop(), hashed)
            number >>= 1
        self.nodes.append(hashed)
        self.size += 1 << level

    def root(self) -> bytes:
        """Return the root."""
        if not self.nodes:
            return EMPTY_ROOT
        root = self.nodes[-1]
        for left in reversed(self.nodes[:-1]):
            root = node_hash(left, root)
        return root

    def copy(self) -> "Frontier":
        """Return one that grows by itself."""
        return Frontier(self.size, self.nodes)


def complete_subtrees(size: int) -> Iterator[tuple[int, int]]:
    """Return level and number of the complete subtrees that the first `size` leaves consist of, largest first."""
    start = 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            yield level, start >> level
            start += 1 << level


def _split(leaves: int) -> int:
    """Return the largest power of two below a number of leaves."""
    return 1 << ((leaves - 1).bit_length() - 1)


def _range(node: Node, low: int, high: int) -> bytes:
    leaves = high - low
    if leaves & (leaves - 1) == 0:
        level = leaves.bit_length() - 1
        return node(level, low >> level)
    middle = low + _split(leaves)
    return node_hash(_range(node, low, middle), _range(node, middle, high))
