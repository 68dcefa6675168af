"""Replay: requests, states and quotas at any point, rebuilt from events alone by the `evolve` of production.

Nothing here can reach handlers, user code or the network: it reads rows and folds them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from typing import Any, Final

from governance.domain.batch import evolve_batch
from governance.domain.changes import ChangeSet, diff
from governance.domain.errors import NotFoundError
from governance.domain.events import Created
from governance.domain.evolution import evolve, replay
from governance.domain.quotas import Quota, quota_after
from governance.domain.recorded import Recorded
from governance.domain.request import MutationRequest
from governance.domain.state import StateVersion
from governance.domain.state_evolution import state_version
from governance.event_store.audit_decoding import decoded
from governance.event_store.audit_rows import AuditRows, Row
from governance.streams import (
    BATCH,
    QUOTA,
    REQUEST,
    STATE,
    category,
    quota_stream,
    request_stream,
    state_stream,
    stream_id,
)

_NOISE: Final = {"decisions", "version", "position", "updated_at"}
"""What every event changes, so that it tells nothing."""
_KNOWN_REQUESTS: Final = 10_000
_REQUESTS: Final = f"{REQUEST}-".encode()
Range = tuple[str | None, str | None]
"""Streams behind the first, up to the second, by their names."""


@dataclass(frozen=True)
class Point:
    """How far to replay: up to a version, a position, an instant (what happened then counts), or all three; or all."""

    version: int | None = None
    position: int | None = None
    at: datetime | None = None

    def holds(self, recorded: Recorded) -> bool:
        """Return whether the event had happened."""
        if self.version is not None and recorded.version > self.version:
            return False
        if self.position is not None and (recorded.position or 0) > self.position:
            return False
        return self.at is None or recorded.at <= self.at

    def cut(self, history: Iterable[Recorded]) -> list[Recorded]:
        """Return the history up to the last event that had happened."""
        events = list(history)
        while events and not self.holds(events[-1]):
            events.pop()
        return events


NOW: Final = Point()


@dataclass(frozen=True)
class Step:
    """One event, and the difference that it made to the request or to the value of the state."""

    recorded: Recorded
    changes: ChangeSet


@dataclass(frozen=True)
class Wanted:
    """Which events to give; all that is set must hold, and of several values any one."""

    streams: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    mutations: tuple[str, ...] = ()
    correlations: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    after: int = 0
    upto: int | None = None

    def wants_row(self, row: Row) -> bool:
        """Return whether an event can be wanted, by what can be seen without reading it."""
        stream = row[1].decode("utf-8", "replace")
        return (
            (not self.streams or stream in self.streams)
            and (not self.categories or category(stream) in self.categories)
            and (not self.types or row[3].decode("utf-8", "replace") in self.types)
        )

    def wants(self, recorded: Recorded) -> bool:
        """Return whether an event is wanted, by all but its mutation."""
        return (
            (not self.actors or not recorded.by.people.isdisjoint(self.actors))
            and (not self.correlations or recorded.correlation_id in self.correlations)
            and (self.since is None or recorded.at >= self.since)
            and (self.until is None or recorded.at <= self.until)
        )


class Replay:
    """Rebuilds what was, from the rows of a store."""

    def __init__(self, rows: AuditRows) -> None:
        self._rows = rows
        self._mutation = lru_cache(_KNOWN_REQUESTS)(self._mutation_of)

    def request(self, request_id: str, point: Point = NOW) -> MutationRequest:
        """Return the request as it was; NotFoundError when it did not exist."""
        found = replay(point.cut(self.history(request_stream(request_id))))
        if found is None:
            msg = f"there was no request {request_id}"
            raise NotFoundError(msg, request=request_id)
        return found

    def state(self, state_id: str, point: Point = NOW) -> StateVersion:
        """Return the state as it was; version 0 when it did not exist."""
        events = point.cut(self.history(state_stream(state_id)))
        return state_version(events[-1]) if events else StateVersion(id=state_id)

    def quota(self, key: str, point: Point = NOW) -> Quota:
        """Return the quota as it was; version 0, with nothing taken, when it did not exist."""
        return quota_after(Quota(key=key), point.cut(self.history(quota_stream(key))))

    def last_version(self, stream: str) -> int:
        """Return the version of the last event of a stream, 0 when there is none."""
        return max((row[2] for row in self._rows.stream(stream)), default=0)

    def history(self, stream: str) -> Iterator[Recorded]:
        """Return the events of a stream, oldest first."""
        return map(decoded, self._rows.stream(stream))

    def steps(self, stream: str, point: Point = NOW) -> Iterator[Step]:
        """Return the events of a stream, each with the difference that it made."""
        before: Any = None
        for recorded in point.cut(self.history(stream)):
            after = _after(before, recorded)
            yield Step(recorded, diff(_shown(before), _shown(after)))
            before = after

    def events(self, wanted: Wanted = Wanted()) -> Iterator[Recorded]:
        """Return events of all streams in the one global order, read as they are asked for."""
        upto = self._rows.numbers().settled
        for page in self._rows.pages(wanted.after, upto if wanted.upto is None else min(upto, wanted.upto)):
            for row in page:
                if not wanted.wants_row(row):
                    continue
                recorded = decoded(row)
                if wanted.wants(recorded) and self._is_of(recorded, wanted.mutations):
                    yield recorded

    def requests(self, point: Point = NOW, *, streams: Range | None = None) -> Iterator[MutationRequest]:
        """Return every request as it was, or those of a range of streams, by id, one in memory at a time."""
        upto = self._rows.numbers().settled if point.position is None else point.position
        if streams is None:
            every = self._rows.by_stream(upto, category=REQUEST)
        else:
            after, last = streams
            found_there = self._rows.by_stream(upto, after=after, last=last)
            every = (row for row in found_there if row[1].startswith(_REQUESTS))
        for _, rows in groupby(every, key=lambda row: row[1]):
            found = replay(point.cut(map(decoded, rows)))
            if found is not None:
                yield found

    def _is_of(self, recorded: Recorded, mutations: tuple[str, ...]) -> bool:
        if not mutations:
            return True
        event = recorded.event
        if isinstance(event, Created):
            return event.mutation.type in mutations
        asked = getattr(event, "request_id", None)
        stream = recorded.stream if category(recorded.stream) == REQUEST else request_stream(str(asked))
        return self._mutation(stream) in mutations

    def _mutation_of(self, stream: str) -> str | None:
        found = self._rows.at([(stream, 1)])
        event = decoded(found[0]).event if found else None
        return event.mutation.type if isinstance(event, Created) else None


def _after(before: Any, recorded: Recorded) -> Any:
    kind = category(recorded.stream)
    if kind == REQUEST:
        return evolve(before, recorded)
    if kind == STATE:
        return state_version(recorded)
    if kind == BATCH:
        return evolve_batch(before, recorded)
    if kind == QUOTA:
        return quota_after(before or Quota(key=stream_id(recorded.stream)), [recorded])
    return recorded.event


def _shown(thing: Any) -> Any:
    """Return what differences are told of: the request without noise, or the value of the state."""
    match thing:
        case None:
            return {}
        case MutationRequest():
            return thing.model_dump(mode="json", exclude=_NOISE)
        case StateVersion():
            return thing.value
        case _:
            return thing.model_dump(mode="json")
