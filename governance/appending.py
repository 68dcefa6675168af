"""One append: the events of one command, over one stream or several, that are stored together or not at all."""

from collections.abc import Sequence
from datetime import datetime

from governance.domain.actors import Actor
from governance.domain.events import Event
from governance.domain.evolution import replay
from governance.domain.recorded import Recorded
from governance.domain.request import MutationRequest
from governance.event_store.log import EventLog
from governance.repository import Repository
from governance.streams import request_stream


class Append:
    """Collects the events of one command, each in its place; all carry the same id, time and actor."""

    def __init__(self, append_id: str, actor: Actor, at: datetime) -> None:
        self.append_id = append_id
        self.actor = actor
        self.at = at
        self.recorded: list[Recorded] = []

    def add(
        self,
        stream: str,
        after: int,
        events: Sequence[Event],
        *,
        correlation_id: str | None = None,
        causation_id: str | None = None,
    ) -> None:
        """Put events behind the version `after` of a stream."""
        self.recorded += [
            Recorded(
                stream=stream,
                version=version,
                at=self.at,
                by=self.actor,
                correlation_id=correlation_id,
                causation_id=causation_id,
                append_id=self.append_id,
                event=event,
            )
            for version, event in enumerate(events, start=after + 1)
        ]

    def add_to(self, request: MutationRequest, events: Sequence[Event], *, causation_id: str | None = None) -> None:
        """Put events behind the last one of a request."""
        self.add(
            request_stream(request.id),
            request.version,
            events,
            correlation_id=request.correlation_id,
            causation_id=causation_id,
        )

    def folded(self, request: MutationRequest | None, request_id: str) -> MutationRequest:
        """Return the request that these events lead to, before or after they are stored."""
        stream = request_stream(request_id)
        folded = replay([each for each in self.recorded if each.stream == stream], request)
        if folded is None:
            msg = f"nothing was appended to {stream}"
            raise LookupError(msg)
        return folded

    def store(self, log: EventLog, repository: Repository) -> None:
        """Store everything in one transaction; ConcurrencyError when any stream has moved on, and nothing is stored."""
        self.recorded = list(log.append(self.recorded))
        repository.saw(self.recorded)
