"""RFC 6962 trees and proofs: known vectors, every small tree, and proofs that were touched."""

import subprocess
import sys
from hashlib import sha256

import pytest

from governance.audit.proofs import Leaf, Sized, consistency_holds, event_hash, inclusion_holds, leaf_data, leaf_hash
from governance.audit.tree import Frontier, consistency_path, fold, inclusion_path, root_of

# Inputs and roots of the tests of Certificate Transparency.
INPUTS = [bytes.fromhex(each) for each in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
INCLUSION = {
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
}
HASHES = [leaf_hash(each) for each in INPUTS]
MANY = [leaf_hash(str(number).encode()) for number in range(40)]


def node_of(hashes: list[bytes]):  # type: ignore[no-untyped-def]
    return lambda level, number: fold(b"".join(hashes[number << level : (number + 1) << level]))


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert root_of(node_of(HASHES), size).hex() == ROOTS[size - 1]


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert root_of(node_of([]), 0) == sha256().digest() == Frontier().root()


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_inclusion_proofs_are_those_of_certificate_transparency(index: int, size: int) -> None:
    assert tuple(node.hex() for node in inclusion_path(node_of(HASHES), index, size)) == INCLUSION[index, size]


def test_every_proof_of_small_trees_holds_and_grows_like_the_frontier() -> None:
    frontier = Frontier()
    for size in range(1, len(MANY) + 1):
        frontier.add(MANY[size - 1])
        root = root_of(node_of(MANY), size)
        assert frontier.root() == root == Frontier.of(node_of(MANY), size).root()
        for index in range(size):
            path = inclusion_path(node_of(MANY), index, size)
            assert inclusion_holds(MANY[index], index, size, path, root)
        for old in range(size + 1):
            path = consistency_path(node_of(MANY), old, size)
            assert consistency_holds(Sized(old, root_of(node_of(MANY), old)), Sized(size, root), path)


def touched(path: list[bytes]) -> list[list[bytes]]:
    dropped = [path[:at] + path[at + 1 :] for at in range(len(path))]
    flipped = [[*path[:at], bytes([node[0] ^ 1, *node[1:]]), *path[at + 1 :]] for at, node in enumerate(path)]
    swapped = [
        [*path[:at], path[at + 1], path[at], *path[at + 2 :]] for at in range(len(path) - 1) if path[at] != path[at + 1]
    ]
    return [*dropped, *flipped, *swapped, [*path, bytes(32)], [bytes(32), *path], [each[:-1] for each in path]]


def test_no_proof_holds_with_a_node_dropped_flipped_added_or_in_another_place() -> None:
    for size in range(2, 20):
        root = root_of(node_of(MANY), size)
        for index in range(size):
            for path in touched(inclusion_path(node_of(MANY), index, size)):
                assert not inclusion_holds(MANY[index], index, size, path, root)
        for old in range(1, size):
            before = Sized(old, root_of(node_of(MANY), old))
            for path in touched(consistency_path(node_of(MANY), old, size)):
                assert not consistency_holds(before, Sized(size, root), path)


def test_no_proof_holds_for_another_leaf_index_size_or_root() -> None:
    size, index = 13, 6
    path, root = inclusion_path(node_of(MANY), index, size), root_of(node_of(MANY), size)

    assert not inclusion_holds(MANY[7], index, size, path, root)
    assert not any(inclusion_holds(MANY[index], other, size, path, root) for other in range(-1, 20) if other != index)
    assert not inclusion_holds(MANY[index], index, size, path, root_of(node_of(MANY), 12))
    assert not inclusion_holds(MANY[index], index, 40, path, root)


def test_a_tree_never_shrinks_and_never_forks() -> None:
    path, root = consistency_path(node_of(MANY), 5, 9), root_of(node_of(MANY), 9)
    five = root_of(node_of(MANY), 5)

    assert not consistency_holds(Sized(9, root), Sized(5, five), path)
    assert not consistency_holds(Sized(9, root), Sized(9, five), [])
    assert not consistency_holds(Sized(0, five), Sized(9, root), [])
    assert not consistency_holds(Sized(5, five), Sized(9, root), [])


def test_every_byte_of_fifty_events_counts() -> None:
    for number in range(50):
        leaf = Leaf(number + 1, b"mutationRequest-a", number, b"Created", b'{"v":%d}' % number)
        whole, hashed = leaf_data(leaf), event_hash(leaf)
        seen = {hashed}
        for at in range(len(whole)):
            for value in range(256):
                if value != whole[at]:
                    seen.add(leaf_hash(whole[:at] + bytes([value]) + whole[at + 1 :]))
        assert len(seen) == 1 + 255 * len(whole)


def test_columns_cannot_flow_into_each_other() -> None:
    rows = {
        leaf_data(Leaf(1, stream, 1, topic, state))
        for stream, topic, state in ((b"ab", b"c", b"d"), (b"a", b"bc", b"d"), (b"a", b"b", b"cd"), (b"abc", b"", b"d"))
    }

    assert len(rows) == 4


def test_the_encoding_is_the_documented_one() -> None:
    data = leaf_data(Leaf(258, "ø".encode(), 3, b"T", b"{}"))

    assert data.hex() == "01" + "0000000000000102" + "0000000000000003" + "00000002" + "00000001" + "00000002" + (
        "c3b8" + "54" + "7b7d"
    )


@pytest.mark.parametrize("row", [(-1, b"s", 1, b"t", b""), (1, b"s", "one", b"t", b""), (1.5, b"s", 1, b"t", b"")])
def test_what_is_no_row_is_refused(row: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match="not the row"):
        leaf_data(Leaf(*row))  # type: ignore[arg-type]


def test_the_offline_verifier_loads_neither_database_nor_the_rest_of_the_product() -> None:
    code = """
import sys
import governance.audit.proofs, governance.audit.notes
bad = [name for name in sys.modules if name.split(".")[0] in
    {"sqlite3", "psycopg", "sqlalchemy", "eventsourcing", "pydantic", "projections", "socket"}]
print(sorted(bad), sorted(name for name in sys.modules if name.startswith("governance")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    ours = ["governance", "governance.audit", "governance.audit.notes", "governance.audit.proofs"]
    assert done.stdout.strip() == f"[] {ours}"
