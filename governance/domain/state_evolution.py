"""From an event of a state's stream to the version of the state that it holds."""

from governance.domain.errors import MisplacedEventError
from governance.domain.events import ExternalStateChanged, StateChanged
from governance.domain.recorded import Recorded
from governance.domain.state import StateVersion


def state_version(recorded: Recorded, position: int | None = None) -> StateVersion:
    """Return the version of a state that one of its events holds; the position is given when it was just stored."""
    event = recorded.event
    if not isinstance(event, StateChanged):
        msg = f"{recorded.stream} holds {type(event).__name__}, which is not an event of a state"
        raise MisplacedEventError(msg, stream=recorded.stream, version=recorded.version)
    return StateVersion.sound(
        id=recorded.stream.partition("-")[2],
        version=recorded.version,
        type=event.state_type,
        value=event.value,
        digest=event.digest,
        changed_at=recorded.at,
        request_id=event.request_id,
        position=recorded.position if position is None else position,
        external_version=event.external_version if isinstance(event, ExternalStateChanged) else None,
        observed=None,
    )
