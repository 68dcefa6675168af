"""Events in their place as views read them: decoded only as far as any view needs, straight from the stored text."""

from collections.abc import Callable, Collection, Iterable
from types import SimpleNamespace
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

from msgspec import MsgspecError, Struct, ValidationError
from msgspec.json import Decoder

from governance.domain.errors import UnreadableEventError
from governance.domain.recorded import Recorded
from governance.event_store.mapper import EnvelopeMapper
from governance.event_store.registry import EVENTS, event_class
from projections import approval_facts, condition_facts, facts
from projections.facts import By, Part

D = TypeVar("D")

CREATED: Final = "Created"
REQUEST: Final = "mutationRequest"
STATE: Final = "governedState"


FACTS: Final[dict[str, type[Part]]] = {
    name: part
    for module in (facts, approval_facts, condition_facts)
    for name, part in vars(module).items()
    if name in EVENTS and isinstance(part, type) and issubclass(part, Part)
} | dict.fromkeys(("ApprovalExpired", "QuorumReached"), approval_facts.OfRequirement)
"""What is read of the events of each topic; of any other known topic, everything."""


Stored = tuple[int, str, int, str, str]
"""An event as the store holds it: position, stream, version, topic, state."""


class Event(Struct, Generic[D], gc=False):
    """One event; `data` holds the needed fields of what happened, `stream` the id of its stream within the category."""

    v: int
    at: str
    by: By
    data: D
    correlation: str | None = None
    causation: str | None = None
    position: int = 0
    category: str = ""
    stream: str = ""
    version: int = 0
    topic: str = ""
    stored: Stored | None = None

    def recorded(self) -> Recorded:
        """Return the whole event as the domain knows it, for views that need more than `data`."""
        if self.stored is None:
            msg = "this event does not come from a store"
            raise ValueError(msg)
        whole: Recorded = _MAPPER.to_domain_event(cast(Any, _named(self.stored)))
        return whole.model_copy(update={"position": self.position})


AnyEvent = Event[Any]


class Damaged(NamedTuple):
    """An event that cannot be read, in its place, and why."""

    stored: Stored
    error: Exception
    position: int
    version: int
    topic: str


Decoded = AnyEvent | Damaged
Streams = dict[str, list[Decoded]]
_MAPPER: Final = EnvelopeMapper(cast(Any, None))


def _event_of(data: Any) -> Any:
    """Return the type of events with such data; it is only known at run time."""
    return Event[data]


_DECODERS: Final[dict[str, tuple[Callable[[str | bytes], AnyEvent], int]]] = {
    topic: (Decoder(_event_of(FACTS.get(topic, dict[str, Any]))).decode, event.schema_version)
    for topic, event in EVENTS.items()
}


class Decodings:
    """A page of events, each decoded once for all views, by category and stream, in order within each stream."""

    def __init__(self, page: Iterable[Stored], categories: Collection[str]) -> None:
        self.by_category: dict[str, Streams] = {category: {} for category in categories}
        self.damaged: set[str] = set()
        """Categories in which an event could not be read."""
        self.last: AnyEvent | None = None
        for stored in page:
            category, _, stream = stored[1].partition("-")
            streams = self.by_category.get(category)
            if streams is None:
                continue
            event: Decoded
            try:
                event = self.last = decode(stored, category, stream)
            except Exception as error:
                event = Damaged(stored, error, stored[0], stored[2], stored[3])
                self.damaged.add(category)
            known = streams.get(stream)
            if known is None:
                streams[stream] = [event]
            else:
                known.append(event)


def decode(stored: Stored, category: str, stream: str) -> AnyEvent:
    """Return the event; raises UnknownEventError or UnreadableEventError. Old shapes are brought up to today's."""
    position, _, version, topic, state = stored
    known = _DECODERS.get(topic)
    if known is None:
        event_class(topic)  # raises
        raise _unreadable(stored, KeyError(topic))
    try:
        event = known[0](state)
        if event.v != known[1]:
            event = known[0](_in_todays_shape(stored))
    except ValidationError:
        event = _decode_in_todays_shape(stored, known[0])
    except MsgspecError as error:
        raise _unreadable(stored, error) from None
    event.position = position
    event.category = category
    event.stream = stream
    event.version = version
    event.topic = topic
    event.stored = stored
    return event


def decode_stored(stored: Stored) -> AnyEvent:
    """Return one event on its own, as `decode` does."""
    category, _, stream = stored[1].partition("-")
    return decode(stored, category, stream)


def _decode_in_todays_shape(stored: Stored, decoder: Callable[[str | bytes], AnyEvent]) -> AnyEvent:
    try:
        return decoder(_in_todays_shape(stored))
    except MsgspecError as error:
        raise _unreadable(stored, error) from None


def _in_todays_shape(stored: Stored) -> bytes:
    return _MAPPER.to_stored_event(_MAPPER.to_domain_event(cast(Any, _named(stored)))).state


def _named(stored: Stored) -> SimpleNamespace:
    """Return the stored event with the names by which the mapper reads it, and its state as the bytes that it reads."""
    _, stream, version, topic, state = stored
    return SimpleNamespace(originator_id=stream, originator_version=version, topic=topic, state=state.encode())


def _unreadable(stored: Stored, error: Exception) -> UnreadableEventError:
    msg = f"event {stored[2]} of {stored[1]} ({stored[3]}) is damaged: {error}"
    return UnreadableEventError(msg, stream=stored[1], version=stored[2])
