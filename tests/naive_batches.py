"""Batches of the naive model: together or not at all, or in order with what was done put right, newest first."""

from copy import copy

from tests.naive_drift import Batch, Request, Value, World, runnable
from tests.naive_model import OPEN, RefusedError


class Batching(World):
    """A world in which requests are also asked for, approved and executed together."""

    def submit_batch(self, requests: list[Request], *, atomic: bool) -> Batch:
        self.foresee(requests)
        batch = Batch(requests, atomic)
        for each in requests:
            self.submit(each).batch = batch
        self.batches.append(batch)
        return batch

    def foresee(self, requests: list[Request]) -> None:
        """Refuse a batch of which one could never run on what those before it make of its state."""
        then: dict[str, list[Value]] = {}
        for each in requests:
            values = then.setdefault(each.state, list(self.values(each.state)))
            trial = self.submit(copy(each))
            self.requests.remove(trial)
            if trial.status == "rejected":
                continue
            behind = len(values) > len(self.values(each.state))
            after = self.resolve(trial, values) if behind else trial.change.after(values[-1])
            if after is None:
                raise RefusedError("InputError")
            values.append(after)

    def approve_batch(self, batch: Batch) -> None:
        pending = [each for each in batch.requests if each.status == "pending"]
        if not pending:
            raise RefusedError("InputError")
        for each in pending:
            self.approve(each)

    def execute(self, request: Request) -> bool:
        if request.batch is not None and request.batch.atomic and request.status in OPEN:
            raise RefusedError("InvalidTransitionError")
        return super().execute(request)

    def execute_batch(self, batch: Batch) -> list[Request]:
        """Return the requests that were made to put others right."""
        if batch.status == "executed":
            raise RefusedError("InvalidTransitionError")
        if batch.atomic:
            self.together(batch)
            return []
        if batch.status == "failed":
            return []
        self.in_order(batch)
        return self.put_right(batch) if batch.failed is not None else []

    def together(self, batch: Batch) -> None:
        for each in batch.requests:
            runnable(each)
        then = {each.state: list(self.values(each.state)) for each in batch.requests}
        done: list[tuple[Request, int, Value]] = []
        stopped: dict[str, Request] = {}
        for each in batch.requests:
            if each.state not in stopped:
                trial = copy(each)
                after = self.resolve(trial, then[each.state])
                if after is None:
                    stopped[each.state] = each
                else:
                    then[each.state].append(after)
                    done.append((each, trial.evaluated, after))
        if stopped:
            self.tell(batch, stopped, then)
            return
        for each, evaluated, after in done:
            each.evaluated = evaluated
            self.take_effect(each, after)
        batch.status, batch.failed = "executed", None

    def tell(self, batch: Batch, stopped: dict[str, Request], then: dict[str, list[Value]]) -> None:
        """Say of each that was stopped why; not of one on a version that only the batch would have made."""
        batch.failed = next(iter(stopped.values()))
        for state, each in stopped.items():
            if len(then[state]) == len(self.values(state)):
                self.resolve(each, self.values(state))

    def in_order(self, batch: Batch) -> None:
        ended = [each for each in batch.requests if each.status not in {*OPEN, "executed"}]
        if ended:
            batch.status, batch.failed = "failed", ended[0]
            return
        if all(each.result is None for each in batch.requests):
            for each in batch.requests:
                runnable(each)
        for each in batch.requests:
            if each.result is None and not self.ran(each):
                batch.status, batch.failed = "failed", each
                return
        batch.status = "executed"

    def ran(self, request: Request) -> bool:
        try:
            return self.execute(request)
        except RefusedError:
            return False

    def put_right(self, batch: Batch) -> list[Request]:
        made: list[Request] = []
        for number in reversed(range(len(batch.requests))):
            original = batch.requests[number]
            if original.result is None:
                continue
            if original.compensated_by is not None:
                batch.put_right[number] = original.compensated_by
                continue
            undo = self.undone(original)
            made += [undo] if undo is not None else []
            if undo is None or undo.status == "rejected":
                batch.left.add(number)
            else:
                batch.put_right[number] = undo
        return made

    def undone(self, original: Request) -> Request | None:
        for kind in ("corrective", "restore"):
            try:
                undo = self.compensate(original, kind)
            except RefusedError as error:
                if error.reasons != {"NotReversibleError"}:
                    return None
                continue
            if undo.status == "approved":
                self.execute(undo)
            return undo
        return None
