"""Batch commands: several mutations asked for, approved and executed as one."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from governance.batch_execution import BatchExecutor, BatchOutcome
from governance.batching import Batch, Batches, BatchItem
from governance.domain.actors import Actor
from governance.domain.commands import SubmitBatch
from governance.ids import request_key
from governance.intake import check_actor


class BatchCommands:
    """The part of `Governance` that handles batches."""

    _batches: Batches
    _batch_executor: BatchExecutor

    def submit_batch(
        self,
        items: Iterable[BatchItem | Mapping[str, Any]],
        *,
        atomic: bool,
        actor: Actor,
        reason: str,
        idempotency_key: str | None = None,
    ) -> Batch:
        """Ask for up to 1,000 mutations at once; all requests are stored in one transaction, or none is.

        An item holds arguments of `submit` (at least `mutation` and `state_id`); actor and reason default to those of
        the batch. Each request passes policies and asks for approvals of its own. `atomic=True` executes all in one
        transaction over all states or not at all; `atomic=False` in order, putting right what was done if one fails.

        With an `idempotency_key`, the same content again returns the same batch, other content raises
        IdempotencyConflictError. Raises InputError for an empty batch and, naming the item, whatever `submit` raises,
        and InputError for one that could never run on what the items before it make of its state.
        """
        asked = SubmitBatch(atomic=atomic, actor=actor, reason=reason, idempotency_key=idempotency_key)
        return self._batches.submit(items, asked)

    def batch(self, batch_id: str | UUID) -> Batch:
        """Return a batch with its requests as they are now; NotFoundError when there is none."""
        return self._batches.get(request_key(batch_id))

    def approve_batch(
        self, batch_id: str | UUID, *, actor: Actor, seen: str | None = None, comment: str | None = None
    ) -> Batch:
        """Say yes to every pending request of a batch, in one transaction; what one of them refuses, all refuse.

        With `seen`, the batch's `digest`, anything else than what was seen raises StaleError; else as `approve`.
        """
        return self._batches.approve(request_key(batch_id), actor=actor, seen=seen, comment=comment)

    def execute_batch(self, batch_id: str | UUID, *, actor: Actor) -> BatchOutcome:
        """Execute a batch. Called again after a crash, it goes on where it was; it never executes a request twice.

        Atomic: every request has to be approved, else InvalidTransitionError; if one cannot be executed, none is, and
        that one says why. In order: nothing is begun while one is not approved (InvalidTransitionError), and nothing
        goes on once one has ended; when one fails, the executed ones are compensated, newest first, each step recorded;
        what cannot be put right automatically is named in the batch. Raises ConcurrencyError when somebody else
        interferes.
        """
        check_actor(actor)
        return self._batch_executor.execute(request_key(batch_id), actor)
