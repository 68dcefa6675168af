"""Checking Merkle proofs over events, offline: nothing here needs more than the standard library.

The tree is that of RFC 6962, section 2.1, with SHA-256; the checks are those of RFC 9162, sections 2.1.3.2 and 2.1.4.2.
Leaf number n is the n-th event in the order of positions, counted from 0. Positions have gaps, leaf numbers have none.
"""

import struct
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
_HEAD: Final = struct.Struct(">BQQIII")
_LEAF_HEAD: Final = struct.Struct(">BBQQIII")
_LEAF: Final = 0
_ENCODING: Final = 1


class Leaf(NamedTuple):
    """The full row of an event: its text columns as the bytes that are stored, UTF-8."""

    position: int
    stream: bytes
    version: int
    topic: bytes
    state: bytes


def leaf_data(leaf: Leaf) -> bytes:
    """Return what is hashed of an event: every column, each with its length in front, so that no two rows are alike.

    One byte 1 (this encoding), then position and stream version (8 bytes each), then the lengths in bytes of stream,
    topic and state (4 bytes each), all unsigned and big-endian, then stream, topic and state themselves. Raises
    ValueError for a row that no store of ours can hold.
    """
    position, stream, version, topic, state = leaf
    try:
        head = _HEAD.pack(_ENCODING, position, version, len(stream), len(topic), len(state))
        return b"".join((head, stream, topic, state))
    except (struct.error, TypeError) as error:
        msg = f"not the row of an event: {error}"
        raise ValueError(msg) from None


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node above two others."""
    return sha256(b"\x01" + left + right).digest()


def event_hash(leaf: Leaf) -> bytes:
    """Return the leaf hash of an event; ValueError as `leaf_data`."""
    return leaf_hash(leaf_data(leaf))


def event_hashes(rows: Iterable[tuple[int, bytes, int, bytes, bytes]]) -> list[bytes]:
    """Return the leaf hashes of many events, several times as quick as one by one; ValueError as `leaf_data`."""
    pack = _LEAF_HEAD.pack
    try:
        return [
            sha256(
                pack(_LEAF, _ENCODING, position, version, len(stream), len(topic), len(state)) + stream + topic + state
            ).digest()
            for position, stream, version, topic, state in rows
        ]
    except (struct.error, TypeError) as error:
        msg = f"not the rows of events: {error}"
        raise ValueError(msg) from None


def inclusion_holds(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Return whether the path proves that the leaf hash stands at the index in the tree of that size and root."""
    if not 0 <= index < size or not _are_hashes(path):
        return False
    number, last, node = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if number & 1 or number == last:
            node = node_hash(sibling, node)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        number, last = number >> 1, last >> 1
    return last == 0 and node == root


class Sized(NamedTuple):
    """A tree: how many leaves, and its root."""

    size: int
    root: bytes


def consistency_holds(old: Sized, new: Sized, path: Sequence[bytes]) -> bool:
    """Return whether the path proves that the new tree is the old one with leaves added behind."""
    if not 0 <= old.size <= new.size or not _are_hashes(path):
        return False
    if old.size == new.size:
        return not path and old.root == new.root
    if old.size == 0:
        return not path and old.root == EMPTY_ROOT
    nodes = list(path)
    if old.size & (old.size - 1) == 0:
        nodes.insert(0, old.root)
    return bool(nodes) and _grows(old, new, nodes)


def _grows(old: Sized, new: Sized, nodes: Sequence[bytes]) -> bool:
    number, last = old.size - 1, new.size - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    old_node = new_node = nodes[0]
    for sibling in nodes[1:]:
        if last == 0:
            return False
        if number & 1 or number == last:
            old_node, new_node = node_hash(sibling, old_node), node_hash(sibling, new_node)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            new_node = node_hash(new_node, sibling)
        number, last = number >> 1, last >> 1
    return last == 0 and old_node == old.root and new_node == new.root


def _are_hashes(path: Sequence[bytes]) -> bool:
    return all(len(node) == HASH_BYTES for node in path)
