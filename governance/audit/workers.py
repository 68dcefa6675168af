"""Hashing rows and checking what they mean in several processes, each with a connection of its own."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Final, TypeVar

from governance.audit.hashing import Hashed, hashed_pages
from governance.audit.meaning import Meaning
from governance.audit.problems import Problems
from governance.audit.replay import Range
from governance.event_store.audit_connection import AuditConnection
from governance.event_store.audit_rows import AuditRows

EVENTS_AT_ONCE: Final = 20_000
WORTH_HASHING: Final = 1_000_000
In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class Done:
    """What one range came to."""

    last: str | None
    events: int
    problems: Problems


@dataclass(frozen=True)
class Workers:
    """Processes that check ranges of streams."""

    url: str
    schema: str
    processes: int
    events: int = EVENTS_AT_ONCE
    hash_from: int = WORTH_HASHING
    """How many positions there have to be for the hashing to be shared: starting processes takes a second or two."""

    def checked(self, upto: int, ranges: Iterator[Range]) -> Iterator[Done]:
        """Return what the ranges of streams come to, in their order."""
        return self._in_order(partial(check_range, self.url, self.schema, upto), ranges)

    def hashed(self, after: int, upto: int) -> Iterator[Hashed]:
        """Return the hashes of the rows after a position and not after another, in order."""
        first = max(after, 0)
        starts = [after, *range(first + self.events, upto, self.events)]
        ranges = zip(starts, [*starts[1:], upto], strict=True)
        found = self._in_order(partial(hash_range, self.url, self.schema), iter(ranges))
        return (each for each in found if each.positions)

    def each(self, work: Callable[[str, str, Range], Out], ranges: Iterator[Range]) -> Iterator[Out]:
        """Return what work on the store comes to for each range of streams, in their order; here if alone."""
        there = partial(work, self.url, self.schema)
        return map(there, ranges) if self.processes == 1 else self._in_order(there, ranges)

    def _in_order(self, work: Callable[[In], Out], parts: Iterator[In]) -> Iterator[Out]:
        """Return what comes of the parts; few more are begun than there are processes, so that memory stays flat."""
        waiting: deque[Future[Out]] = deque()
        # Not forked: a child must not inherit connections.
        with ProcessPoolExecutor(self.processes, mp_context=get_context("spawn")) as pool:
            try:
                for each in parts:
                    waiting.append(pool.submit(work, each))
                    if len(waiting) > 2 * self.processes:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


def hash_range(url: str, schema: str, positions: tuple[int, int]) -> Hashed:
    """Return the hashes of the rows after the first position and not after the second."""
    whole = Hashed([], [], [])
    with AuditConnection(url, schema=schema) as connection:
        for page in hashed_pages(AuditRows(connection), *positions):
            whole.positions.extend(page.positions)
            whole.hashes.extend(page.hashes)
            whole.problems.extend(page.problems)
    return whole


def check_range(url: str, schema: str, upto: int, streams: Range) -> Done:
    """Return what one range comes to."""
    after, last = streams
    problems = Problems()
    with AuditConnection(url, schema=schema) as connection:
        rows = AuditRows(connection)
        checked = Meaning(rows, problems).check(rows.by_stream(upto, after=after, last=last))
        events = sum(count for _, count in checked)
    return Done(last, events, problems)
