"""The work of one crew: items in line, by group, and how many of them are in hand at a time."""

from collections import deque
from collections.abc import Sequence
from threading import Condition, Lock
from typing import Final

from governance.engines.engine import DueItem

ROOM_SECONDS: Final = 0.01
"""For how long a thread waits for the room to take as many items as there are."""


class WorkQueue:
    """Items of one group are handed out one after the other, in order; safe for threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        lock = Lock()
        self._less = Condition(lock)
        """Told when there is less to do."""
        self._more = Condition(lock)
        """Told when there is more to take, or more room for it; the one thread that is to take waits for it."""
        self._next = Condition(lock)
        """Told when another thread may be the one that is to take."""
        self._taking = False
        self._ready: deque[str] = deque()
        """Groups with something to do of which nothing is in hand."""
        self._groups: dict[str, deque[DueItem]] = {}
        """What nobody has in hand yet; a group is in here as long as there is anything of it."""
        self._in_hand = 0
        self._open = 0
        self._stopped = False

    def put(self, items: Sequence[DueItem]) -> None:
        """Put items in line; after `stop` they are left to others."""
        with self._less:
            if self._stopped:
                return
            self._open += len(items)
            for item in items:
                group = _group(item)
                if group not in self._groups:
                    self._groups[group] = deque()
                    self._ready.append(group)
                self._groups[group].append(item)
            self._more.notify()

    def take(self, most: int) -> Sequence[DueItem]:
        """Return up to so many items of different groups, waiting for one; none after `stop`.

        Waits a moment for room for as many as there are: else threads that once had one item each would, one after the
        other, find room for one item each for ever.
        """
        with self._next:
            self._next.wait_for(lambda: not self._taking)
            self._taking = True
            try:
                self._more.wait_for(lambda: self._stopped or (self._ready and self._room))
                self._more.wait_for(lambda: self._stopped or self._room >= min(most, len(self._ready)), ROOM_SECONDS)
                return () if self._stopped else self._taken(min(most, self._room, len(self._ready)))
            finally:
                self._taking = False
                self._next.notify()

    def _taken(self, number: int) -> Sequence[DueItem]:
        self._in_hand += number
        return [self._groups[self._ready.popleft()].popleft() for _ in range(number)]

    @property
    def _room(self) -> int:
        return self._size - self._in_hand

    def put_back(self, items: Sequence[DueItem]) -> None:
        """Let others have items that were taken and not done; each is the next of its group."""
        if not items:
            return
        with self._more:
            self._in_hand -= len(items)
            for item in reversed(items):
                if self._stopped:
                    self._open -= 1
                else:
                    self._groups[_group(item)].appendleft(item)
                    self._ready.appendleft(_group(item))
            self._more.notify()
            self._less.notify_all()

    def done(self, items: Sequence[DueItem]) -> None:
        """Say that items that were taken are done with; then the next of their groups can be taken."""
        if not items:
            return
        with self._less:
            self._in_hand -= len(items)
            self._open -= len(items)
            for group in map(_group, items):
                if self._groups[group]:
                    self._ready.append(group)
                else:
                    del self._groups[group]
            if self._ready:
                self._more.notify()
            self._less.notify_all()

    def stop(self) -> None:
        """Hand out nothing more and forget what nobody has begun."""
        with self._less:
            self._stopped = True
            for items in self._groups.values():
                self._open -= len(items)
                items.clear()
            self._more.notify()
            self._less.notify_all()

    def open(self, most: int, seconds: float) -> int:
        """Return how many items are in line or in hand, waiting so many seconds for no more than `most` to be."""
        with self._less:
            self._less.wait_for(lambda: self._open <= most or self._stopped, seconds)
            return self._open

    def idle(self, seconds: float) -> bool:
        """Return whether nothing is in line or in hand, waiting so many seconds for that."""
        with self._less:
            return self._less.wait_for(lambda: self._open == 0, seconds)


def _group(item: DueItem) -> str:
    return item.group or f"\0{item.key}"
