"""Requests and states as they are now: folded from their streams, kept in memory, and brought up to date on loading."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Generic, Self, TypeVar

from governance.domain.errors import NotFoundError
from governance.domain.events import StateChanged
from governance.domain.evolution import replay
from governance.domain.recorded import Recorded
from governance.domain.request import MutationRequest
from governance.domain.state import StateVersion
from governance.domain.state_evolution import state_version
from governance.event_store.log import EventLog
from governance.settings import Settings
from governance.snapshots import SHORT, Snapshots, check_gapless
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

    def unknown(self, keys: Iterable[str]) -> list[str]:
        """Return the ids under which nothing is kept, each once; none where nothing ever is."""
        with self._lock:
            return [each for each in dict.fromkeys(keys) if each not in self._kept] if self._capacity else []

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

    def __init__(self, log: EventLog, capacity: int, snapshots: Snapshots | None = None) -> None:
        self._log = log
        self._snapshots = snapshots
        self._requests: RecentlyUsed[MutationRequest] = RecentlyUsed(capacity)
        self._looked_at: RecentlyUsed[MutationRequest] = RecentlyUsed(capacity)
        self._states: RecentlyUsed[StateVersion] = RecentlyUsed(capacity)

    @classmethod
    def chosen(cls, log: EventLog, settings: Settings) -> Self:
        """Return the repository as the settings want it.

        With personal texts nothing is kept anywhere: an erasure has to reach all there is, and what this process has
        written itself it knows as plain text.
        """
        return cls(log, 0) if settings.personal_texts else cls(log, settings.cached_requests, Snapshots(log))

    def request(self, request_id: str, *, fresh: bool = True) -> MutationRequest:
        """Return the request; with `fresh` as of now, else as last seen here. NotFoundError when there is none.

        It is what all of its events have made, and nothing else: what is stored may be decided on it.
        """
        kept = self._requests.get(request_id)
        if kept is not None and not fresh:
            return kept
        return self._up_to_date(request_id, kept)

    def look(self, request_id: str) -> MutationRequest:
        """Return the request as of now to somebody who only asks; one of many events may come from a snapshot.

        Snapshots prove nothing: nothing may be decided and stored on the word of what this returns.
        """
        kept = self._requests.get(request_id)
        if kept is not None or self._snapshots is None:
            return self._up_to_date(request_id, kept)
        stream, looked_at = request_stream(request_id), self._looked_at.get(request_id)
        if looked_at is not None:
            news = self._log.stream(stream, after=looked_at.version)
            return _folded(request_id, news, looked_at, self._looked_at)
        first = self._log.stored_stream(stream, upto=SHORT)
        if len(first) < SHORT:
            return _folded(request_id, [self._log.decoded(each) for each in first], None, self._requests)
        request = self._snapshots.loaded(stream, lambda: self.request(request_id))
        self._looked_at.keep(request_id, request)
        return request

    def _up_to_date(self, request_id: str, kept: MutationRequest | None) -> MutationRequest:
        news = self._log.stream(request_stream(request_id), after=kept.version if kept else 0)
        return _folded(request_id, news, kept, self._requests)

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

    def unknown(self, request_ids: Iterable[str]) -> list[str]:
        """Return of which requests nothing is kept here, each once; none where nothing is ever kept."""
        return self._requests.unknown(request_ids)

    def unknown_states(self, state_ids: Iterable[str]) -> list[str]:
        """Return of which states nothing is kept here, each once; none where nothing is ever kept."""
        return self._states.unknown(state_ids)

    def saw(self, recorded: Sequence[Recorded], positions: Sequence[int]) -> None:
        """Take over states that this process has just written, at these positions."""
        for each, position in zip(recorded, positions, strict=True):
            if isinstance(each.event, StateChanged):
                state = state_version(each, position)
                self._states.keep(state.id, state)

    def forget(self, request_id: str) -> None:
        """Load the request from its stream next time."""
        self._requests.forget(request_id)
        self._looked_at.forget(request_id)

    def keep(self, request: MutationRequest) -> None:
        """Take over a request, which cannot be changed in place, so that no copy is made."""
        self._requests.keep(request.id, request)

    def keep_state(self, state: StateVersion) -> None:
        """Take over a version of a state, version 0 of one that does not exist yet."""
        self._states.keep(state.id, state)


def _folded(
    request_id: str, news: Sequence[Recorded], kept: MutationRequest | None, into: RecentlyUsed[MutationRequest]
) -> MutationRequest:
    """Return the request after the news, and keep it; NotFoundError when there is nothing."""
    request = replay(check_gapless(news, kept.version if kept else 0), kept)
    if request is None:
        msg = f"there is no request {request_id}"
        raise NotFoundError(msg, request=request_id)
    if news:
        into.keep(request.id, request)
    return request
