"""Folding events into the rows of one view, with the states of recent streams kept in memory between batches."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from projections.events import Damaged, Decoded, Decodings, Stored, Streams, decode_stored
from projections.feed import Feed
from projections.view import Rows, View

TRIES: Final = 3
"""How often an event is tried before it is parked."""
KEPT_STREAMS: Final = 10_000


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


class Folder:
    """Folds batch after batch; what it keeps of streams can be rebuilt from the log at any time."""

    def __init__(self, view: View[Any], feed: Feed, parked: Iterable[int] = ()) -> None:
        self._view = view
        self._feed = feed
        self._parked = set(parked)
        self._states: dict[str, Any] = {}

    def fold(self, page: Decodings, checkpoint: int) -> Batch:
        """Return what the events after the checkpoint lead to."""
        streams = self._mine(page.by_category[self._view.category])
        if self._view.category not in page.damaged:
            try:
                return self._fold(streams, checkpoint, careful=False)
            except Exception:
                self._states.clear()
        return self._fold(streams, checkpoint, careful=True)

    def fold_without(self, event: Stored, error: Exception) -> Batch:
        """Return the batch in which the one event after the checkpoint is parked because of its rows."""
        self._states.clear()
        self._parked.add(event[0])
        parked = Parked(event, f"{type(error).__name__}: {error}")
        return Batch(Rows(self._view.tables), parked=[parked])

    def refold(self, stream: str, upto: int, parked: set[int]) -> Rows:
        """Return all rows that one stream leads to, up to a position and without the parked events."""
        rows = Rows(self._view.tables)
        state = self._view.begin(stream)
        for stored in self._feed.past([f"{self._view.category}-{stream}"], upto):
            if stored[0] not in parked and self._view.takes(stored[3]):
                self._view.apply(state, decode_stored(stored), rows)
        self._view.settle(state, rows)
        return rows

    def _mine(self, streams: Streams) -> Streams:
        """Return the events that the view looks at; one that cannot be read is of a type that it might look at."""
        topics = self._view.topics
        if topics is None:
            return streams
        chosen = (
            (stream, [each for each in events if each.topic in topics or isinstance(each, Damaged)])
            for stream, events in streams.items()
        )
        return {stream: events for stream, events in chosen if events}

    def _fold(self, streams: Streams, checkpoint: int, *, careful: bool) -> Batch:
        batch = Batch(Rows(self._view.tables))
        batch.stale = [stream for stream, events in streams.items() if events[0].version > 1]
        states = self._recall(streams, batch.stale, checkpoint)
        apply_all = self._apply_with_care if careful else self._apply
        settle, rows = self._view.settle, batch.rows
        for stream, events in streams.items():
            states[stream] = state = apply_all(stream, states[stream], events, batch)
            settle(state, rows)
        self._keep(states)
        return batch

    def _recall(self, streams: Streams, stale: Sequence[str], checkpoint: int) -> dict[str, Any]:
        """Return the states of all streams that have news, as they were at the checkpoint."""
        begin = self._view.begin
        states = {stream: self._states.pop(stream, None) for stream in streams}
        past = self._past([stream for stream in stale if states[stream] is None], checkpoint)
        for stream, state in states.items():
            if state is None:
                states[stream] = past[stream] if stream in past else begin(stream)
        return states

    def _past(self, streams: Sequence[str], checkpoint: int, *, whole: bool = False) -> dict[str, Any]:
        needs = "all" if whole else self._view.remembers
        if needs == "nothing" or not streams:
            return {}
        states: dict[str, Any] = {}
        ignored = Rows(self._view.tables)
        named = [f"{self._view.category}-{stream}" for stream in streams]
        for stored in self._feed.past(named, checkpoint, first_only=needs == "first"):
            stream = stored[1].partition("-")[2]
            state = states.get(stream)
            if state is None:
                state = states[stream] = self._view.begin(stream)
            if stored[0] not in self._parked and self._view.takes(stored[3]):
                self._view.apply(state, decode_stored(stored), ignored)
        return states

    def _apply(self, stream: str, state: Any, events: Sequence[Any], batch: Batch) -> Any:
        apply, rows = self._view.apply, batch.rows
        for event in events:
            apply(state, event, rows)
        return state

    def _apply_with_care(self, stream: str, state: Any, events: Sequence[Decoded], batch: Batch) -> Any:
        """Apply one by one; an event that fails every time leaves no trace and is parked. Return the state."""
        for event in events:
            mark = batch.rows.mark()
            failure = self._try(state, event, batch.rows)
            tries = 0 if isinstance(event, Damaged) else TRIES - 1
            while failure is not None:
                batch.rows.undo(mark)
                past = self._past([stream], event.position - 1, whole=True)
                state = past[stream] if stream in past else self._view.begin(stream)
                if not tries:
                    self._park(event, failure, batch)
                    break
                tries -= 1
                failure = self._try(state, event, batch.rows)
        return state

    def _try(self, state: Any, event: Decoded, rows: Rows) -> Exception | None:
        if isinstance(event, Damaged):
            return event.error
        try:
            self._view.apply(state, event, rows)
            self._view.settle(state, Rows(self._view.tables))
        except Exception as error:
            return error
        return None

    def _park(self, event: Decoded, failure: Exception, batch: Batch) -> None:
        stored = event.stored
        if stored is None:
            raise failure
        self._parked.add(event.position)
        batch.parked.append(Parked(stored, f"{type(failure).__name__}: {failure}"))

    def _keep(self, touched: dict[str, Any]) -> None:
        if self._view.remembers == "nothing":
            return
        self._states.update(touched)
        for stream in list(self._states)[: max(0, len(self._states) - KEPT_STREAMS)]:
            del self._states[stream]
