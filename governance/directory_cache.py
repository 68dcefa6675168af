"""A directory's answers, kept for a while: asked once for many who want to know, and never shown after their time."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from threading import Lock
from time import monotonic

from governance.directory import Directory, Kind
from governance.domain.errors import ConfigurationError

MAX_ENTRIES = 10_000
"""How many roles and groups are kept; the longest kept make room."""

Key = tuple[Kind, str]


@dataclass
class _Flight:
    """One question under way: who asked it when, and how many wait for its answer."""

    task: "asyncio.Task[frozenset[str]]"
    started: float
    waiting: int = 0


class CachingDirectory:
    """Asks the inner directory at most once per role or group and `ttl_seconds`, however many ask at the same time.

    That nobody is in a role is kept like any other answer; an error is not. The age of an answer counts from when it
    was asked for. When the inner directory fails, so does this one: an answer older than its time is never given.
    """

    def __init__(self, inner: Directory, *, ttl_seconds: float, clock: Callable[[], float] = monotonic) -> None:
        if not (isfinite(ttl_seconds) and ttl_seconds >= 0):
            msg = f"ttl_seconds must be a number of seconds of at least 0, not {ttl_seconds}"
            raise ConfigurationError(msg, field="ttl_seconds")
        self._inner = inner
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._kept: OrderedDict[Key, tuple[float, frozenset[str]]] = OrderedDict()
        self._flights: dict[tuple[int, Key], _Flight] = {}
        self._lock = Lock()

    async def members(self, kind: Kind, name: str) -> frozenset[str]:
        """Return who is in the role or group, as it was at most `ttl_seconds` ago; raises what the inner one raises."""
        key = (kind, name)
        kept = self._kept.get(key)
        if kept is not None and self._fresh(kept[0]):
            return kept[1]
        return await self._join(key)

    def forget(self) -> None:
        """Drop every answer, so that the next question of each kind is asked again."""
        self._kept.clear()
        self._flights.clear()

    def _fresh(self, asked_at: float) -> bool:
        return 0 <= self._clock() - asked_at < self._ttl_seconds

    async def _join(self, key: Key) -> frozenset[str]:
        flight = self._flight(key)
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                flight.task.cancel()
                self._land(key, flight)

    def _flight(self, key: Key) -> _Flight:
        loop = asyncio.get_running_loop()
        place = (id(loop), key)
        under_way = self._flights.get(place)
        now = self._clock()
        if under_way is not None and not under_way.task.done() and now - under_way.started <= self._ttl_seconds:
            return under_way
        flight = _Flight(task=loop.create_task(self._inner.members(*key)), started=now)
        flight.task.add_done_callback(lambda _: self._done(key, flight))
        self._flights[place] = flight
        return flight

    def _done(self, key: Key, flight: _Flight) -> None:
        if self._flights.get(self._place(key, flight)) is flight and not flight.task.cancelled():
            if flight.task.exception() is None:
                self._keep(key, flight)
        elif not flight.task.cancelled():
            flight.task.exception()
        self._land(key, flight)

    def _keep(self, key: Key, flight: _Flight) -> None:
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = (flight.started, flight.task.result())
            while len(self._kept) > MAX_ENTRIES:
                self._kept.popitem(last=False)

    def _land(self, key: Key, flight: _Flight) -> None:
        place = self._place(key, flight)
        if self._flights.get(place) is flight:
            del self._flights[place]

    @staticmethod
    def _place(key: Key, flight: _Flight) -> tuple[int, Key]:
        return id(flight.task.get_loop()), key
