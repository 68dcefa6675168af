"""One pass over everything that is due, in this process, in a fixed order: for tests and small installations."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from governance.engines.engine import DueReport, Engine, Performed

MAX_ROUNDS = 10_000
PAGE = 100
MAX_LOOKS = 3
"""How often one pass looks at an item that nothing has changed."""


def one_pass(engines: Iterable[Engine], now: datetime, limit: int) -> DueReport:
    """Return what was done: engine by engine, and again until nothing is due that this pass has not looked at.

    What one engine does may make work for another (a released request is executed), so that a pass goes round. An error
    at one item never keeps the others from their turn, and one that comes up again and again is left to a later pass.
    """
    engines = tuple(engines)
    done: list[Performed] = []
    seen: Counter[tuple[str, str, int]] = Counter()
    for _ in range(MAX_ROUNDS):
        before = len(done)
        for performed in _round(engines, now, limit - before, seen):
            done.append(performed)
        if len(done) == before or len(done) >= limit:
            break
    return DueReport(at=now, performed=tuple(done), more=len(done) >= limit)


def _round(
    engines: tuple[Engine, ...], now: datetime, limit: int, seen: Counter[tuple[str, str, int]]
) -> Iterator[Performed]:
    left = limit
    for engine in engines:
        for item in engine.due(now, min(left, PAGE)) if left > 0 else ():
            mark = (item.engine, item.key, item.touched)
            if seen[mark] < MAX_LOOKS:
                seen[mark] += 1
                left -= 1
                yield engine.perform(item, now)
