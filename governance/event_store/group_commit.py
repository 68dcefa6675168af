"""Combining the appends of many threads into one transaction per flush, whatever the database.

The first caller to find the lane free leads: it takes what is waiting, its own append first, and stores it in
one flush on its own thread. Those who come meanwhile wait, and one of them leads the next flush. A lone caller
therefore never waits and never changes threads.

With several callers, those whose appends were just stored come back a moment after the next flush has begun, and so
every flush would carry only half of them. The leader therefore gives them that moment: no longer than until as many are
there as there were last time, and no longer than the last flush took.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from typing import TypeAlias

from eventsourcing.persistence import PersistenceError

from governance.event_store.append import Append
from governance.event_store.deadline import Deadline, now
from governance.event_store.recorder import AppendQueueFull, Settled, StoreUnavailable
from governance.event_store.settings import RecorderSettings
from governance.event_store.waiting import Outcome, Waiting, line_up, wake

Flush: TypeAlias = Callable[[Sequence[Append], Deadline], Sequence[Outcome]]
"""Stores appends in one transaction; raises PersistenceError if that holds for all of them."""

MIN_FLUSH_SHARE = 0.2
"""An append with less than this share of its budget left is not sent: its outcome might stay unknown."""
GATHER_SHARE = 1.0
"""For so much of the time of the last flush, after its end, the next waits for callers that are likely to come back.

