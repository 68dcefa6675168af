"""Between events and stored bytes: a readable JSON envelope, and the topic that is the event's own short name."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from eventsourcing.persistence import Mapper, Notification, StoredEvent
from pydantic import BaseModel, Field, ValidationError, create_model

from governance.domain.actors import Actor
from governance.domain.errors import UnknownEventError, UnreadableEventError
from governance.domain.events import Fact
from governance.domain.json_limits import input_error
from governance.domain.recorded import Recorded
from governance.domain.values import Moment, Value
from governance.event_store.registry import EVENTS, event_class
from governance.event_store.sealing import Vault, misplaced
from governance.event_store.upcasts import upcast


class Envelope(Value):
    """What stands around an event's data: type, schema version, when, by whom, in what connection, of which append."""

    type: str
    v: int
    at: Moment
    by: Actor
    correlation: str | None
    causation: str | None
    append: str


_quoted = json.JSONEncoder(ensure_ascii=False).encode


def _written(value: BaseModel) -> str:
    """Return what `model_dump_json` does, without the cost of passing on its options."""
    return value.__pydantic_serializer__.to_json(value).decode()


def _text_json(text: str | None) -> str:
    return "null" if text is None else _quoted(text)


def _envelope(topic: str, event: type[Fact]) -> type[BaseModel]:
    fields: dict[str, Any] = {
        "type": (Literal[topic], ...),
        "v": (int, Field(ge=event.schema_version, le=event.schema_version)),  # a literal 1 would take true
        "data": (event, ...),
    }
    return create_model(f"Stored{topic}", __base__=Envelope, **fields)


_ENVELOPES: dict[str, type[BaseModel]] = {topic: _envelope(topic, event) for topic, event in EVENTS.items()}


class EnvelopeMapper(Mapper[str]):
    """Writes and reads envelopes as readable JSON; only personal values in them are sealed, by the vault."""

    vault: Vault | None = None

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        """Return an envelope's stored form: UTF-8 JSON, one object."""
        (stored,) = self.to_stored_events([domain_event])
        return stored

    def to_stored_events(self, recorded: Sequence[Recorded]) -> list[StoredEvent]:
        """Return the stored forms of events; what those of one append share is written once."""
        heads: dict[tuple[datetime, int], str] = {}
        stored = []
        for each in recorded:
            head = heads.get((each.at, id(each.by)))
            if head is None:
                head = f'"at":"{each.at.isoformat()[:-6]}Z","by":{_written(each.by)}'
                heads[each.at, id(each.by)] = head
            stored.append(self._stored(each, head))
        return stored

    def _stored(self, recorded: Recorded, head: str) -> StoredEvent:
        event = recorded.event
        topic = type(event).__name__
        state = (
            f'{{"type":"{topic}","v":{event.schema_version},{head},'
            f'"correlation":{_text_json(recorded.correlation_id)},"causation":{_text_json(recorded.causation_id)},'
            f'"append":{_text_json(recorded.append_id)},"data":{_written(event)}}}'
        ).encode()
        if self.vault is not None:
            state = self.vault.placed(recorded.stream, recorded.version, state)
        return StoredEvent(recorded.stream, recorded.version, topic, state)

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        """Return the envelope that was stored, old shapes brought up to today's.

        Raises UnknownEventError for a type or version that this program does not know, and UnreadableEventError for
        bytes that are not an envelope. Imports nothing.
        """
        event_class(stored_event.topic)
        envelope = _ENVELOPES[stored_event.topic]
        try:
            read: Any = envelope.model_validate_json(stored_event.state)
        except ValidationError as error:
            read = _read_old(stored_event, envelope, error)
        moved = misplaced(str(stored_event.originator_id), stored_event.originator_version, stored_event.state)
        if moved:
            raise _unreadable(stored_event, f"{moved[0]} was sealed for another place")
        return Recorded.sound(
            stream=str(stored_event.originator_id),
            version=stored_event.originator_version,
            at=read.at,
            by=read.by,
            correlation_id=read.correlation,
            causation_id=read.causation,
            append_id=read.append,
            event=read.data,
            position=stored_event.id if isinstance(stored_event, Notification) else None,
        )


def _read_old(stored: StoredEvent, envelope: type[BaseModel], error: ValidationError) -> BaseModel:
    try:
        raw = json.loads(stored.state)
        version, data = raw["v"], raw["data"]
        target = EVENTS[stored.topic].schema_version
        if type(version) is not int or version == target:
            raise _unreadable(stored, input_error(error).message)
        raw |= {"v": target, "data": upcast(stored.topic, data, version=version, target=target)}
        return envelope.model_validate_json(json.dumps(raw))
    except (UnreadableEventError, UnknownEventError):
        raise
    except Exception as damage:
        raise _unreadable(stored, f"{type(damage).__name__}: {damage}") from None


def _unreadable(stored: StoredEvent, what: str) -> UnreadableEventError:
    msg = f"event {stored.originator_version} of {stored.originator_id} ({stored.topic}) is damaged: {what}"
    return UnreadableEventError(msg, stream=stored.originator_id, version=stored.originator_version)
