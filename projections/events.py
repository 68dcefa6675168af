"""Events in their place as views read them: decoded only as far as any view needs, straight from the stored text."""

from functools import cache
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

from msgspec import MsgspecError, Struct, ValidationError
from msgspec.json import Decoder

from governance.domain.errors import UnreadableEventError
from governance.domain.recorded import Recorded
from governance.event_store.mapper import EnvelopeMapper
from governance.event_store.registry import EVENTS, event_class
from projections.facts import FACTS, By

D = TypeVar("D")

CREATED: Final = "Created"
REQUEST: Final = "mutationRequest"
STATE: Final = "governedState"


class Stored(NamedTuple):
    """An event as the store holds it, named as its mapper reads it."""

    position: int
    originator_id: str
    originator_version: int
    topic: str
    state: str


class Event(Struct, Generic[D]):
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
        whole: Recorded = _MAPPER.to_domain_event(cast(Any, self.stored))
        return whole.model_copy(update={"position": self.position})


AnyEvent = Event[Any]


class Damaged(NamedTuple):
    """An event that cannot be read, in its place, and why."""

    stored: Stored
    error: Exception


_MAPPER: Final = EnvelopeMapper(cast(Any, None))


@cache
def _decoder(topic: str) -> tuple[Decoder[AnyEvent], int]:
    known = event_class(topic)
    data: Any = FACTS.get(topic, dict[str, Any])
    return Decoder(Event[data]), known.schema_version


def decode(stored: Stored) -> AnyEvent:
    """Return the event; raises UnknownEventError or UnreadableEventError. Old shapes are brought up to today's."""
    decoder, current = _decoder(stored.topic)
    try:
        event = decoder.decode(stored.state)
        if event.v != current:
            event = decoder.decode(_in_todays_shape(stored))
    except ValidationError:
        event = _decode_in_todays_shape(stored, decoder)
    except MsgspecError as error:
        raise _unreadable(stored, error) from None
    event.position = stored.position
    event.category, _, event.stream = stored.originator_id.partition("-")
    event.version = stored.originator_version
    event.topic = stored.topic
    event.stored = stored
    return event


def _decode_in_todays_shape(stored: Stored, decoder: Decoder[AnyEvent]) -> AnyEvent:
    try:
        return decoder.decode(_in_todays_shape(stored))
    except MsgspecError as error:
        raise _unreadable(stored, error) from None


def _in_todays_shape(stored: Stored) -> bytes:
    return _MAPPER.to_stored_event(_MAPPER.to_domain_event(cast(Any, stored))).state


def _unreadable(stored: Stored, error: Exception) -> UnreadableEventError:
    msg = f"event {stored.originator_version} of {stored.originator_id} ({stored.topic}) is damaged: {error}"
    return UnreadableEventError(msg, stream=stored.originator_id, version=stored.originator_version)


def is_known(topic: str) -> bool:
    """Return whether this program knows events of the topic."""
    return topic in EVENTS
