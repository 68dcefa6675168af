"""Folding events into the rows of one view, with the states of recent streams kept in memory between batches."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from projections.events import AnyEvent, Damaged, Stored, decode
from projections.feed import Feed
from projections.view import Rows, View

TRIES: Final = 3
"""How often an event is tried before it is parked."""
KEPT_STREAMS: Final = 10_000
Decoded = AnyEvent | Damaged


@dataclass
class Parked:
    """An event that the view could not take in, and the error, verbatim."""

    stored: Stored
    error: str
    tries: int = TRIES


@dataclass
class Batch:
    """What some events lead to: rows to write, streams whose old rows go first, and events to be parked."""

    rows: Rows
    stale: list[str] = field(default_factory=list)
    parked: list[Parked] = field(default_factory=list)


def decode_all(stored: Iterable[Stored]) -> list[Decoded]:
    """Return the events, each decoded once for all views; those that cannot be read with their error."""
    decoded: list[Decoded] = []
    for each in stored:
        try:
            decoded.append(decode(each))
        except Exception as error:
            decoded.append(Damaged(each, error))
    return decoded


class Folder:
    """Folds batch after batch; what it keeps of streams can be rebuilt from the log at any time."""

    def __init__(self, view: View[Any], feed: Feed, parked: Iterable[int] = ()) -> None:
        self._view = view
        self._feed = feed
        self._parked = set(parked)
        self._states: dict[str, Any] = {}

    def forget(self, parked: Iterable[int] | None = None) -> None:
        """Drop what is kept of streams, as after a batch that was not stored; optionally with other parked events."""
        self._states.clear()
        if parked is not None:
            self._parked = set(parked)

    def fold(self, events: Sequence[Decoded], checkpoint: int) -> Batch:
        """Return what the events after the checkpoint lead to."""
        batch = Batch(Rows(self._view.tables))
        mine = [each for each in events if self._concerns(each)]
        touched = self._recall(mine, checkpoint, batch)
        try:
            self._apply(mine, touched, batch)
            self._settle(touched, batch)
        except Exception:
            self.forget()
            batch = Batch(Rows(self._view.tables))
            touched = self._recall(mine, checkpoint, batch)
            self._apply_with_care(mine, touched, batch)
            self._settle(touched, batch)
        self._keep(touched)
        return batch

    def fold_without(self, event: Stored, error: Exception, checkpoint: int) -> Batch:
        """Return the batch in which the one event after the checkpoint is parked because of its rows."""
        self.forget()
        self._parked.add(event.position)
        batch = self.fold([], checkpoint)
        batch.parked.append(Parked(event, f"{type(error).__name__}: {error}"))
        return batch

    def refold(self, stream: str, upto: int, parked: set[int]) -> Rows:
        """Return all rows that one stream leads to, up to a position and without the parked events."""
        rows = Rows(self._view.tables)
        state = self._view.begin(stream)
        for stored in self._feed.past([f"{self._view.category}-{stream}"], upto):
            if stored.position not in parked and self._view.takes(stored.topic):
                self._view.apply(state, decode(stored), rows)
        self._view.settle(state, rows)
        return rows

    def _concerns(self, event: Decoded) -> bool:
        if isinstance(event, Damaged):
            stored = event.stored
            return stored.originator_id.partition("-")[0] == self._view.category
        return event.category == self._view.category and self._view.takes(event.topic)

    def _recall(self, events: Sequence[Decoded], checkpoint: int, batch: Batch) -> dict[str, Any]:
        """Return the states of all streams that have news, as they were at the checkpoint."""
        first: dict[str, int] = {}
        for each in events:
            stream, version = _place(each)
            if stream not in first:
                first[stream] = version
        batch.stale = [stream for stream, version in first.items() if version > 1]
        states = {stream: self._states.pop(stream, None) for stream in first}
        unknown = [stream for stream in batch.stale if states[stream] is None]
        past = self._past(unknown, checkpoint)
        for stream, state in states.items():
            if state is None:
                states[stream] = past[stream] if stream in past else self._view.begin(stream)
        return states

    def _past(self, streams: Sequence[str], checkpoint: int, *, whole: bool = False) -> dict[str, Any]:
        needs = "all" if whole else self._view.remembers
        if needs == "nothing" or not streams:
            return {}
        states: dict[str, Any] = {}
        ignored = Rows(self._view.tables)
        named = [f"{self._view.category}-{stream}" for stream in streams]
        for stored in self._feed.past(named, checkpoint, first_only=needs == "first"):
            stream = stored.originator_id.partition("-")[2]
            state = states.get(stream)
            if state is None:
                state = states[stream] = self._view.begin(stream)
            if stored.position not in self._parked and self._view.takes(stored.topic):
                self._view.apply(state, decode(stored), ignored)
        return states

    def _apply(self, events: Sequence[Decoded], states: dict[str, Any], batch: Batch) -> None:
        apply, rows = self._view.apply, batch.rows
        for event in events:
            if isinstance(event, Damaged):
                raise event.error
            apply(states[event.stream], event, rows)

    def _apply_with_care(self, events: Sequence[Decoded], states: dict[str, Any], batch: Batch) -> None:
        """Apply one by one; an event that fails every time leaves no trace and is parked."""
        for event in events:
            if (event.stored.position if event.stored else 0) in self._parked:
                continue
            failure = self._try(event, states, batch.rows)
            if failure is not None and event.stored is not None:
                self._parked.add(event.stored.position)
                batch.parked.append(Parked(event.stored, f"{type(failure).__name__}: {failure}"))

    def _try(self, event: Decoded, states: dict[str, Any], rows: Rows) -> Exception | None:
        if isinstance(event, Damaged):
            return event.error
        mark = rows.mark()
        failure: Exception | None = None
        for _ in range(TRIES):
            try:
                self._view.apply(states[event.stream], event, rows)
                self._view.settle(states[event.stream], Rows(self._view.tables))
            except Exception as error:
                failure = error
                rows.undo(mark)
                past = self._past([event.stream], event.position - 1, whole=True)
                states[event.stream] = past[event.stream] if event.stream in past else self._view.begin(event.stream)
            else:
                return None
        return failure

    def _settle(self, touched: dict[str, Any], batch: Batch) -> None:
        for state in touched.values():
            self._view.settle(state, batch.rows)

    def _keep(self, touched: dict[str, Any]) -> None:
        if self._view.remembers == "nothing":
            return
        self._states.update(touched)
        for stream in list(self._states)[: max(0, len(self._states) - KEPT_STREAMS)]:
            del self._states[stream]


def _place(event: Decoded) -> tuple[str, int]:
    if isinstance(event, Damaged):
        return event.stored.originator_id.partition("-")[2], event.stored.originator_version
    return event.stream, event.version
