"""The hashes of stored rows, page by page, with the positions that they stand at."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from governance.audit.problems import Problem
from governance.audit.proofs import HASH_BYTES, event_hashes
from governance.event_store.audit_rows import AuditRows, Row

UNREADABLE: Final = bytes(HASH_BYTES)
"""What stands for the hash of a row that no store of ours can hold."""


class Hashed(NamedTuple):
    """Rows in order: their positions, their leaf hashes, and what is wrong with rows that have none."""

    positions: list[int]
    hashes: list[bytes]
    problems: list[Problem]


def hashed_pages(rows: AuditRows, after: int, upto: int) -> Iterator[Hashed]:
    """Return the hashes of the rows after a position and not after another."""
    for page in rows.pages(after, upto):
        yield hashed(page)


def hashed(page: Sequence[Row]) -> Hashed:
    """Return the hashes of some rows."""
    positions = [row[0] for row in page]
    try:
        return Hashed(positions, event_hashes(page), [])
    except ValueError:
        problems: list[Problem] = []
        return Hashed(positions, [_hash(row, problems) for row in page], problems)


def _hash(row: Row, problems: list[Problem]) -> bytes:
    try:
        return event_hashes([row])[0]
    except ValueError as error:
        problems.append(Problem(row[0], "row", str(error)))
        return UNREADABLE
