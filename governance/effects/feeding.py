"""Feeding the outbox: what the log says of effects, from the position on up to which the outbox was derived before."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final, get_args

from governance.domain.effect_events import EffectDelivered, EffectDropped, EffectEvent, EffectFailed, EffectRetried
from governance.domain.errors import UnreadableEventError
from governance.domain.events import Executed
from governance.domain.recorded import Recorded
from governance.event_store.deadline import now as monotonic
from governance.event_store.log import EventLog
from governance.event_store.outbox import PARKED, WAITING, Outbox, OutboxNote, OutboxPage, OutboxRow
from governance.streams import stream_id

TOPICS: Final = ("Executed", *(each.__name__ for each in get_args(EffectEvent)))
PAGE: Final = 1_000
UNWRITTEN: Final = 5_000
"""How many positions without effects may lie between where the feed is and where it says it is."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class OutboxFeed:
    """Keeps the outbox of one store up to date; any number of processes may do so at once."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._lock = Lock()
        self._begun = (0.0, 0)
        self._seen = (0, 0)  # where the outbox stood, and up to where there was nothing for it since
        self.damaged: list[UnreadableEventError] = []
        """Events that could not be read: whatever effects they were about are left out."""

    @property
    def outbox(self) -> Outbox:
        """Return the outbox."""
        return self._log.event_recorder.outbox()

    def catch_up(self) -> int:
        """Bring the outbox to the head that the log has now, and return that position.

        Raises StoreUnavailableError, and UnknownEventError for an event of a newer program, which waits for that.
        """
        asked = monotonic()
        with self._lock:
            if self._begun[0] > asked:  # another thread began after this one asked, and is done
                return self._begun[1]
            began, head = monotonic(), self._log.head()
            while self._step(head):
                pass
            self._begun = (began, head)
            return head

    def _step(self, head: int) -> bool:
        """Take one page in and return whether there is more; a page that somebody else took in is read again."""
        outbox = self.outbox
        before = outbox.position()
        start = self._seen[1] if self._seen[0] == before else before
        if start >= head:
            return False
        page = self._log.stored(start, PAGE, upto=head, topics=TOPICS)
        after = page[-1].id if len(page) == PAGE else head
        folded = self._folded([self._log.decoded(each) for each in page], before, after)
        empty = not (folded.put or folded.noted or folded.gone)
        if (not empty or after - before > UNWRITTEN) and not outbox.take_in(folded):
            return True
        self._seen = (before if empty and after - before <= UNWRITTEN else after, after)
        return after < head

    def _folded(self, recorded: Sequence[Recorded], before: int, after: int) -> OutboxPage:
        put: dict[str, OutboxRow] = {}
        noted: dict[str, OutboxNote] = {}
        gone: set[str] = set()
        for each in recorded:
            match each.event:
                case Executed():
                    put.update({row.effect_id: row for row in rows_of(each)})
                case EffectFailed():
                    note = _note(each, each.event)
                    if note.effect_id in put:
                        put[note.effect_id] = put[note.effect_id].model_copy(update=note.model_dump())
                    else:
                        noted[note.effect_id] = note
                case EffectDelivered(effect_id=effect) | EffectDropped(effect_id=effect):
                    put.pop(effect, None)
                    noted.pop(effect, None)
                    gone.add(effect)
                case EffectRetried(effect_id=effect):
                    noted.pop(effect, None)
                    gone.discard(effect)
                    put.update(self._again(each, effect))
        return OutboxPage(
            before=before, after=after, put=tuple(put.values()), noted=tuple(noted.values()), gone=tuple(gone)
        )

    def _again(self, retried: Recorded, effect_id: str) -> dict[str, OutboxRow]:
        executed = (each for each in self._log.stream(retried.stream) if isinstance(each.event, Executed))
        due_at = micros(retried.at)
        found = (row for each in executed for row in rows_of(each) if row.effect_id == effect_id)
        return {row.effect_id: row.model_copy(update={"due_at": due_at}) for row in found}


def rows_of(recorded: Recorded) -> Sequence[OutboxRow]:
    """Return the outbox's rows for the effects of one execution."""
    event = recorded.event
    if not isinstance(event, Executed):
        return ()
    return [
        OutboxRow(
            effect_id=effect.id,
            request_id=stream_id(recorded.stream),
            state_id=event.state_id,
            contract=effect.contract,
            position=recorded.position or 0,
            number=number,
            due_at=micros(recorded.at),
        )
        for number, effect in enumerate(event.effects)
    ]


def _note(recorded: Recorded, event: EffectFailed) -> OutboxNote:
    return OutboxNote(
        effect_id=event.effect_id,
        status=PARKED if event.retry_at is None else WAITING,
        attempts=event.attempt,
        due_at=micros(event.retry_at or recorded.at),
    )


def micros(moment: datetime) -> int:
    """Return a time in microseconds since 1970, in UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(number: int) -> datetime:
    """Return the time of so many microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=number)
