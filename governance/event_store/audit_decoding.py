"""From a stored row to the event in its place, by the same mapper as production."""

from typing import Any, Final, cast

from eventsourcing.persistence import Notification

from governance.domain.errors import UnreadableEventError
from governance.domain.recorded import Recorded
from governance.event_store.audit_rows import Row
from governance.event_store.mapper import EnvelopeMapper

_MAPPER: Final = EnvelopeMapper(cast(Any, None))


def decoded(row: Row) -> Recorded:
    """Return the event; raises UnknownEventError or UnreadableEventError."""
    position, stream, version, topic, state = row
    try:
        named = Notification(
            id=position,
            originator_id=stream.decode(),
            originator_version=version,
            topic=topic.decode(),
            state=state,
        )
    except UnicodeDecodeError:
        msg = f"the event at position {position} is damaged: its stream or topic is not UTF-8"
        raise UnreadableEventError(msg, position=position) from None
    return cast(Recorded, _MAPPER.to_domain_event(named))
