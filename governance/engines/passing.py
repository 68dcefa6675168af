"""One pass over everything that is due, in this process, in a fixed order: for tests and small installations."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime

from governance.engines.engine import DueReport, Engine, Performed

MAX_ROUNDS = 10_000
PAGE = 100
MAX_LOOKS = 3
"""How often one pass looks at an item that nothing has changed."""


DueKinds = Callable[[Sequence[str], datetime], Sequence[str]]
"""Says of which kinds of the agenda something is due, so that engines that have nothing to do are not asked."""


def one_pass(engines: Iterable[Engine], now: datetime, limit: int, due_kinds: DueKinds | None = None) -> DueReport:
    """Return what was done: engine by engine, and again until nothing is due that this pass has not looked at.

    What one engine does may make work for another (a released request is executed), so that a pass goes round. An error
    at one item never keeps the others from their turn, and one that comes up again and again is left to a later pass.
    """
    round_ = _Round(tuple(engines), now, due_kinds)
    done: list[Performed] = []
    for _ in range(MAX_ROUNDS):
        before = len(done)
        for performed in round_.performed(limit - before):
            done.append(performed)
        if len(done) == before or len(done) >= limit:
            break
    return DueReport(at=now, performed=tuple(done), more=len(done) >= limit)


class _Round:
    def __init__(self, engines: tuple[Engine, ...], now: datetime, due_kinds: DueKinds | None) -> None:
        self._engines = engines
        self._now = now
        self._due_kinds = due_kinds
        self._kinds = tuple(dict.fromkeys(kind for each in engines for kind in _kinds(each) or ()))
        self._seen: Counter[tuple[str, str, int]] = Counter()

    def performed(self, left: int) -> Iterator[Performed]:
        due: Collection[str] | None = None
        for engine in self._engines:
            if due is None:
                due = self._kinds if self._due_kinds is None else self._due_kinds(self._kinds, self._now)
            kinds = _kinds(engine)
            if left <= 0 or (kinds is not None and set(kinds).isdisjoint(due)):
                continue
            for item in engine.due(self._now, min(left, PAGE)):
                mark = (item.engine, item.key, item.touched)
                if self._seen[mark] < MAX_LOOKS:
                    self._seen[mark] += 1
                    left -= 1
                    due = None  # what was done may have made other things due
                    yield engine.perform(item, self._now)


def _kinds(engine: Engine) -> tuple[str, ...] | None:
    """Return what of the agenda an engine looks at, None for one that finds its work elsewhere."""
    return getattr(engine, "kinds", None)
