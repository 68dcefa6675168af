"""Threads that wait for their appends, and how they are woken: one after the other, each by the one before it.

Woken all at once they would only wait again, for the interpreter, which lets one of them run at a time.
"""

import threading
from collections.abc import Sequence
from typing import TypeAlias

from eventsourcing.persistence import PersistenceError

from governance.event_store.append import Append
from governance.event_store.recorder import OutcomeUnknown, Settled

Outcome: TypeAlias = Settled | None
"""Positions, the reason why this append alone was refused, or None to try it again in the next flush."""


class Waiting:
    """An append in the queue, and the thread that waits for it."""

    __slots__ = ("append", "behind", "callers", "events", "gone", "leads", "outcome", "turn")

    def __init__(self, append: Append) -> None:
        self.append = append
        self.behind: Waiting | None = None
        self.callers = 1
        self.events = len(append.rows)
        self.gone = False
        self.leads = False
        self.outcome: Outcome = None
        self.turn = threading.Lock()
        self.turn.acquire()

    def positions(self) -> Sequence[int]:
        """Returns the positions, or raises why there are none."""
        settled = self.settled()
        if isinstance(settled, PersistenceError):
            raise settled
        return settled

    def settled(self) -> Settled:
        """Returns the positions, or why there are none."""
        if self.outcome is None:
            return OutcomeUnknown("the flush that carried this append was interrupted")
        return self.outcome

    def wait(self, seconds: float) -> bool:
        """Returns whether its turn came within that time, and then wakes the one behind it."""
        if not self.turn.acquire(timeout=seconds):
            return False
        if self.behind is not None:
            wake(self.behind)
        return True

    def leave(self) -> None:
        """Sees to it that those behind are woken although this one does not wait any more."""
        self.gone = True
        # Whoever takes the turn passes it on: this thread, or the one that gives it.
        if self.turn.acquire(blocking=False):
            wake(self.behind)


def line_up(waiting: Sequence[Waiting]) -> Waiting | None:
    """Puts them behind each other and returns the first."""
    first: Waiting | None = None
    for each in reversed(waiting):
        each.behind = first
        first = each
    return first


def wake(first: Waiting | None) -> None:
    """Gives their turn to the first of a line who has not gone, who then wakes the next."""
    while first is not None:
        first.turn.release()
        if not (first.gone and first.turn.acquire(blocking=False)):
            return
        first = first.behind