Up to one, a full flush later is as soon as half a flush now and half one after it, and takes the server half the work.
"""
SHORTEST_GATHER_SECONDS = 0.00005
"""Waiting for less than this costs more than it brings."""
LONGEST_GATHER_SECONDS = 0.005
"""A flush that took long for another reason than the disk is no measure."""


class FlushSpoiled(Exception):  # noqa: N818
    """One of several appends makes the whole flush impossible; each is to be tried alone."""


class GroupCommit:
    """A bounded queue of appends with one lane to the database."""

    def __init__(self, flush: Flush, settings: RecorderSettings) -> None:
        self._flush = flush
        self._settings = settings
        self._least_seconds = settings.budget_seconds * MIN_FLUSH_SHARE
        self._mutex = threading.Lock()
        self._room = threading.Condition(self._mutex)
        self._queue: deque[Waiting] = deque()
        self._queued_events = 0
        self._queued_bytes = 0
        self._held_back = 0
        self._leading = False
        self._closed = False
        self._expected = 1
        self._gather_until = 0.0
        self._missing = 0
        self._gathered = threading.Lock()

    def append(self, append: Append) -> Sequence[int]:
        """Stores the append together with others and returns its positions, or raises why not."""
        waiting = Waiting(append)
        self._enter([waiting])
        self._follow(waiting)
        return waiting.positions()

    def append_each(self, appends: Sequence[Append]) -> Sequence[Settled]:
        """Stores each of the appends by itself, in as few flushes as it takes, and returns what became of each.

        Raises AppendQueueFull or StoreUnavailable if none was sent.
        """
        waiting = [Waiting(append) for append in appends]
        for each in waiting[1:]:
            each.callers = 0
        self._enter(waiting)
        for number, each in enumerate(waiting):
            try:
                self._follow(each)
            except PersistenceError as error:
                each.outcome = error
            except BaseException:
                for left in waiting[number + 1 :]:
                    self._withdraw(left)
                    left.leave()
                raise
        return [each.settled() for each in waiting]

    def close(self, deadline: Deadline) -> None:
        """Refuses new appends and waits until those in the queue are stored."""
        with self._mutex:
            self._closed = True
            self._room.notify_all()
            while self._leading and not deadline.passed():
                self._room.wait(deadline.remaining())

    def _enter(self, waiting: Sequence[Waiting]) -> None:
        """Puts the appends of one thread into the queue, once there is room; the first may find that it leads."""
        if not waiting:
            return
        events, size = sum([each.events for each in waiting]), sum([each.append.size for each in waiting])
        with self._mutex:
            if self._queue or self._closed:
                self._make_room(waiting[0].append.deadline, events, size)
            self._queue.extend(waiting)
            self._queued_events += events
            self._queued_bytes += size
            waiting[0].leads = not self._leading
            self._leading = True
            if self._missing:
                self._missing -= 1
                if not self._missing:
                    self._gathered.release()

    def _follow(self, waiting: Waiting) -> None:
        """Waits until the append is stored, and leads a flush if it is its turn to."""
        if not waiting.leads:
            try:
                self._await_turn(waiting)
            except BaseException:
                self._withdraw(waiting)
                waiting.leave()
                raise
        if waiting.leads:
            try:
                self._gather()
            except BaseException:
                self._withdraw(waiting)
                raise
            self._lead()

    def _make_room(self, deadline: Deadline, events: int, size: int) -> None:
        while not self._closed and self._full(events, size):
            self._held_back += 1
            try:
                if not self._room.wait(deadline.remaining() - self._least_seconds):
                    msg = f"{self._queued_events} events are waiting to be stored; nothing of this append was"
                    raise AppendQueueFull(msg)
            finally:
                self._held_back -= 1
        if self._closed:
            msg = "the store is closed"
            raise StoreUnavailable(msg)

    def _full(self, events: int, size: int) -> bool:
        return bool(self._queue) and (
            self._queued_events + events > self._settings.queue_events
            or self._queued_bytes + size > self._settings.queue_bytes
        )

    def _await_turn(self, waiting: Waiting) -> None:
        if waiting.wait(waiting.append.deadline.remaining()):
            return
        if self._withdraw(waiting):
            msg = "the append waited for its flush until its time was up; nothing was stored"
            raise StoreUnavailable(msg)
        # It is in a flush, which ends by the earliest deadline in it: this wait is short.
        if waiting.outcome is not None or not waiting.wait(self._settings.budget_seconds):
            waiting.leave()

    def _withdraw(self, waiting: Waiting) -> bool:
        """Takes the append out of the queue and returns whether it was still there, and so was never sent."""
        with self._mutex:
            found = waiting in self._queue
            if found:
                self._queue.remove(waiting)
                self._uncount(waiting.append)
            if waiting.leads:
                # It had just been chosen: another has to lead, or nobody would.
                waiting.leads = False
                self._choose_leader()
        return found

    def _gather(self) -> None:
        """Waits until as many are in the queue as are expected, or until the moment for that has passed."""
        with self._mutex:
            missing = self._expected - callers(self._queue)
            patience = self._gather_until - now() if missing > 0 else 0.0
            if patience < SHORTEST_GATHER_SECONDS:
                return
            self._gathered.acquire(blocking=False)  # what the last wait may have left behind
            self._missing = missing
        self._gathered.acquire(timeout=patience)
        with self._mutex:
            self._missing = 0

    def _lead(self) -> None:
        batch: list[Waiting] = []
        began = now()
        try:
            batch = self._take()
            self._settle(batch)
        finally:
            self._pass_on(batch, began)

    def _take(self) -> list[Waiting]:
        with self._mutex:
            batch = self._take_all() or self._take_some()
            if self._held_back:
                self._room.notify_all()
        return batch

    def _take_all(self) -> list[Waiting]:
        """Takes what is in the queue if it is not too much for one flush: the usual case, at a fraction of the cost."""
        if self._queued_events > self._settings.flush_events or self._queued_bytes > self._settings.flush_bytes:
            return []
        batch = list(self._queue)
        self._queue.clear()
        self._queued_events = self._queued_bytes = 0
        return batch

    def _take_some(self) -> list[Waiting]:
        batch: list[Waiting] = []
        events = size = 0
        while self._queue:
            append = self._queue[0].append
            events += len(append.rows)
            size += append.size
            if batch and (events > self._settings.flush_events or size > self._settings.flush_bytes):
                break
            batch.append(self._queue.popleft())
            self._uncount(append)
        return batch

    def _settle(self, batch: Sequence[Waiting]) -> None:
        todo = self._in_time(batch)
        alone = False
        while todo:
            try:
                for part in [[one] for one in todo] if alone else [todo]:
                    self._store(part)
            except FlushSpoiled:
                alone = True
            todo = [waiting for waiting in todo if waiting.outcome is None]
            todo = self._in_time(todo) if todo else todo

    def _store(self, part: Sequence[Waiting]) -> None:
        appends = [waiting.append for waiting in part]
        try:
            outcomes = self._flush(appends, Deadline(min([append.deadline.at for append in appends])))
        except PersistenceError as error:
            # Each thread raises an error of its own, because raising one changes it.
            outcomes = [copied(error) for _ in part]
        for waiting, outcome in zip(part, outcomes, strict=True):
            waiting.outcome = outcome

    def _in_time(self, batch: Sequence[Waiting]) -> list[Waiting]:
        last_chance = now() + self._least_seconds
        for waiting in batch:
            if waiting.append.deadline.at < last_chance:
                waiting.outcome = StoreUnavailable("too little time was left to store it; nothing was stored")
        return [waiting for waiting in batch if waiting.outcome is None]

    def _pass_on(self, batch: Sequence[Waiting], began: float) -> None:
        ended = now()
        with self._mutex:
            self._expected = min(callers(batch) + callers(self._queue), self._settings.flush_events)
            self._gather_until = ended + min(LONGEST_GATHER_SECONDS, (ended - began) * GATHER_SHARE)
            self._choose_leader()
        wake(line_up([waiting for waiting in batch if not waiting.leads]))

    def _choose_leader(self) -> None:
        if self._queue:
            self._queue[0].leads = True
            self._queue[0].turn.release()
            return
        self._leading = False
        if self._closed:
            self._room.notify_all()

    def _uncount(self, append: Append) -> None:
        self._queued_events -= len(append.rows)
        self._queued_bytes -= append.size


def callers(waiting: Iterable[Waiting]) -> int:
    """Returns how many threads wait for these appends, of which one may have several."""
    return sum([each.callers for each in waiting])


def copied(error: PersistenceError) -> PersistenceError:
    """Returns an equal error with the same cause."""
    another = copy(error)
    another.__cause__ = error.__cause__
    return another
