"""Requests and states as they are now: folded from their streams, kept in memory, and brought up to date on loading."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Generic, TypeVar

from governance.domain.errors import MisplacedEventError, NotFoundError
from governance.domain.events import StateChanged
from governance.domain.evolution import replay
from governance.domain.recorded import Recorded
from governance.domain.request import MutationRequest
from governance.domain.state import StateVersion
from governance.domain.state_evolution import state_version
from governance.event_store.log import EventLog
from governance.streams import request_stream, state_stream

T = TypeVar("T", MutationRequest, StateVersion)


class RecentlyUsed(Generic[T]):
    """Keeps the most recently used values by id; safe for threads. Values are immutable, so no copy is made."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[str, T] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> T | None:
        """Return what is kept under the id, None when nothing is."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def forget(self, key: str) -> None:
        """Keep nothing under the id any more."""
        with self._lock:
            self._kept.pop(key, None)

    def keep(self, key: str, value: T) -> None:
        """Keep a value unless a newer one is kept."""
        with self._lock:
            known = self._kept.get(key)
            if known is None or known.version <= value.version:
                self._kept[key] = value
            self._kept.move_to_end(key)
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)


class Repository:
    """Loads requests and states. What is kept may be behind the store; whoever decides on it finds out by conflict."""

    def __init__(self, log: EventLog, capacity: int) -> None:
        self._log = log
        self._requests: RecentlyUsed[MutationRequest] = RecentlyUsed(capacity)
        self._states: RecentlyUsed[StateVersion] = RecentlyUsed(capacity)

    def request(self, request_id: str, *, fresh: bool = True) -> MutationRequest:
        """Return the request; with `fresh` as of now, else as last seen here. NotFoundError when there is none."""
        kept = self._requests.get(request_id)
        if kept is not None and not fresh:
            return kept
        news = self._log.stream(request_stream(request_id), after=kept.version if kept else 0)
        _check_gapless(news, kept.version if kept else 0)
        request = replay(news, kept)
        if request is None:
            msg = f"there is no request {request_id}"
            raise NotFoundError(msg, request=request_id)
        if news:
            self.keep(request)
        return request

    def state(self, state_id: str, *, fresh: bool = True) -> StateVersion | None:
        """Return the latest version of a state, None for one that does not exist yet."""
        kept = self._states.get(state_id)
        if kept is not None and not fresh:
            return kept if kept.version else None
        news = self._log.latest(state_stream(state_id))
        if not news:
            self._states.keep(state_id, StateVersion(id=state_id))  # that it does not exist is worth keeping too
            return None
        state = state_version(news[0])
        self._states.keep(state_id, state)
        return state

    def saw(self, recorded: Sequence[Recorded], positions: Sequence[int]) -> None:
        """Take over states that this process has just written, at these positions."""
        for each, position in zip(recorded, positions, strict=True):
            if isinstance(each.event, StateChanged):
                state = state_version(each, position)
                self._states.keep(state.id, state)

    def forget(self, request_id: str) -> None:
        """Load the request from its stream next time."""
        self._requests.forget(request_id)

    def keep(self, request: MutationRequest) -> None:
        """Take over a request, which cannot be changed in place, so that no copy is made."""
        self._requests.keep(request.id, request)


def _check_gapless(news: Sequence[Recorded], after: int) -> None:
    if news and news[-1].version - after != len(news):
        last = news[-1]
        msg = f"between versions {after} and {last.version} of {last.stream} there are events missing"
        raise MisplacedEventError(msg, stream=last.stream, version=last.version)
