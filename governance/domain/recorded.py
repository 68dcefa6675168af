"""The envelope: an event in its place, with who did it, when, and in what connection."""

from governance.domain.actors import Actor
from governance.domain.events import Event
from governance.domain.values import Moment, Value


class Recorded(Value):
    """An event in its place: which stream, which version there, which global position, when, by whom, and why.

    `append_id` is the same for all events of one append; by it a writer knows its own write again. `position` is None
    before the event is stored.
    """

    stream: str
    version: int
    at: Moment
    by: Actor
    correlation_id: str | None = None
    causation_id: str | None = None
    append_id: str
    event: Event
    position: int | None = None

    @property
    def type(self) -> str:
        """Return the event's name, as in `ApprovalGranted`."""
        return type(self.event).__name__
