"""A crew: the threads that do the work of one engine, no more of it at a time than its limit allows."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from queue import SimpleQueue
from threading import Condition, Event, Thread
from typing import Any, Final

import structlog

from governance.domain.errors import GovernanceError, StoreUnavailableError
from governance.engines.engine import DueItem, Engine, Performed
from governance.worker.metrics import Metrics
from governance.worker.tracing import span
from governance.worker.waking import Wake

BREATH_SECONDS = 0.01
LONGEST_BREATH_SECONDS = 0.2
"""The pause after a look that found nothing, however often the crew is woken; it doubles as long as nothing is found.

Else, in a busy store, every crew would look after every append, most of them in vain.
"""
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0
_LEVELS: Final = {"done": "debug", "lost": "debug", "waiting": "info", "failed": "warning"}
"""What is only told when everything is to be told; what was done stands in the log of events."""
AHEAD = 4
"""How many items a crew takes at once, as a multiple of its size, so that its threads never wait for the next look."""


class Crew:
    """Looks for due work and hands it to its threads; items of one group go to one thread, in order."""

    def __init__(
        self,
        engine: Engine,
        size: int,
        wake: Wake,
        metrics: Metrics,
        clock: Callable[[], datetime],
        poll_seconds: float,
    ) -> None:
        self.engine = engine
        self.size = size
        self.answered_at = time.monotonic()
        """When the store last answered the crew, on the monotonic clock."""
        self.problem: str | None = None
        self._wake = wake
        self._metrics = metrics
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._log: Any = structlog.get_logger("governance.worker").bind(engine=engine.name)
        self._ready: SimpleQueue[str | None] = SimpleQueue()
        self._groups: dict[str, deque[DueItem]] = {}
        """What is to be done, by group; a group is in here once, until one thread has done all of it."""
        self._breath = BREATH_SECONDS
        self._stopping = Event()
        self._changed = Condition()
        self._open = 0
        self._threads: list[Thread] = []

    def start(self) -> None:
        """Begin."""
        self._thread(self._look_out, "look-out")
        for number in range(self.size):
            self._thread(self._work, str(number))

    def stop(self) -> None:
        """Take on nothing more; what a thread has begun is finished, what nobody has begun is left to others."""
        with self._changed:
            self._stopping.set()
            for items in self._groups.values():
                self._open -= len(items)
                items.clear()
            for _ in range(self.size):
                self._ready.put(None)
            self._changed.notify_all()
        self._wake.announce()

    def idle(self, seconds: float) -> bool:
        """Return whether everything that was begun is finished, waiting so many seconds for it."""
        with self._changed:
            return self._changed.wait_for(lambda: self._open == 0, seconds)

    @property
    def alive(self) -> bool:
        """Return whether all threads of the crew are there."""
        return all(each.is_alive() for each in self._threads)

    def _thread(self, target: Callable[[], None], name: str) -> None:
        thread = Thread(target=target, name=f"governance-{self.engine.name}-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _look_out(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            try:
                self._look()
            except Exception as error:
                self._trouble(error)
                self._stopping.wait(pause)
                pause = min(LONGEST_PAUSE_SECONDS, pause * 2)
            else:
                pause = FIRST_PAUSE_SECONDS

    def _look(self) -> None:
        room = self._room()
        seen = self._wake.seen()
        items = self.engine.due(self._clock(), room) if room else ()
        self.answered_at, self.problem = time.monotonic(), None
        if items:
            self._breath = BREATH_SECONDS
            self._hand_out(items)
        elif room:
            self._stopping.wait(self._breath)
            self._breath = min(LONGEST_BREATH_SECONDS, self._breath * 2)
            self._wake.wait(seen, self._poll_seconds)

    def _room(self) -> int:
        """Return how many items to ask for, waiting until at least half of what the crew takes is done."""
        most = self.size * AHEAD
        with self._changed:
            free = self._changed.wait_for(
                lambda: self._open <= most // 2 or self._stopping.is_set(), self._poll_seconds
            )
            return most - self._open if free and not self._stopping.is_set() else 0

    def _hand_out(self, items: Sequence[DueItem]) -> None:
        with self._changed:
            if self._stopping.is_set():
                return  # they come up again elsewhere
            self._open += len(items)
            for item in items:
                group = item.group or f"\0{item.key}"
                if group not in self._groups:
                    self._groups[group] = deque()
                    self._ready.put(group)
                self._groups[group].append(item)

    def _work(self) -> None:
        while (group := self._ready.get()) is not None:
            while (item := self._next(group)) is not None:
                try:
                    self._perform(item)
                finally:
                    self._done()

    def _next(self, group: str) -> DueItem | None:
        with self._changed:
            if self._groups[group]:
                return self._groups[group].popleft()
            del self._groups[group]
            return None

    def _done(self) -> None:
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def _perform(self, item: DueItem) -> None:
        started = time.monotonic()
        try:
            with span(item):
                performed = self.engine.perform(item, self._clock())
        except Exception as error:
            self._trouble(error, item)
            return
        took = time.monotonic() - started
        late = (self._clock() - item.due_at).total_seconds()
        self._metrics.performed(self.engine.name, performed, took_seconds=took, late_seconds=max(0.0, late))
        self._tell(performed, took)

    def _tell(self, performed: Performed, took: float) -> None:
        told = _LEVELS[performed.result]
        getattr(self._log, told)(
            performed.what,
            result=performed.result,
            item=performed.item.key,
            request=performed.item.request_id,
            error=performed.error,
            milliseconds=round(took * 1000, 1),
        )

    def _trouble(self, error: Exception, item: DueItem | None = None) -> None:
        self.problem = f"{type(error).__name__}: {error}"
        self._metrics.trouble(self.engine.name)
        expected = isinstance(error, StoreUnavailableError | GovernanceError)
        told = self._log.warning if expected else self._log.exception
        told("trouble", error=self.problem, item=item.key if item else None)
