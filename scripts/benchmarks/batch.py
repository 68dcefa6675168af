"""`batch`: a hundred approved requests executed one by one, and as a batch in one transaction."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from time import perf_counter
from uuid import uuid4

from governance import Governance
from scripts.benchmarks import ours
from scripts.benchmarks.measure import Rate, Table, rate_of

ITEMS = 100
SINGLY, TOGETHER = "100 requests, one by one", "batch of 100, one transaction"
Made = tuple[str, list[str]]
"""The id of a batch and those of its requests."""


def tables(url: str, folder: Path, seconds: float) -> Iterator[Table]:
    """Yield one table for each database; what is timed is the execution, a piece of work is a hundred of them."""
    stores = {"PostgreSQL": url, "SQLite": f"sqlite:///{folder / 'batch.db'}"}
    for database, store in stores.items():
        stack = ExitStack()
        governance = stack.enter_context(ours.opened(store))
        contenders: dict[str, Callable[[], Rate]] = {
            SINGLY: partial(executions, governance, one_by_one, atomic=False, seconds=seconds),
            TOGETHER: partial(executions, governance, together, atomic=True, seconds=seconds),
        }
        yield Table(f"{database}, 1 caller, executing 100 requests", contenders, SINGLY, stack.close)


def executions(
    governance: Governance, execute: Callable[[Governance, Made], None], *, atomic: bool, seconds: float
) -> Rate:
    """Return how often a second 100 requests on states of their own are executed; asking for them is not timed."""
    every: list[float] = []
    while sum(every) < seconds:
        made = asked(governance, atomic=atomic)
        began = perf_counter()
        execute(governance, made)
        every.append(perf_counter() - began)
    return rate_of(every, sum(every))


def asked(governance: Governance, *, atomic: bool) -> Made:
    """Return a batch that can be executed."""
    turn = uuid4().hex[:8]
    items = [
        {"mutation": ours.SetLimit(requests_per_second=number), "state_id": f"batch-{turn}-{number}"}
        for number in range(ITEMS)
    ]
    batch = governance.submit_batch(items, atomic=atomic, actor=ours.GRACE, reason="load")
    return batch.id, [each.id for each in batch.requests]


def one_by_one(governance: Governance, made: Made) -> None:
    """Execute each request by a call of its own."""
    for request_id in made[1]:
        checked(executed=governance.execute(request_id, actor=ours.WORKER).executed)


def together(governance: Governance, made: Made) -> None:
    """Execute the batch by one call."""
    checked(executed=governance.execute_batch(made[0], actor=ours.WORKER).executed)


def checked(*, executed: bool) -> None:
    """Refuse to measure what did not happen."""
    if not executed:
        msg = "a request was not executed"
        raise RuntimeError(msg)
