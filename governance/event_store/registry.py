"""The closed registry of events: only these names load, and nothing is ever imported for a name in the store."""

from typing import get_args

from governance.domain.errors import UnknownEventError
from governance.domain.events import Event, Fact

EVENTS: dict[str, type[Fact]] = {each.__name__: each for each in get_args(Event)}
"""Every event by its topic, which is its class name."""


def event_class(topic: str) -> type[Fact]:
    """Return the class of a topic; UnknownEventError, naming it, for any other."""
    known = EVENTS.get(topic)
    if known is None:
        msg = f"the store holds an event of type {topic!r}, which this program does not know"
        raise UnknownEventError(msg, topic=topic)
    return known
