"""Checking what events mean in several processes, each with a range of streams and a connection of its own."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Final

from governance.audit.meaning import Meaning
from governance.audit.problems import Problems
from governance.event_store.audit_connection import AuditConnection
from governance.event_store.audit_rows import AuditRows

EVENTS_AT_ONCE: Final = 20_000
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

    def checked(self, upto: int, ranges: Iterator[Range]) -> Iterator[Done]:
        """Return what the ranges come to, in their order; few more are begun than there are processes."""
        waiting: deque[Future[Done]] = deque()
        # Not forked: a child must not inherit connections.
        with ProcessPoolExecutor(self.processes, mp_context=get_context("spawn")) as pool:
            try:
                for each in ranges:
                    waiting.append(pool.submit(check_range, self.url, self.schema, upto, each))
                    if len(waiting) > 2 * self.processes:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


def check_range(url: str, schema: str, upto: int, streams: Range) -> Done:
    """Return what one range comes to."""
    after, last = streams
    problems = Problems()
    with AuditConnection(url, schema=schema) as connection:
        rows = AuditRows(connection)
        checked = Meaning(rows, problems).check(rows.by_stream(upto, after=after, last=last))
        events = sum(count for _, count in checked)
    return Done(last, events, problems)
