"""Hashing rows and checking what they mean in several processes, each with a connection of its own."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from multiprocessing import get_context
from typing import Final, TypeVar

from governance.audit.hashing import Hashed, hashed_pages
from governance.audit.meaning import Meaning
from governance.audit.problems import Problems
from governance.domain.evolution import replay
from governance.domain.state_evolution import state_version
from governance.event_store.audit_connection import AuditConnection
from governance.event_store.audit_decoding import decoded
from governance.event_store.audit_rows import AuditRows
from governance.streams import REQUEST, STATE, category

EVENTS_AT_ONCE: Final = 20_000
WORTH_HASHING: Final = 1_000_000
In = TypeVar("In")
Out = TypeVar("Out")
Range = tuple[str | None, str | None]


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

    def replayed(self, upto: int, ranges: Iterator[Range]) -> Iterator[Done]:
        """Return how many events there were in each range of streams, every request and state rebuilt from them."""
        work = partial(replay_range, self.url, self.schema, upto)
        return map(work, ranges) if self.processes == 1 else self._in_order(work, ranges)

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


def replay_range(url: str, schema: str, upto: int, streams: Range) -> Done:
    """Return how many events one range holds, after every request and state in it was rebuilt."""
    after, last = streams
    events = 0
    with AuditConnection(url, schema=schema) as connection:
        for _, found in groupby(AuditRows(connection).by_stream(upto, after=after, last=last), key=lambda row: row[1]):
            history = [decoded(row) for row in found]
            kind = category(history[0].stream)
            if kind == REQUEST:
                replay(history)
            elif kind == STATE:
                state_version(history[-1])
            events += len(history)
    return Done(last, events, Problems())


def check_range(url: str, schema: str, upto: int, streams: Range) -> Done:
    """Return what one range comes to."""
    after, last = streams
    problems = Problems()
    with AuditConnection(url, schema=schema) as connection:
        rows = AuditRows(connection)
        checked = Meaning(rows, problems).check(rows.by_stream(upto, after=after, last=last))
        events = sum(count for _, count in checked)
    return Done(last, events, problems)
