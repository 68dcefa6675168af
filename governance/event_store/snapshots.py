"""Snapshots of long streams, kept beside the log and derived from it alone: any of them can be thrown away."""

from abc import ABC, abstractmethod
from typing import Final, NamedTuple

PUT_SECONDS: Final = 0.5
"""How long storing a snapshot may take, for without it there is only more to read."""


class Snapshot(NamedTuple):
    """What the events of a stream up to a version have made, as text, and by which code; `position` is the last's."""

    stream: str
    version: int
    position: int
    code: str
    body: str


class SnapshotTable(ABC):
    """The snapshots of one store, at most one of a stream; every call raises StoreUnavailable."""

    @abstractmethod
    def find(self, stream: str) -> Snapshot | None:
        """Returns the snapshot of a stream, None when there is none."""

    @abstractmethod
    def put(self, snapshot: Snapshot, instead_of: int) -> None:
        """Stores a snapshot, unless there is one of a later version, other than the version it is to replace."""
