"""Waking the threads of this process that wait for an append."""

import threading

from governance.event_store.deadline import Deadline


class AppendSignal:
    """Counts flushes, so that a waiter cannot miss one that happens between its look and its wait."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._flushes = 0

    def announce(self) -> None:
        """Wakes all who wait."""
        with self._changed:
            self._flushes += 1
            self._changed.notify_all()

    def seen(self) -> int:
        """Returns the number to give to `wait`, taken before looking at the store."""
        return self._flushes

    def wait(self, seen: int, deadline: Deadline) -> None:
        """Returns at the deadline, or as soon as there was a flush since `seen`."""
        with self._changed:
            self._changed.wait_for(lambda: self._flushes != seen, deadline.remaining())
