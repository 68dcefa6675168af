"""A crew: the threads that do the work of one engine, no more of it at a time than its limit allows."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Event, Thread
from typing import Any, Final, NamedTuple

import structlog

from governance.domain.errors import GovernanceError, StoreUnavailableError
from governance.engines.engine import DueItem, Engine, Performed, Plan, PlanningEngine
from governance.worker.metrics import Metrics
from governance.worker.tracing import ItemSpan
from governance.worker.waking import Wake
from governance.worker.work_queue import WorkQueue

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
AHEAD_WHEN_QUICK = 8
"""The same while many are decided on together; slow ones would outlast their lease before anybody began them."""
QUICK_SECONDS: Final = 0.05
"""For so long a thread may decide on items before it stores what it has decided: the first waits for the last."""


class Task(NamedTuple):
    """An item in hand: its span, what was planned for it if anything, and when it was begun."""

    item: DueItem
    span: ItemSpan
    plan: Plan | None
    started: float


class Crew:
    """Looks for due work and hands it to its threads; items of one group are done one after the other, in order.

    A thread takes more and more items at a time as long as its engine can plan them, and quickly: what is planned
    together is stored together. No more than the crew's size are in hand at a time, however they are spread.
    """

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
        self._queue = WorkQueue(size)
        self._planning = engine if isinstance(engine, PlanningEngine) else None
        self._most = max(1, size // 2)
        self._together = 1
        self._breath = BREATH_SECONDS
        self._stopping = Event()
        self._threads: list[Thread] = []

    def start(self) -> None:
        """Begin."""
        self._thread(self._look_out, "look-out")
        for number in range(self.size):
            self._thread(self._work, str(number))

    def stop(self) -> None:
        """Take on nothing more; what a thread has begun is finished, what nobody has begun is left to others."""
        self._stopping.set()
        self._queue.stop()
        self._wake.announce()

    def idle(self, seconds: float) -> bool:
        """Return whether everything that was begun is finished, waiting so many seconds for it."""
        return self._queue.idle(seconds)

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
            self._queue.put(items)
        elif room:
            self._stopping.wait(self._breath)
            self._breath = min(LONGEST_BREATH_SECONDS, self._breath * 2)
            self._wake.wait(seen, self._poll_seconds)

    def _room(self) -> int:
        """Return how many items to ask for, waiting until at least half of what the crew takes is done."""
        most = self.size * (AHEAD_WHEN_QUICK if self._together > 1 else AHEAD)
        taken = self._queue.open(most // 2, self._poll_seconds)
        return most - taken if taken <= most // 2 and not self._stopping.is_set() else 0

    def _work(self) -> None:
        while hand := list(self._queue.take(self._together)):
            try:
                self._turn(hand)
            finally:
                self._queue.done(hand)

    def _turn(self, hand: list[DueItem]) -> None:
        """Do what can be done together, and then one of the others; gives back the rest, and takes it out of the hand.

        So nothing waits for what is slow, be it decided on or performed, longer than it has to.
        """
        tasks = self._decided(hand)
        self._queue.put_back(hand[len(tasks) :])
        hand[:] = [each.item for each in tasks]
        alone = self._alone(tasks)
        left = {id(each.item) for each in alone}
        self._queue.done([each for each in hand if id(each) not in left])
        self._queue.put_back([each.item for each in alone[1:]])
        hand[:] = [each.item for each in alone[:1]]
        for each in alone[1:]:
            each.span.end()
        for each in alone[:1]:
            self._perform(each)

    def _decided(self, items: Sequence[DueItem]) -> Sequence[Task]:
        """Return the items that there was time to decide on, at least one, with what was planned."""
        started = time.monotonic()
        tasks: list[Task] = []
        for item in items:
            span = ItemSpan(item)
            with span.current():
                plan = None if self._planning is None else self._planning.plan(item, self._clock())
            tasks.append(Task(item, span, plan, started))
            took = time.monotonic() - started
            if took > QUICK_SECONDS:
                break
        self._together = self._pace(len(tasks), took, all(each.plan is not None for each in tasks))
        return tasks

    def _pace(self, number: int, took: float, planned: bool) -> int:
        """Return how many items to take next time, after so many took so long: as many as are decided on quickly."""
        if not planned:
            return max(1, number // 2)
        quick = int(number * QUICK_SECONDS / took) if took > 0 else self._most
        return max(1, min(quick, max(self._together, number * 2), self._most))

    def _alone(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """Store what was planned, and return what has to be performed alone."""
        planned = [(each, each.plan) for each in tasks if each.plan is not None]
        try:
            settled = self._planning.settle([plan for _, plan in planned]) if self._planning and planned else ()
        except Exception as error:
            self._trouble(error, tasks[0].item)
            for each, _ in planned:
                each.span.end()
            return [each for each in tasks if each.plan is None]
        alone = [each for each in tasks if each.plan is None]
        for (each, _), performed in zip(planned, settled, strict=True):
            if performed is None:
                alone.append(each)
            else:
                self._count(each, performed)
                each.span.end()
        return alone

    def _perform(self, task: Task) -> None:
        try:
            with task.span.current():
                performed = self.engine.perform(task.item, self._clock())
        except Exception as error:
            self._trouble(error, task.item)
        else:
            self._count(task, performed)
        finally:
            task.span.end()

    def _count(self, task: Task, performed: Performed) -> None:
        took = time.monotonic() - task.started
        late = (self._clock() - task.item.due_at).total_seconds()
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
