"""Facts about batches: several requests that are executed together or in order."""

from typing import ClassVar

from governance.domain.terms import Fact


class BatchFact(Fact):
    """An event of a batch."""

    category: ClassVar[str] = "batch"


class BatchCreated(BatchFact):
    """Somebody asked for several mutations at once; `atomic`: all of them run in one transaction, or none does."""

    requests: tuple[str, ...]
    atomic: bool
    reason: str


class BatchExecuted(BatchFact):
    """Every request of the batch was executed."""


class BatchFailed(BatchFact):
    """A request of the batch could not be executed; `executed` were before it, and are put right, newest first."""

    request_id: str
    reason: str
    executed: tuple[str, ...]


class BatchItemCompensated(BatchFact):
    """A request of a failed batch is put right by another, which may still wait for approval."""

    request_id: str
    by: str
    done: bool


class BatchItemNotCompensated(BatchFact):
    """A request of a failed batch could not be put right automatically: somebody has to."""

    request_id: str
    reason: str


BatchEvent = BatchCreated | BatchExecuted | BatchFailed | BatchItemCompensated | BatchItemNotCompensated
"""What the stream of a batch holds."""
