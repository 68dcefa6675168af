"""Execution slots: how many executions run at the same time in this process, first come, first served."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock
from time import monotonic

from governance.domain.errors import BusyError


class ExecutionSlots:
    """As many slots as may run at once, without a limit when that is None; safe for threads.

    A slot is held for one attempt only, not while a loser of a race waits to try again, so that many who want the same
    hot state do not keep others from theirs. Whoever has waited longest is next.
    """

    def __init__(self, limit: int | None, budget_seconds: float) -> None:
        self._limit = limit
        self._free = limit or 0
        self._budget_seconds = budget_seconds
        self._waiting: deque[Event] = deque()
        self._lock = Lock()

    @property
    def limited(self) -> bool:
        """Return whether there is a limit at all."""
        return self._limit is not None

    @contextmanager
    def taken(self, until: float | None = None) -> Iterator[None]:
        """Hold a slot; BusyError when none comes free by then (monotonic clock; default: within the time budget)."""
        if self._limit is None:
            yield
            return
        self._take(monotonic() + self._budget_seconds if until is None else until)
        try:
            yield
        finally:
            self._give_back()

    def _take(self, until: float) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn = Event()
            self._waiting.append(turn)
        try:
            if turn.wait(max(0.0, until - monotonic())):
                return
        except BaseException:  # the program is being stopped; a slot that was given meanwhile is for the next
            self._leave(turn)
            raise
        with self._lock:
            if turn.is_set():  # given at the last moment
                return
            self._waiting.remove(turn)
        msg = f"{self._limit} executions run already, which is the limit, and none ended within the time budget"
        raise BusyError(msg, limit=self._limit)

    def _leave(self, turn: Event) -> None:
        with self._lock:
            if not turn.is_set():
                self._waiting.remove(turn)
                return
        self._give_back()

    def _give_back(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1
